"""The composition root: the only place where settings become objects and objects meet."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from adapters import registry
from bus.errors import ConfigurationError, ExchangeError, FatalError, TransientError
from bus.inbound import Inbound, InboundOptions
from bus.ledger.ledger import Ledger
from bus.relay import Relay, RelayOptions
from bus.topology import Topology, supervision
from bus.transport import connect
from bus.trust import Signer, load_trust
from mappings.translator import MappingTranslator
from xsd.notice import NoticeWriter
from xsd.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from bus.ledger.ledger import SourceLedger
    from bus.ledger.values import Progress
    from bus.ports import SourceAdapter, Transport
    from bus.trust import Trust
    from monitor.settings import Settings, SourceSettings

_log = structlog.get_logger(__name__)

_TICK_S: Final = 0.1


@dataclass(slots=True)
class SourceRun:
    """One source at work: its two halves, each in a thread of its own, and how they ended."""

    name: str
    inbound: Inbound
    relay: Relay
    drained: threading.Event = field(default_factory=threading.Event)
    failures: list[str] = field(default_factory=list)

    def state(self) -> str | None:
        """What keeps this source from progress, or None."""
        return next(iter(self.failures), None) or self.inbound.last_error or self.relay.last_error


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that `run` needs, wired.

    Attributes:
        ledger: the store.
        transport: the bus.
        topology: the model that the bus must follow.
        runs: one a source.
    """

    ledger: Ledger
    transport: Transport
    topology: Topology
    runs: tuple[SourceRun, ...]

    def run(self, stop: Event, *, drain: bool, timeout_s: float, on_tick: Callable[[], None] | None = None) -> None:
        """Run until `stop` is set, or, draining, until nothing is left to read or send.

        Args:
            stop: set by a signal.
            drain: stop when every source has ended and everything is confirmed.
            timeout_s: how long, draining, a service may stay away.
            on_tick: called ten times a second from this thread.

        Raises:
            TransientError: draining, and a service stayed away.
            FatalError: every source has failed, or, draining, one has.
        """
        halt = threading.Event()
        threads = [thread for run in self.runs for thread in self._start(run, halt, drain=drain)]
        try:
            self._wait(stop, drain=drain, timeout_s=timeout_s, on_tick=on_tick or (lambda: None))
        finally:
            halt.set()
            for run in self.runs:
                run.relay.wake.set()
            for thread in threads:
                thread.join()
        failures = [f"{run.name}: {text}" for run in self.runs for text in run.failures]
        if failures:
            raise FatalError("; ".join(failures))

    def _start(self, run: SourceRun, halt: Event, *, drain: bool) -> list[threading.Thread]:
        def read() -> None:
            try:
                run.inbound.run(halt, drain=drain)
            except ExchangeError as error:
                run.failures.append(str(error))
                _log.error("source has stopped", action="read", source=run.name, error=str(error))
            run.drained.set()

        def publish() -> None:
            try:
                run.relay.run(halt)
            except ExchangeError as error:
                run.failures.append(str(error))
                _log.error("stream has stopped", action="publish", source=run.name, error=str(error))

        threads = [
            threading.Thread(target=read, name=f"read-{run.name}"),
            threading.Thread(target=publish, name=f"publish-{run.name}"),
        ]
        for thread in threads:
            thread.start()
        return threads

    def _wait(self, stop: Event, *, drain: bool, timeout_s: float, on_tick: Callable[[], None]) -> None:
        healthy_at = time.monotonic()
        while not stop.wait(_TICK_S):
            on_tick()
            if all(run.failures for run in self.runs):
                return
            if not drain:
                continue
            if any(run.failures for run in self.runs) or self._is_drained():
                return
            troubles = [f"{run.name}: {run.state()}" for run in self.runs if run.state()]
            if not troubles:
                healthy_at = time.monotonic()
            elif time.monotonic() - healthy_at > timeout_s:
                raise TransientError("; ".join(troubles))

    def _is_drained(self) -> bool:
        if not all(run.drained.is_set() for run in self.runs):
            return False
        names = {run.name for run in self.runs}
        return all(p.confirmed == p.seq for p in self.ledger.progress() if p.name in names)

    def progress(self) -> list[Progress]:
        """How far the configured sources have come."""
        names = {run.name for run in self.runs}
        return [progress for progress in self.ledger.progress() if progress.name in names]

    def close(self) -> None:
        """Release the store."""
        self.ledger.close()


