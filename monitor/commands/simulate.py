"""`gateway simulate`: a platform's interface, quirks on demand."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from adapters.simulators import cgs
from adapters.simulators.cgs_quirks import Quirks
from bus.errors import ConfigurationError, TransientError
from monitor.commands.run import stop_on_signals
from monitor.terminal import exit_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from monitor.terminal import Terminal

_LOCAL = ZoneInfo("Asia/Shanghai")
_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What to simulate."""

    platform: str
    url: str
    division: str
    records: int
    rate: float
    seed: int
    quirks: tuple[str, ...]


def run_simulate(terminal: Terminal, options: SimulateOptions) -> None:
    """Create the platform's tables and feed them: at once, or at a rate."""
    with exit_codes(terminal), stop_on_signals() as stop:
        quirks = read_quirks(options.quirks)
        try:
            engine = create_engine(options.url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigurationError([f"--url: is not a database URL that works here: {error}"]) from error
        try:
            cgs.create(engine)
            if options.rate:
                steps = cgs.live(engine, division=options.division, now=platform_now, seed=options.seed, quirks=quirks)
                for written, _ in enumerate(steps, 1):
                    if written >= options.records or stop.wait(1 / options.rate):
                        break
            else:
                written = feed_past(engine, options.division, options.records, seed=options.seed, quirks=quirks)
        except DBAPIError as error:
            raise TransientError(f"the platform's database did not answer: {error.orig}") from error
        finally:
            engine.dispose()
        terminal.say(zh=f"已写入 {written} 行。", en=f"{written} rows written.")
        terminal.result({"rows": written})


def feed_past(engine: Engine, division: str, records: int, *, seed: int, quirks: Quirks | None = None) -> int:
    """Rows of cases that were received during the last month."""
    span = timedelta(days=30)
    start = platform_now() - 3 * span
    counts = cgs.feed(engine, division=division, start=start, records=records, seed=seed, span=span, quirks=quirks)
    kinds = ("SL", "SPCL", "BZGZ", "BZSL", "TBCXSQ", "TBCXJG", "BJ")
    return sum(counts[kind] for kind in kinds)


def platform_now() -> datetime:
    """The platform's clock: local time without zone, whole seconds."""
    return datetime.fromtimestamp(time.time(), _LOCAL).replace(tzinfo=None, microsecond=0)


def read_quirks(given: Sequence[str]) -> Quirks:
    """`name` or `name=share` of each quirk.

    Raises:
        ConfigurationError: an unknown name (the known ones are listed) or a share that is no number from 0 to 1.
    """
    known = {field.name for field in dataclasses.fields(Quirks)}
    shares: dict[str, float] = {}
    problems: list[str] = []
    for text in given:
        name, _, share = text.partition("=")
        if name not in known:
            problems.append(f"--quirk {text}: unknown; known are {', '.join(sorted(known))}")
            continue
        try:
            shares[name] = float(share) if share else _SHARE
        except ValueError:
            problems.append(f"--quirk {text}: the share is a number from 0 to 1, e.g. {name}=0.1")
    if problems:
        raise ConfigurationError(problems)
    return Quirks(**shares)
