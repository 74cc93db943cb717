"""`gateway check`: everything that can be found wrong before a record is read; changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters import registry
from bus.errors import ConfigurationError, ExchangeError, TransientError
from bus.ledger.store import probe
from bus.transport import connect
from mappings.library import read_platform
from mappings.lint import lint_platform
from monitor.bootstrap import find_problems, topology_of
from monitor.masking import mask
from monitor.patience import patiently
from monitor.settings import examine
from monitor.terminal import Exit, exit_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bus.message import Record
    from bus.ports import Seen
    from monitor.settings import Examined, Settings, SourceSettings
    from monitor.terminal import Terminal


class Tried(NamedTuple):
    """One service that was tried: what is wrong with it, "" when nothing is, and whether it was only away."""

    name: str
    problem: str
    is_away: bool = False


def run_check(terminal: Terminal, config: Path, *, is_connecting: bool, timeout_s: float) -> None:
    """Lint everything; connect where asked; change nothing."""
    with exit_codes(terminal) as known:
        examined = examine(config)
        known["warnings"] = warnings = [*examined.warnings, *_mapping_warnings(terminal, examined)]
        for warning in warnings:
            terminal.say(zh=f"! {warning}", en=f"! {warning}")
        problems = [*examined.problems, *find_problems(*examined[:3], examined.places)]
        if problems or examined.settings is None:
            raise ConfigurationError(problems)
        terminal.say(zh="✓ 配置、密钥、映射、标准", en="✓ configuration, keys, mappings, schema")
        tried = list(_try_everything(terminal, examined.settings, timeout_s=timeout_s)) if is_connecting else []
        if not is_connecting:
            terminal.say(
                zh="（加 --connect 可同时试连来源、账本和总线）", en="(--connect also tries sources, store and bus)"
            )
        found = [each for each in tried if each.problem]
        terminal.result(
            {
                "connected": {each.name: not each.problem for each in tried},
                "problems": [f"{each.name}: {each.problem}" for each in found],
                "warnings": warnings,
            }
        )
        if found:
            raise SystemExit(Exit.UNREACHABLE if all(each.is_away for each in found) else Exit.FOUND)


def _mapping_warnings(terminal: Terminal, examined: Examined) -> list[str]:
    """Warnings of the mappings in use; their errors keep them from loading and are found there."""
    used = {(source.adapter, source.mappings) for source in examined.sources.values()}
    found: list[str] = []
    for platform, directory in sorted(used, key=str):
        try:
            report = lint_platform(read_platform(platform, directory=directory))
        except ConfigurationError:  # no such folder: an error of loading
            continue
        found += [p.render(terminal.language) for p in report.problems if p.severity == "warning"]
    return found


def _try_everything(terminal: Terminal, settings: Settings, *, timeout_s: float) -> Iterator[Tried]:
    checks: dict[str, Callable[[], None]] = {"store": lambda: probe(settings.store), "bus": lambda: _try_bus(settings)}
    for name, source in settings.sources.items():
        checks[f"sources.{name}"] = lambda source=source: _try_source(source)  # type: ignore[misc]
    for name, check in checks.items():
        tried = _try(terminal, name, check, timeout_s=timeout_s)
        text = f"✗ {name}: {tried.problem}" if tried.problem else f"✓ {name}"
        terminal.write(text)
        yield tried


def _try(terminal: Terminal, name: str, check: Callable[[], None], *, timeout_s: float) -> Tried:
    try:
        patiently(terminal, check, timeout_s=timeout_s)
    except ExchangeError as error:
        return Tried(name, mask(str(error)), isinstance(error, TransientError))
    return Tried(name, "")


def _try_bus(settings: Settings) -> None:
    name = settings.bus.removeprefix("embedded:///")
    if name != settings.bus and not Path(name).exists():
        return  # it is made, with its queues, by the first run
    differences = connect(settings.bus).differences(topology_of(settings))
    if differences:
        raise ConfigurationError([*differences, "run `gateway topology apply` with the operator's account"])


def _try_source(source: SourceSettings) -> None:
    adapter = registry.create(source.adapter, division=source.division, options=source.options)
    try:
        adapter.open(_NoKeys(), position=None, drain=False)
    finally:
        adapter.close()


class _NoKeys:
    """A key index that knows nothing: `check` reads no record."""

    def seen(self, row_keys: Sequence[str]) -> Mapping[str, Seen]:
        """Nothing."""
        del row_keys
        return {}

    def parked(self, reason: str) -> Sequence[Record]:
        """Nothing."""
        del reason
        return ()

    def ordinals(self, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """Nothing."""
        del after, limit
        return ()
