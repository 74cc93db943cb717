"""Second half of the path of a record, and the core's library: channel → verify → idempotent receiver → handler.

The handler's effects, the high-water mark and what was found wrong are one transaction of the handler's own database;
only then is the delivery acknowledged. So a record is handled once, however often it arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from sqlalchemy.exc import OperationalError

from bus.backoff import Backoff
from bus.errors import ExchangeError, FatalError, TransientError
from bus.inbox import Inbox
from bus.topology import CORE
from bus.verify import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from threading import Event

    from sqlalchemy import Connection, Engine

    from bus.envelope import Member
    from bus.findings import Finding
    from bus.inbox import Kept
    from bus.message import Delivery
    from bus.ports import ConsumeChannel, Transport
    from bus.trust import Trust
    from bus.verify import MemberState, Verified

_log = structlog.get_logger(__name__)

_HANDLED: Final = frozenset({"anchored", "chained", "verified"})


class Received(NamedTuple):
    """What a handler gets.

    Attributes:
        member: the entry: its key, kind, payload, place in the stream …
        state: `chained` (follows the entry before it) or `verified` (and a checkpoint has signed the chain);
            `anchored` behind a gap.
    """

    member: Member
    state: MemberState


Handler = Callable[["Connection", Received], None]
"""Does its work on the connection that it is given and does not end its transaction. Raises TransientError, or
SQLAlchemy's OperationalError, when its services are away (everything waits), anything else when this entry cannot be
handled (tried again, then refused)."""


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How a queue is consumed.

    Attributes:
        prefetch: deliveries a batch at most; one transaction and one acknowledgement a batch.
        failures: handler failures after which an entry is refused and its message dead-lettered.
        pause_s: between two tries of one entry, times the number of the try.
        longest_wait_s: the longest pause between two attempts while the broker or the handler's services are away.
        is_whole: streams must begin at number 1; else the first message of each is the anchor.
        start: where to begin in a queue of type stream (`journal`): "first", "last", an aware datetime, or a seq: what
            lies below it in its stream is passed over. None for any other queue. What the inbox knows already is
            not handled again, wherever reading begins.
    """

    prefetch: int = 500
    failures: int = 5
    pause_s: float = 0.2
    longest_wait_s: float = 30.0
    is_whole: bool = True
    start: str | int | datetime | None = None


