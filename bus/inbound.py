"""First half of the path of a record: source → known? → translator → validator → ledger.

One `Inbound` runs one source in one thread. Retry and back-off live here and nowhere below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from bus import clock
from bus.assembly import Assembly, Moment, Parts
from bus.backoff import Backoff
from bus.errors import EndOfSource
from bus.triage import segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from bus.ledger.ledger import SourceLedger
    from bus.message import Batch
    from bus.ports import NoticeWriter, SourceAdapter, Translator, Validator

_log = structlog.get_logger(__name__)

_QUIET_S: Final = 10.0
"""An idle source notes at least this often that it was read, so that `status` can tell idle from dead."""


@dataclass(frozen=True, slots=True)
class InboundOptions:
    """How one source is read.

    Attributes:
        poll_s: pause after a read that gave nothing.
        max_records: records a batch at most.
        passes_gaps: `on_quarantine: pass`: later records of a case with a held one go out, flagged `gap`.
        longest_wait_s: the longest pause between two attempts while a service is away.
    """

    poll_s: float = 2.0
    max_records: int = 1000
    passes_gaps: bool = False
    longest_wait_s: float = 60.0


class Inbound:
    """Reads one source into the ledger until it is told to stop, or the source is drained.

    Args:
        adapter: the source.
        open_ledger: opens the source's part of the ledger; called again after a failure, so that what this process
            believes of the stream is what was committed.
        translator, validator, notices: of this source.
        is_explicit: the source has a version column.
        options: rhythm and policy.
        on_append: called after each commit that put entries into the outbox; wakes the relay.
    """

    def __init__(  # noqa: PLR0913 - the composition root wires a path of six parts
        self,
        adapter: SourceAdapter,
        *,
        open_ledger: Callable[[], SourceLedger],
        translator: Translator,
        validator: Validator,
        notices: NoticeWriter,
        is_explicit: bool,
        options: InboundOptions,
        on_append: Callable[[], None],
    ) -> None:
        self._adapter = adapter
        self._open_ledger = open_ledger
        self._translator = translator
        self._validator = validator
        self._notices = notices
        self._is_explicit = is_explicit
        self._options = options
        self._on_append = on_append
        self._backoff = Backoff("read", longest_wait_s=options.longest_wait_s)

    def run(self, stop: Event, *, drain: bool) -> None:
        """Run until `stop` is set, or until the source is drained.

        Raises:
            ConfigurationError, FatalError: this source cannot go on; everything committed stays.
        """
        try:
            self._backoff.run(lambda: self._session(stop, drain=drain), stop)
        finally:
            self._adapter.close()

    @property
    def last_error(self) -> str | None:
        """What keeps the source from being read, or None."""
        return self._backoff.last_error

    def _session(self, stop: Event, *, drain: bool) -> None:
        """One connection's life: from opening the source to its loss, to `stop`, or to the end of the source."""
        self._adapter.close()
        ledger = self._open_ledger()
        parts = Parts(
            ledger.intake,
            self._translator,
            self._validator,
            self._notices,
            self._is_explicit,
            self._options.passes_gaps,
        )
        self._adapter.open(ledger.index, position=ledger.intake.position, drain=drain)
        noted_at = clock.now()
        while not stop.is_set():
            try:
                batch = self._adapter.read(self._options.max_records)
            except EndOfSource:
                return
            self._backoff.worked()
            is_idle = not batch.records and not batch.vanished
            if is_idle and (clock.now() - noted_at).total_seconds() < _QUIET_S:
                stop.wait(0 if drain else self._options.poll_s)
                continue
            noted_at = clock.now()
            self._take(batch, parts)
            if is_idle:
                stop.wait(0 if drain else self._options.poll_s)

    def _take(self, batch: Batch, parts: Parts) -> None:
        moment = Moment(
            clock.to_text(batch.collected_at), max(batch.collected_at, batch.source_at or batch.collected_at)
        )
        intake = parts.intake
        appended = 0
        for segment in segments(batch.records):
            page = Assembly(parts, moment).page(
                segment.records,
                batch.vanished if segment.is_last else (),
                position=batch.position if segment.is_last else intake.position,
                unassigned=batch.unassigned if segment.is_last else 0,
            )
            appended += len(intake.append(page))
        if appended:
            self._on_append()
        self._adapter.acknowledge(batch.position)
        _log.info("batch", action="append", records=len(batch.records), entries=appended, seq=intake.seq)
