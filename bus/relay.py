"""Middle of the path of a record: ledger → channel, with pipelined confirms, by go-back-N.

One `Relay` publishes one stream from one thread. After a nack, a return, a time-out or a lost connection it starts
again at the lowest unconfirmed seq with the same bytes; the receiver drops what it has by (stream, epoch, seq).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from bus import clock
from bus.backoff import Backoff
from bus.envelope import Wrapper, mark_resent
from bus.errors import FatalError, TransientError
from bus.grouping import pack, portions, regroup
from bus.seal import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from bus.ledger.ledger import SourceLedger
    from bus.message import Entry, Message
    from bus.ports import PublishChannel, Transport
    from bus.topology import Topology
    from bus.trust import Signer

CHECKPOINT_EVERY: Final = 256
"""Entries at most under one checkpoint (architecture §3 "Chain")."""

HEARTBEAT_S: Final = 60.0
"""An idle stream repeats its checkpoint, so that a cut-off tail does not look like silence."""

COMPARE_S: Final = 10.0
"""How often queues and bindings are compared with the model while publishing."""

_LAST_CONFIRMS_S: Final = 5.0

WINDOW: Final = 1024
"""Nothing more is taken from the ledger while so many messages are unconfirmed."""

TAKE: Final = 1024
"""Entries taken from the ledger at once: one commit says of all of them that they may have been tried."""

NOTE_ENTRIES: Final = 1024
NOTE_S: Final = 0.05
"""Confirms are noted in the ledger when nothing is under way, after so many entries, or after this time. What was not
noted when the process ends is sent again, marked, and dropped by the receiver."""


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """How one stream is published.

    Attributes:
        package_of: records a package at most; 0: never packages.
        package_from: as many must wait before packages are made.
        idle_s: longest sleep when nothing waits; the inbound side wakes the relay earlier.
        longest_wait_s: the longest pause between two attempts while the broker is away.
        patience_s: an unconfirmed message is given up, and sent again, after this time without progress.
    """

    package_of: int = 50
    package_from: int = 10
    idle_s: float = 1.0
    longest_wait_s: float = 30.0
    patience_s: float = 30.0


class _Sent(NamedTuple):
    """Messages under one checkpoint that are not all confirmed yet.

    Attributes:
        before: messages published on this channel before them.
        seqs: the last seq of each.
        records: records published on this channel up to each.
    """

    before: int
    seqs: list[int]
    records: list[int]


class Relay:
    """Publishes one stream until it is told to stop.

    Args:
        transport: the broker.
        topology: what must be there; compared at start, on reconnect and every 10 s.
        open_ledger: opens the source's part of the ledger.
        signer: signs checkpoints.
        options: rhythm and packages.
        wake: set by the inbound side when there is something to publish.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        topology: Topology,
        open_ledger: Callable[[], SourceLedger],
        signer: Signer,
        options: RelayOptions,
        wake: Event,
    ) -> None:
        self._transport = transport
        self._topology = topology
        self._open_ledger = open_ledger
        self.signer = signer
        self.options = options
        self.wake = wake
        self._backoff = Backoff("publish", longest_wait_s=options.longest_wait_s)

    def run(self, stop: Event) -> None:
        """Run until `stop` is set.

        Raises:
            FatalError: another gateway publishes this stream, or the ledger is damaged.
        """
        self._backoff.run(lambda: self._session(stop), stop)

    @property
    def last_error(self) -> str | None:
        """What keeps the stream from being published, or None."""
        return self._backoff.last_error

    def compare(self) -> None:
        """Compare the broker with the model; raises TransientError, naming every difference."""
        differences = self._transport.differences(self._topology)
        if differences:
            raise TransientError(
                "the broker differs from the model and publishing has stopped: "
                + "; ".join(differences)
                + "; run `gateway topology apply` with the operator's account",
                retry_after_s=COMPARE_S,
            )

    def _session(self, stop: Event) -> None:
        """One connection's life."""
        self.compare()
        channel = self._transport.publisher()
        try:
            _Session(self._open_ledger(), channel, self).pump(stop)
        finally:
            channel.close()

    def note_progress(self) -> None:
        """The broker has confirmed something, so it is there."""
        self._backoff.worked()


