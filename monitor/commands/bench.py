"""`gateway bench`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bus.errors import ConfigurationError
from monitor.bench.bars import PARTS
from monitor.terminal import Exit, exit_codes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.terminal import Terminal


def run_bench(  # noqa: PLR0913 - options of the command
    terminal: Terminal,
    *,
    rounds: int,
    records: int,
    parts: Sequence[str],
    seconds: int = 60,
    memory_records: int = 1_000_000,
    report: Path | None = None,
) -> None:
    """Measure `parts` (none: all), print tables and the object; write the page `report`."""
    with exit_codes(terminal):
        unknown = [part for part in parts if part not in PARTS]
        if unknown:
            raise ConfigurationError([f"--part {part}: unknown; known are {', '.join(PARTS)}" for part in unknown])
        try:
            from monitor.bench.run import Plan, run  # noqa: PLC0415 - needs the extra `postgres`
        except ModuleNotFoundError as error:
            raise ConfigurationError([f"the bench needs {error.name}: install foshan-exchange[postgres]"]) from error
        from monitor.bench.report import page, show  # noqa: PLC0415 - the same

        plan = Plan(rounds, records, tuple(parts) or PARTS, seconds, memory_records)
        found = run(terminal, plan)
        show(terminal, found)
        if report is not None:
            report.write_text(page(found, command=f"gateway {' '.join(sys.argv[1:])}"), encoding="utf-8")
        if not found.is_met:
            raise SystemExit(Exit.FOUND)