def build(
    settings: Settings,
    *,
    only: Sequence[str] = (),
    transport: Transport | None = None,
    topology: Topology | None = None,
) -> Gateway:
    """Wire a gateway.

    Args:
        settings: the checked configuration.
        only: names of the sources to run; none = all.
        transport: the bus, where it is not to be made from the settings.
        topology: its model, likewise.

    Raises:
        ConfigurationError: every problem of keys, mappings, adapters and store that can be known without connecting.
        TransientError: the store's server is away.
    """
    trust, signer, parts = lint(settings, only=only)
    ledger = Ledger(settings.store, key_hash=trust.key_hash)
    transport = transport or connect(settings.bus)
    topology = topology or topology_of(settings)
    if settings.bus.startswith("embedded:"):  # no operator's account there: the file is this deployment's own
        transport.declare(topology)
    runs = tuple(_source_run(settings, name, made, ledger, transport, topology, signer) for name, made in parts.items())
    return Gateway(ledger, transport, topology, runs)


def lint(settings: Settings, *, only: Sequence[str] = ()) -> tuple[Trust, Signer, dict[str, SourceParts]]:
    """Everything that can be made, and found wrong, without connecting to anything.

    Raises:
        ConfigurationError: every problem of keys, adapters, mappings and rules.
    """
    unknown = [name for name in only if name not in settings.sources]
    if unknown:
        known = ", ".join(settings.sources)
        raise ConfigurationError([f"--source {name}: unknown; known are {known}" for name in unknown])
    problems: list[str] = []
    trust, signer = load_keys(settings, problems)
    parts = {
        name: made
        for name, source in settings.sources.items()
        if (not only or name in only) and (made := _source_parts(name, source, problems)) is not None
    }
    if problems or trust is None or signer is None:
        raise ConfigurationError(problems)
    return trust, signer, parts


def topology_of(settings: Settings) -> Topology:
    """The model that the bus of this deployment must follow."""
    return supervision(feeds=settings.feeds, journal_max_age=settings.journal_max_age)


def load_keys(settings: Settings, problems: list[str]) -> tuple[Trust | None, Signer | None]:
    """The trust file and the signing key; what is wrong with them goes to `problems`."""
    trust: Trust | None = None
    signer: Signer | None = None
    try:
        trust = load_trust(settings.signing.trust)
    except ConfigurationError as error:
        problems += error.problems
    try:
        signer = Signer.load(settings.signing.key)
    except ConfigurationError as error:
        problems += error.problems
    return trust, signer


@dataclass(frozen=True, slots=True)
class SourceParts:
    """What is particular to one source."""

    settings: SourceSettings
    adapter: SourceAdapter
    translator: MappingTranslator
    validator: Validator


def _source_parts(name: str, source: SourceSettings, problems: list[str]) -> SourceParts | None:
    before = len(problems)
    adapter: SourceAdapter | None = None
    translator: MappingTranslator | None = None
    validator: Validator | None = None
    try:
        adapter = registry.create(source.adapter, division=source.division, options=source.options)
    except ConfigurationError as error:
        problems += [f"sources.{name}: {problem}" for problem in error.problems]
    try:
        translator = MappingTranslator.load(source.adapter, directory=source.mappings)
    except ConfigurationError as error:
        problems += error.problems
    try:
        validator = Validator(profile=source.rules)
    except ConfigurationError as error:
        problems += [f"sources.{name}.rules: {problem}" for problem in error.problems]
    if len(problems) > before or adapter is None or translator is None or validator is None:
        return None
    return SourceParts(source, adapter, translator, validator)


def _source_run(  # noqa: PLR0913, PLR0917 - wiring
    settings: Settings,
    name: str,
    parts: SourceParts,
    ledger: Ledger,
    transport: Transport,
    topology: Topology,
    signer: Signer,
) -> SourceRun:
    is_explicit = parts.adapter.is_explicit
    wake = threading.Event()

    def open_ledger() -> SourceLedger:
        return ledger.source(name, group=settings.group, division=parts.settings.division, is_explicit=is_explicit)

    inbound = Inbound(
        parts.adapter,
        open_ledger=open_ledger,
        translator=parts.translator,
        validator=parts.validator,
        notices=NoticeWriter(),
        is_explicit=is_explicit,
        options=InboundOptions(
            poll_s=float(parts.settings.options.get("poll_s", InboundOptions().poll_s)),
            passes_gaps=parts.settings.on_quarantine == "pass",
        ),
        on_append=wake.set,
    )
    package_of = {"auto": 50, "never": 0}.get(str(settings.packages)) or (
        settings.packages if isinstance(settings.packages, int) else 0
    )
    relay = Relay(
        transport,
        topology=topology,
        open_ledger=open_ledger,
        signer=signer,
        options=RelayOptions(package_of=package_of),
        wake=wake,
    )
    return SourceRun(name, inbound, relay)