class _Session:
    """Go-back-N over one channel."""

    def __init__(self, ledger: SourceLedger, channel: PublishChannel, relay: Relay) -> None:
        self._outbox = ledger.outbox
        self._wrapper = Wrapper(ledger.stream)
        self._stream = ledger.stream
        self._channel = channel
        self._relay = relay
        progress = self._outbox.progress()
        self._sent, self._confirmed = progress.sent, progress.confirmed
        self._cursor = self._confirmed
        self._resent_to = self._sent
        self._tried = self._outbox.packages(after=self._confirmed)
        self._published = self._counted = 0  # messages of this channel: handed over, confirmed
        self._records = self._records_confirmed = self._records_noted = 0  # the same for records
        self._noted = self._confirmed  # as the ledger has it
        self._unconfirmed: deque[_Sent] = deque()
        self._checkpoint_at = self._noted_at = 0.0
        self._compared_at = self._moved_at = time.monotonic()

    def pump(self, stop: Event) -> None:
        """Publish what waits, collect confirms, repeat; on `stop` wait a moment for what is under way."""
        try:
            self._pump(stop)
        except TransientError:
            if self._confirmed > self._noted:
                self._write_down()
            raise

    def _pump(self, stop: Event) -> None:
        wake, idle_s = self._relay.wake, self._relay.options.idle_s
        while not stop.is_set():
            wake.clear()
            has_sent = self._send()
            self._collect(timeout_s=0.0 if has_sent or not self._unconfirmed else 0.02)
            self._keep_alive()
            if not has_sent and not self._unconfirmed:
                wake.wait(idle_s)
        deadline = time.monotonic() + _LAST_CONFIRMS_S
        while self._unconfirmed and time.monotonic() < deadline:
            self._collect(timeout_s=0.1)

    def _send(self) -> bool:
        """Publish what waits, with its checkpoints; False when nothing waits or the window is full."""
        if self._published - self._counted >= WINDOW:
            return False
        groups = self._groups(self._outbox.entries(after=self._cursor, limit=TAKE))
        if not groups:
            return False
        last = groups[-1][-1].seq
        if last > self._sent:
            fresh = [(g[0].seq, len(g)) for g in groups if len(g) > 1 and g[0].seq > self._sent]
            self._outbox.mark_sent(last, former=self._sent, packages=fresh)
            self._sent = last
        for portion in portions(groups, CHECKPOINT_EVERY):
            messages = [self._message(group) for group in portion]
            end = portion[-1][-1]
            messages.append(self._checkpoint(end.seq, end.head))
            self._cursor = end.seq
            counts = [sum([entry.type == "record" for entry in group]) for group in portion]
            self._note([group[-1].seq for group in portion], counts)
            self._publish(messages)
        return True

    def _groups(self, batch: Sequence[Entry]) -> list[Sequence[Entry]]:
        """Entries as they travel: what was tried goes as it was tried, the rest by the options."""
        options = self._relay.options
        split = next((i for i, entry in enumerate(batch) if entry.seq > self._resent_to), len(batch))
        groups = regroup(batch[:split], self._tried)
        fresh = batch[split:]
        if options.package_of > 1 and len(fresh) >= options.package_from:
            return groups + pack(fresh, min(options.package_of, CHECKPOINT_EVERY))
        return groups + [(entry,) for entry in fresh]

    def _message(self, group: Sequence[Entry]) -> Message:
        message = self._wrapper.wrap(group[0]) if len(group) == 1 else self._wrapper.wrap_package(group)
        return mark_resent(message) if group[0].seq <= self._resent_to else message

    def _checkpoint(self, seq: int, head: bytes) -> Message:
        self._checkpoint_at = time.monotonic()
        note = checkpoint(self._stream.name, self._stream.epoch, seq, head, self._relay.signer)
        return self._wrapper.wrap_checkpoint(note)

    def _note(self, seqs: list[int], counts: Sequence[int]) -> None:
        """Messages and, after them, their checkpoint are under way."""
        records = [*accumulate(counts, initial=self._records)][1:]
        self._records = records[-1] if records else self._records
        sent = _Sent(self._published, [*seqs, self._cursor], [*records, self._records])
        self._published += len(sent.seqs)
        self._unconfirmed.append(sent)

    def _collect(self, *, timeout_s: float) -> None:
        """Count what the broker has confirmed, in the ledger too; an idle connection is kept alive by it as well."""
        try:
            count = self._channel.confirmed(timeout_s=timeout_s)
        except FatalError as error:  # as in `_publish`
            raise TransientError(str(error), retry_after_s=COMPARE_S) from error
        if count > self._counted:
            self._counted, self._moved_at = count, time.monotonic()
            self._advance()
            self._relay.note_progress()
        if self._is_to_be_noted():
            self._write_down()
        if self._unconfirmed and time.monotonic() - self._moved_at > self._relay.options.patience_s:
            raise TransientError(
                f"no confirm for {self._relay.options.patience_s:.0f} s; everything after seq "
                f"{self._confirmed} of {self._stream.name} is unknown and is sent again"
            )

    def _advance(self) -> None:
        """Up to which seq everything is confirmed."""
        while self._unconfirmed:
            sent = self._unconfirmed[0]
            done = min(self._counted - sent.before, len(sent.seqs))
            if done > 0:
                self._confirmed, self._records_confirmed = sent.seqs[done - 1], sent.records[done - 1]
            if done < len(sent.seqs):
                return
            self._unconfirmed.popleft()

    def _is_to_be_noted(self) -> bool:
        entries = self._confirmed - self._noted
        if not entries:
            return False
        return not self._unconfirmed or entries >= NOTE_ENTRIES or time.monotonic() - self._noted_at >= NOTE_S

    def _write_down(self) -> None:
        """Tell the ledger what is confirmed."""
        records = self._records_confirmed - self._records_noted
        self._outbox.mark_confirmed(self._confirmed, former=self._noted, records=records, at=clock.to_text(clock.now()))
        self._noted, self._records_noted = self._confirmed, self._records_confirmed
        self._noted_at = time.monotonic()

    def _keep_alive(self) -> None:
        """Repeat the checkpoint of an idle stream; compare the topology."""
        now = time.monotonic()
        if now - self._compared_at >= COMPARE_S:
            self._relay.compare()
            self._compared_at = now
        if self._cursor and now - self._checkpoint_at >= HEARTBEAT_S:
            self._note([], [])
            self._publish([self._checkpoint(self._cursor, self._outbox.head(self._cursor))])

    def _publish(self, messages: Sequence[Message]) -> None:
        """A return is a fault of the topology, not of a message: the stream stops until it is mended, and says so."""
        try:
            self._channel.publish(messages)
        except FatalError as error:
            raise TransientError(str(error), retry_after_s=COMPARE_S) from error
