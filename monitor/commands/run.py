"""`gateway run`."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from monitor import logs
from monitor.bootstrap import build
from monitor.equation import show_equation, sources_object
from monitor.settings import load
from monitor.terminal import Exit, exit_codes
from monitor.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from monitor.terminal import Terminal


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; what is committed stays, what is under way is finished or sent again."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    former = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def run_gateway(
    terminal: Terminal, config: Path, *, is_draining: bool, sources: Sequence[str], timeout_s: float
) -> None:
    """Run until a signal, or until everything is drained; print the equation."""
    with exit_codes(terminal), stop_on_signals() as stop:
        settings = load(config)
        logs.configure(is_quiet=is_draining)
        gateway = build(settings, only=sources)
        tune()
        try:
            with terminal.progress(zh="已发布", en="published", total=None) as update:

                def on_tick() -> None:
                    update(sum(p.equation.published for p in gateway.progress()))

                gateway.run(stop, drain=is_draining, timeout_s=timeout_s, on_tick=on_tick if is_draining else None)
        finally:
            progress = gateway.progress()
            gateway.close()
        show_equation(terminal, progress)
        terminal.result({"sources": sources_object(progress)})
        if not all(p.equation.is_balanced for p in progress):
            raise SystemExit(Exit.FOUND)