class Consumer:
    """Consumes a queue that carries whole streams.

    Args:
        transport: the broker.
        trust: whose checkpoints count.
        engine: the handler's own database; the inbox keeps three tables in it.
        handle: see `Handler`.
        queue: its name.
        options: rhythm and limits.
        on_finding: called after the commit for everything that is wrong with a stream.
    """

    def __init__(  # noqa: PLR0913 - what a consumer is made of
        self,
        transport: Transport,
        *,
        trust: Trust,
        engine: Engine,
        handle: Handler,
        queue: str = CORE,
        options: ConsumerOptions | None = None,
        on_finding: Callable[[Finding], None] | None = None,
    ) -> None:
        self._transport = transport
        self._trust = trust
        self._inbox = Inbox(engine)
        self._engine = engine
        self._handle = handle
        self._queue = queue
        self._options = options or ConsumerOptions()
        self._on_finding = on_finding or _log_finding
        self._backoff = Backoff("consume", longest_wait_s=self._options.longest_wait_s)
        self.handled = 0

    def run(self, stop: Event) -> None:
        """Consume until `stop` is set.

        Raises:
            FatalError: the streams cannot be followed any further; messages stay in the queue.
        """
        self._backoff.run(lambda: self._session(stop), stop)

    @property
    def last_error(self) -> str | None:
        """What keeps the queue from being consumed, or None."""
        return self._backoff.last_error

    def _session(self, stop: Event) -> None:
        try:
            self._consume(stop)
        except OperationalError as error:  # the core's own database is away or locked: no entry is to blame
            raise TransientError(f"the core's database: {error.orig}") from error

    def _consume(self, stop: Event) -> None:
        start = self._options.start
        where = "first" if isinstance(start, int) else start
        channel = self._transport.consumer(self._queue, prefetch=self._options.prefetch, start=where)
        try:
            self._begin_again()
            while not stop.is_set():
                deliveries = channel.receive(self._options.prefetch, timeout_s=0.2)
                self._take(channel, deliveries, stop)
                self._backoff.worked()
        finally:
            channel.close()

    def _begin_again(self) -> None:
        """Believe of the streams what was committed, and nothing else."""
        self._kept = self._inbox.kept()
        self._verifier = self._made_of(self._kept.values())

    def _made_of(self, kept: Iterable[Kept]) -> Verifier:
        return Verifier(self._trust, states=[each.state for each in kept], is_whole=self._options.is_whole)

    def _take(self, channel: ConsumeChannel, deliveries: Sequence[Delivery], stop: Event) -> None:
        """Fresh deliveries in one transaction; what came before, or fails so, one by one."""
        if not deliveries:
            return
        if not any(delivery.redelivered for delivery in deliveries):
            bad = self._try_all(deliveries)
            if bad is not None:
                self._settle(channel, deliveries, bad)
                return
        for delivery in deliveries:
            if stop.is_set():
                return
            self._settle(channel, [delivery], self._handle_alone(delivery, stop))

    def _try_all(self, deliveries: Sequence[Delivery]) -> list[bool] | None:
        """`_handle_all`, or None when the handler failed: then nothing of the batch was done."""
        try:
            return self._handle_all(deliveries)
        except (ExchangeError, OperationalError):
            raise
        except Exception as error:  # noqa: BLE001 - the handler's code: tried again entry by entry
            _log.warning("batch failed", action="handle", error=str(error), messages=len(deliveries))
            self._begin_again()
            return None

    def _handle_all(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Handle in one transaction; for each delivery whether it is to be dead-lettered."""
        verifier, handle = self._verifier, self._handle
        found: list[Finding] = []
        bad: list[bool] = []
        handled = 0
        with self._engine.begin() as connection:
            for delivery in deliveries:
                if self._is_before_start(delivery):
                    bad.append(False)
                    continue
                verified = verifier.feed(delivery.message)
                found += verified.findings
                for member, state in zip(verified.members, verified.states, strict=True):
                    if state in _HANDLED:
                        handle(connection, Received(member, state))
                        _raise_if_ended(connection)
                        handled += 1
                bad.append(_is_bad(verified))
            self._kept = self._inbox.save(connection, verifier.states(), self._kept)
            self._inbox.note(connection, found)
        self._after_commit(handled, found)
        return bad

    def _is_before_start(self, delivery: Delivery) -> bool:
        start = self._options.start
        if not isinstance(start, int):
            return False
        headers = delivery.message.headers
        seq, count = headers.get("x-seq", start), headers.get("x-count", 1)
        return type(seq) is int and type(count) is int and seq + count <= start

    def _after_commit(self, handled: int, found: Sequence[Finding]) -> None:
        self.handled += handled
        for finding in found:
            self._on_finding(finding)

    def _settle(self, channel: ConsumeChannel, deliveries: Sequence[Delivery], bad: Sequence[bool]) -> None:
        """Acknowledge, in order; dead-letter what is bad (nothing can be taken out of a stream: there it stays)."""
        if self._options.start is not None:
            channel.ack(deliveries[-1].tag)
            return
        good: int | None = None
        for delivery, is_bad in zip(deliveries, bad, strict=True):
            if not is_bad:
                good = delivery.tag
                continue
            if good is not None:
                channel.ack(good)
                good = None
            channel.reject(delivery.tag)
        if good is not None:
            channel.ack(good)

    def _handle_alone(self, delivery: Delivery, stop: Event) -> list[bool]:
        """Try one message until it is handled or the entries that fail are refused."""
        if self._is_before_start(delivery):
            return [False]
        refused: set[int] = set()
        if delivery.redelivered:
            refused |= self._deadly(delivery)
        while True:
            current: list[Member] = []
            try:
                return [self._handle_once(delivery, refused, current)]
            except (ExchangeError, OperationalError):
                raise
            except Exception as error:
                self._begin_again()
                if not current:
                    raise
                member = current[-1]
                reason = f"{type(error).__name__}: {error}"
                count = self._inbox.count((member.stream, member.epoch, member.seq), reason)
                _log.warning("handler failed", action="handle", entry=member.message_id, count=count, error=reason)
                if count >= self._options.failures:
                    refused.add(member.seq)
                elif stop.wait(self._options.pause_s * count):
                    raise TransientError("stopped while an entry was failing") from error

    def _deadly(self, delivery: Delivery) -> set[int]:
        """Count a delivery that came before as a try of each new entry: one that kills its consumer is refused too."""
        verified = self._made_of(self._inbox.kept().values()).feed(delivery.message, is_redelivered=True)
        new = [m for m, state in zip(verified.members, verified.states, strict=True) if state in _HANDLED]
        if not new:
            return set()
        first = new[0]
        count = self._inbox.count((first.stream, first.epoch, first.seq), "its consumer ended while it was handled")
        return {m.seq for m in new} if count > self._options.failures else set()

    def _handle_once(self, delivery: Delivery, refused: set[int], current: list[Member]) -> bool:
        """One transaction for one message; True when it is to be dead-lettered."""
        handled = 0
        with self._engine.begin() as connection:
            verified = self._verifier.feed(delivery.message, is_redelivered=delivery.redelivered)
            for member, state in zip(verified.members, verified.states, strict=True):
                place = (member.stream, member.epoch, member.seq)
                if state not in _HANDLED:
                    continue
                if member.seq in refused:
                    self._inbox.refuse(connection, place)
                    continue
                current.append(member)
                self._handle(connection, Received(member, state))
                _raise_if_ended(connection)
                self._inbox.forget(connection, place)
                handled += 1
            self._kept = self._inbox.save(connection, self._verifier.states(), self._kept)
            self._inbox.note(connection, verified.findings)
        self._after_commit(handled, verified.findings)
        return bool(refused) or _is_bad(verified) or self._was_refused(delivery, verified)

    def _was_refused(self, delivery: Delivery, verified: Verified) -> bool:
        """A refused message whose consumer ended before it could dead-letter it."""
        if not delivery.redelivered or not verified.members or "duplicate" not in verified.states:
            return False
        first, last = verified.members[0], verified.members[-1]
        return bool(self._inbox.refused(first.stream, first.epoch, first=first.seq, last=last.seq))


def _raise_if_ended(connection: Connection) -> None:
    """A handler that commits by itself would do again whatever the library rolls back or repeats."""
    if not connection.in_transaction():
        raise FatalError("the handler has committed or rolled back the transaction that it was given: it must not")


def _is_bad(verified: Verified) -> bool:
    """Altered, forged, or not opening at all: never to be handled, kept as a dead letter."""
    return "refused" in verified.states or (not verified.members and bool(verified.findings))


def _log_finding(finding: Finding) -> None:
    _log.error("finding", action="verify", **finding._asdict())
