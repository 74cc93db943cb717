"""The composition root: the only place where settings become objects and objects meet."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from adapters import registry
from bus.errors import ConfigurationError
from bus.inbound import Inbound, InboundOptions
from bus.ledger.ledger import Ledger
from bus.ledger.store import check_url
from bus.relay import Relay, RelayOptions
from bus.topology import supervision
from bus.transport import connect
from bus.trust import Signer, load_trust
from mappings.translator import MappingTranslator
from monitor.running import Gateway, SourceRun
from xsd.notice import NoticeWriter
from xsd.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from bus.ledger.ledger import SourceLedger
    from bus.ports import SourceAdapter, Transport
    from bus.topology import Topology
    from bus.transport import ConnectedTransport
    from bus.trust import Trust
    from monitor.places import Places
    from monitor.settings import Settings, SigningSettings, SourceSettings

__all__ = ["Gateway", "SourceRun", "build", "find_problems", "lint", "open_bus", "topology_of"]

_PACKAGE_OF = 50
"""Records a package with `packages: auto`."""

_Made = TypeVar("_Made")


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
    topology = topology or topology_of(settings)
    wiring = _Wiring(settings, ledger, transport or open_bus(settings), topology, signer)
    runs = tuple(wiring.source_run(name, made) for name, made in parts.items())
    return Gateway(ledger, wiring.transport, wiring.topology, runs)


def open_bus(settings: Settings) -> ConnectedTransport:
    """The bus; an embedded one gets its queues here: it has no operator, the file is this deployment's own.

    Raises:
        ConfigurationError: malformed URL.
        TransientError, FatalError: the embedded bus cannot be written.
    """
    transport = connect(settings.bus)
    if not transport.capabilities.has_server:
        transport.declare(topology_of(settings))
    return transport


def lint(settings: Settings, *, only: Sequence[str] = ()) -> tuple[Trust, Signer, dict[str, SourceParts]]:
    """Everything that can be made, and found wrong, without connecting to anything.

    Raises:
        ConfigurationError: every problem of keys, URLs, adapters, mappings and rules.
    """
    unknown = [name for name in only if name not in settings.sources]
    if unknown:
        known = ", ".join(settings.sources)
        raise ConfigurationError([f"--source {name}: unknown; known are {known}" for name in unknown])
    chosen = {name: source for name, source in settings.sources.items() if not only or name in only}
    problems = _url_problems(settings)
    trust, signer = _load_keys(settings.signing, problems)
    problems += _signing_problems(settings, trust, signer)
    parts = _load_sources(chosen, settings.places, problems)
    if problems or trust is None or signer is None:
        raise ConfigurationError(problems)
    return trust, signer, parts


def find_problems(
    settings: Settings | None, sources: Mapping[str, SourceSettings], signing: SigningSettings | None, places: Places
) -> list[str]:
    """What `lint` would find, as far as the file can be used."""
    problems = _url_problems(settings) if settings is not None else []
    if signing is not None:
        keys = _load_keys(signing, problems)
        problems += _signing_problems(settings, *keys) if settings is not None else []
    _load_sources(sources, places, problems)
    return problems


def topology_of(settings: Settings) -> Topology:
    """The model that the bus of this deployment must follow."""
    return supervision(feeds=settings.feeds, journal_max_age=settings.journal_max_age)


def _collect(problems: list[str], work: Callable[[], _Made], describe: Callable[[str], str]) -> _Made | None:
    """Do `work`; what is wrong goes to `problems`."""
    try:
        return work()
    except ConfigurationError as error:
        problems += [describe(problem) for problem in error.problems]
        return None


def _url_problems(settings: Settings) -> list[str]:
    problems: list[str] = []
    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("store", lambda: check_url(settings.store)),
        ("bus", lambda: connect(settings.bus)),
    )
    for key, check in checks:
        _collect(problems, check, partial(_about, settings.places, key))
    return problems


def _about(places: Places, key: str, text: str) -> str:
    return places.problem((key,), text.removeprefix(f"{key}: "))


def _load_keys(signing: SigningSettings, problems: list[str]) -> tuple[Trust | None, Signer | None]:
    """The trust file and the signing key, whose own texts name their files."""
    trust = _collect(problems, lambda: load_trust(signing.trust), str)
    signer = _collect(problems, lambda: Signer.load(signing.key), str)
    return trust, signer


def _signing_problems(settings: Settings, trust: Trust | None, signer: Signer | None) -> list[str]:
    """Streams whose checkpoints nobody would accept from this key."""
    if trust is None or signer is None:
        return []
    streams = [f"{settings.group}/{name}" for name in settings.sources]
    strange = [stream for stream in streams if trust.key_for(stream, epoch=1) != signer.verify_key]
    if not strange:
        return []
    text = (
        f"key: signs as {signer.name} ({signer.id.hex()}), which {settings.signing.trust.name} does not trust for "
        f"{', '.join(strange)}: every verifier would call its checkpoints forged"
    )
    return [settings.places.problem(("signing",), text)]


@dataclass(frozen=True, slots=True)
class SourceParts:
    """What is particular to one source."""

    settings: SourceSettings
    adapter: SourceAdapter
    translator: MappingTranslator
    validator: Validator


def _load_sources(sources: Mapping[str, SourceSettings], places: Places, problems: list[str]) -> dict[str, SourceParts]:
    """The parts of every source; a mapping that several sources share is read, and its problems are named, once."""
    mappings = _load_mappings(sources.values(), problems)
    parts: dict[str, SourceParts] = {}
    for name, source in sources.items():
        at = ("sources", name)
        create = partial(registry.create, source.adapter, division=source.division, options=source.options)
        adapter = _collect(problems, create, partial(places.problem, at))
        validate = partial(Validator, profile=source.rules)
        validator = _collect(problems, validate, partial(places.problem, (*at, "rules")))
        mapping = mappings.get((source.adapter, source.mappings))
        if adapter is not None and validator is not None and mapping is not None:
            translator = MappingTranslator(mapping.platform, plans=mapping.plans)  # each thread has one of its own
            parts[name] = SourceParts(source, adapter, translator, validator)
    return parts


def _load_mappings(
    sources: Iterable[SourceSettings], problems: list[str]
) -> dict[tuple[str, Path | None], MappingTranslator]:
    """(adapter, folder) → its mapping; an adapter that nobody knows has none and is named as such elsewhere."""
    known = registry.names()
    wanted = dict.fromkeys((source.adapter, source.mappings) for source in sources if source.adapter in known)
    loaded = {
        (adapter, folder): _collect(problems, partial(MappingTranslator.load, adapter, directory=folder), str)
        for adapter, folder in wanted
    }
    return {key: mapping for key, mapping in loaded.items() if mapping is not None}


@dataclass(frozen=True, slots=True)
class _Wiring:
    """What all sources share."""

    settings: Settings
    ledger: Ledger
    transport: Transport
    topology: Topology
    signer: Signer

    def source_run(self, name: str, parts: SourceParts) -> SourceRun:
        """One source with its two halves; the first wakes the second."""
        is_explicit = parts.adapter.is_explicit
        wake = threading.Event()

        def open_ledger() -> SourceLedger:
            group, division = self.settings.group, parts.settings.division
            return self.ledger.source(name, group=group, division=division, is_explicit=is_explicit)

        inbound = Inbound(
            parts.adapter,
            open_ledger=open_ledger,
            translator=parts.translator,
            validator=parts.validator,
            notices=NoticeWriter(),
            is_explicit=is_explicit,
            options=_inbound_options(parts.settings),
            on_append=wake.set,
        )
        relay = Relay(
            self.transport,
            topology=self.topology,
            open_ledger=open_ledger,
            signer=self.signer,
            options=RelayOptions(package_of=_package_of(self.settings)),
            wake=wake,
        )
        return SourceRun(name, inbound, relay)


def _inbound_options(source: SourceSettings) -> InboundOptions:
    poll_s = float(source.options.get("poll_s", InboundOptions().poll_s))
    return InboundOptions(poll_s=poll_s, passes_gaps=source.on_quarantine == "pass")


def _package_of(settings: Settings) -> int:
    """Records a package at most; 0: never."""
    match settings.packages:
        case "auto":
            return _PACKAGE_OF
        case "never":
            return 0
        case int(number):
            return number
