"""`gateway simulate`: a platform's interface, quirks on demand."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from adapters.simulators import cgs
from adapters.simulators.cgs_quirks import Quirks
from bus.errors import TransientError
from bus.message import KIND_ORDER
from monitor.commands.run import stop_on_signals
from monitor.patience import patiently
from monitor.terminal import WrongUseError, exit_codes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from sqlalchemy import Engine

    from monitor.terminal import Terminal

DIVISIONS: Final = ("440604", "440607", "440608")
"""Where this platform is installed: 禅城, 三水, 高明."""

_LOCAL: Final = ZoneInfo("Asia/Shanghai")
_SHARE: Final = 0.05
_SPAN: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What to simulate.

    Attributes:
        platform: its name.
        url: of the database to create and feed.
        division: of the installation.
        records: how many rows.
        rate: rows a second; 0: at once, with times of the last months.
        seed: equal seeds give equal cases.
        first_case: number of the first case, to add to a database that holds some.
        quirks: `name` or `name=share` of each.
        timeout_s: how long the database may be away.
    """

    platform: str
    url: str
    division: str
    records: int
    rate: float
    seed: int
    first_case: int
    quirks: tuple[str, ...]
    timeout_s: float


def run_simulate(terminal: Terminal, options: SimulateOptions) -> None:
    """Create the platform's tables and feed them: at once, or at a rate until Ctrl-C."""
    with exit_codes(terminal), stop_on_signals() as stop:
        quirks = _check(options)
        engine = _engine(options.url)
        try:
            patiently(terminal, lambda: _create(engine), timeout_s=options.timeout_s, stop=stop)
            written = _write(terminal, engine, options, quirks, stop)
        except IntegrityError as error:
            first = f"--first-case {options.first_case}"
            zh, en = (
                f"{first}：库中已有这些案件；请用更大的号",
                f"{first}: the database holds these cases already; use a higher number",
            )
            raise WrongUseError((zh, en)) from error
        except DBAPIError as error:
            raise TransientError(f"the platform's database did not answer: {error.orig}") from error
        finally:
            engine.dispose()
        terminal.say(zh=f"已写入 {written} 行。", en=f"{written} rows written.")
        terminal.result({"rows": written})


def _check(options: SimulateOptions) -> Quirks:
    if options.division not in DIVISIONS:
        given, known = f"--division {options.division}", ", ".join(DIVISIONS)
        raise WrongUseError(
            (f"{given}：{options.platform} 装在 {known}", f"{given}: {options.platform} is installed in {known}")
        )
    return read_quirks(options.quirks)


def _engine(url: str) -> Engine:
    try:
        return create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        zh, en = f"--url：不是可用的数据库 URL：{error}", f"--url: is not a database URL that works here: {error}"
        raise WrongUseError((zh, en)) from error


def _create(engine: Engine) -> None:
    try:
        cgs.create(engine)
    except DBAPIError as error:
        raise TransientError(f"the platform's database did not answer: {error.orig}") from error


def _write(terminal: Terminal, engine: Engine, options: SimulateOptions, quirks: Quirks, stop: Event) -> int:
    division, seed, first_case = options.division, options.seed, options.first_case
    if not options.rate:
        return feed_past(engine, division, options.records, seed=seed, quirks=quirks, first_case=first_case)
    steps = cgs.live(engine, division=division, now=platform_now, seed=seed, quirks=quirks, first_case=first_case)
    written = 0
    with terminal.progress(zh="已写入", en="rows", total=options.records) as update:
        while written < options.records and not stop.wait(1 / options.rate):
            next(steps)
            written += 1
            update(written)
    return written


def feed_past(
    engine: Engine, division: str, records: int, *, seed: int, quirks: Quirks | None = None, first_case: int = 0
) -> int:
    """Rows of cases that were received some months ago; returns how many."""
    counts = cgs.feed(
        engine,
        division=division,
        start=platform_now() - 3 * _SPAN,
        records=records,
        seed=seed,
        span=_SPAN,
        quirks=quirks,
        first_case=first_case,
    )
    return sum(counts[kind] for kind in KIND_ORDER)


def platform_now() -> datetime:
    """The platform's clock: local time without zone, whole seconds."""
    return datetime.fromtimestamp(time.time(), _LOCAL).replace(tzinfo=None, microsecond=0)


def read_quirks(given: Sequence[str]) -> Quirks:
    """`name` or `name=share` of each quirk.

    Raises:
        WrongUseError: an unknown name (the known ones are listed) or a share that is no number from 0 to 1.
    """
    known = [field.name for field in dataclasses.fields(Quirks)]
    shares: dict[str, float] = {}
    problems: list[tuple[str, str]] = []
    for text in given:
        name, _, share = text.partition("=")
        if name not in known:
            names = ", ".join(known)
            problems.append((f"--quirk {text}：未知；已知 {names}", f"--quirk {text}: unknown; known are {names}"))
            continue
        highest = float("inf") if name == "late_s" else 1
        try:
            shares[name] = float(share) if share else _SHARE
        except ValueError:
            shares[name] = -1
        if not 0 <= shares[name] <= highest:
            zh = f"--quirk {text}：份额是 0 到 1 的数，如 {name}=0.1"
            problems.append((zh, f"--quirk {text}: the share is a number from 0 to 1, e.g. {name}=0.1"))
    if problems:
        raise WrongUseError(*problems)
    return Quirks(**shares)
