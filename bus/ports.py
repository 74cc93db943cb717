"""The ports of the kernel. One suite a port under `tests/contracts/` tests every implementation of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bus.message import Batch, Delivery, Message, Record, Translation
    from bus.topology import Topology


class Seen(NamedTuple):
    """What the ledger knows of one row of the source.

    Attributes:
        ordinal: small integer, one a row key, counted from 1 without large holes: an index for bitmaps.
        version: of the row; where the source has none, the number of contents counted so far.
        changed_at: the change time that came with it ("" = read it again).
        is_vanished: it was reported as no longer in the source.
    """

    ordinal: int
    version: int
    changed_at: str
    is_vanished: bool


class KeyIndex(Protocol):
    """The ledger's key table as one source may see it: the seen-set of thin queries and sweeps. Reads only.

    It speaks of row keys (`Record.row_key`): version 1 and version 2 of one business key are two rows of a table with
    a version column, and a window that is read again meets both.
    """

    def seen(self, row_keys: Sequence[str]) -> Mapping[str, Seen]:
        """Those of `row_keys` that the ledger knows."""
        ...

    def parked(self, reason: str) -> Sequence[Record]:
        """Records parked for `reason`, oldest first; `content` as it was when they were parked."""
        ...

    def ordinals(self, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """(ordinal, row key) in rising order from `after` (exclusive), at most `limit`; vanished ones left out."""
        ...


class SourceAdapter(ABC):
    """A Polling Consumer on one platform: reads, remembers nothing, acknowledges after the ledger's commit.

    The runtime calls `open` once, then `read` and `acknowledge` in turn from one thread, then `close`; after a
    `TransientError` it calls `close`, waits, and calls `open` with the last committed position. An adapter does not
    sleep, retry, log payloads or catch `Exception`.

    Attributes:
        is_explicit: the source has a version column (`versioning: explicit`); else the ledger counts contents.
    """

    is_explicit: bool = True

    @abstractmethod
    def open(self, keys: KeyIndex, *, position: str | None, drain: bool) -> None:
        """Connect and continue after `position` (None: from the beginning).

        Args:
            keys: what the ledger knows of this source.
            position: `Batch.position` of the last batch that was committed.
            drain: hand on what was committed before now, sweep the keys once, then raise EndOfSource.

        Raises:
            TransientError: not reachable now.
            ConfigurationError: table or column missing, no right to read.
        """

    @abstractmethod
    def read(self, max_records: int) -> Batch:
        """At most `max_records` records in the order of capture; an empty batch when nothing is new.

        Raises:
            TransientError: connection lost; nothing of this call was handed on.
            EndOfSource: see `open`.
        """

    @abstractmethod
    def acknowledge(self, position: str) -> None:
        """The batch with `position` is durable in the ledger."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; may be called twice."""


class SinkAdapter(ABC):
    """Delivers results to one platform, at least once."""

    @abstractmethod
    def open(self) -> None:
        """Connect. Raises TransientError or ConfigurationError."""

    @abstractmethod
    def write(self, messages: Sequence[Message]) -> None:
        """Deliver all; returns only when the platform has them durably.

        Raises:
            BatchError: some failed, named by index.
            TransientError: none is known to have arrived.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything; may be called twice."""


class Translator(Protocol):
    """Message Translator: native records → unified records, by a plan made at start."""

    id: str
    """Names the exact mapping: `<platform>/<hex of the digest of its documents>`."""

    def translate(self, records: Sequence[Record]) -> list[Translation]:
        """One translation a record, in order; what cannot be translated has a `reject` fault and no payload.

        `dataVersion` is taken from `record.version` (the ledger has filled it), everything else from `content`.
        Never raises for a record's content.
        """
        ...


class Validator(Protocol):
    """The unified schema's word on unified records."""

    id: str
    """Names the exact schema: its namespace and version, the `dataschema` of the message."""

    def validate(
        self, translations: Sequence[Translation], *, now: datetime, order_gaps: frozenset[int] = frozenset()
    ) -> list[Translation]:
        """Rules of one record, then XSD; same order, same length, rejected ones passed through.

        Args:
            translations: from the translator.
            now: the later of our and the source's clock.
            order_gaps: indexes whose record overtakes a held one of its case (`on_quarantine: pass`); flagged `gap`.

        Returns:
            Translations whose `faults` hold everything found and whose `payload` is final: flags are written into
            `quality`; a rejected one keeps its payload for the quarantine.
        """
        ...


Difference = tuple[str, str, str]
"""(element name, text before, text after); an absent element is ""."""


class NoticeWriter(Protocol):
    """Writes notices of the unified schema (root `notice`)."""

    def differences(self, before: bytes, after: Mapping[str, str]) -> list[Difference]:
        """Field by field: the published record against the fields of a new translation, `dataVersion` left out."""
        ...

    def write(
        self, kind: str, *, key: str, application_no: str, version: int, detected_at: str, fields: Sequence[Difference]
    ) -> bytes:
        """The body of a notice.

        Args:
            kind: conflict, changed or vanished.
            key: business key of the record it is about.
            application_no: its case.
            version: dataVersion of the record it is about.
            detected_at: RFC 3339.
            fields: what differs.
        """
        ...


class PublishChannel(Protocol):
    """Publishing with pipelined confirms: persistent, mandatory, confirmed, always."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Hand all to the broker, in order, without waiting for confirms.

        Raises:
            TransientError: connection lost or blocked: everything not yet counted by `confirmed` is UNKNOWN.
            FatalError: a message before these was returned, or one of these cannot be carried.
        """
        ...

    def confirmed(self, *, timeout_s: float) -> int:
        """How many messages, counted from the first on this channel without a hole, are confirmed.

        Waits up to `timeout_s` for the number to rise; 0 returns at once.

        Raises:
            TransientError: nack, time-out of the connection, connection lost.
            FatalError: a message was returned (no queue bound): a topology fault.
        """
        ...

    def close(self) -> None:
        """Close the channel and its connection; may be called twice."""
        ...


class ConsumeChannel(Protocol):
    """Consuming with batched acknowledgements."""

    def receive(self, max_messages: int, *, timeout_s: float) -> list[Delivery]:
        """What has arrived, at most `max_messages`, waiting up to `timeout_s` for the first.

        Raises:
            TransientError: connection lost; everything not acknowledged is delivered again.
        """
        ...

    def ack(self, tag: int) -> None:
        """Acknowledge every delivery up to and including `tag`. A queue of type stream: gives credit only."""
        ...

    def reject(self, tag: int) -> None:
        """Dead-letter this one delivery: it is copied, at least once, to the queue's dead-letter exchange and removed.

        Raises:
            FatalError: the queue is of type stream; nothing can be taken out of it.
        """
        ...

    def close(self) -> None:
        """Close; what was not acknowledged goes back to the queue in its place. May be called twice."""
        ...


class Transport(Protocol):
    """A broker reached by one URL."""

    def declare(self, topology: Topology) -> None:
        """Create what is missing. Raises FatalError when something exists with other arguments."""
        ...

    def differences(self, topology: Topology) -> list[str]:
        """How the broker differs from the model, one text a difference; [] = equal. Changes nothing."""
        ...

    def publisher(self) -> PublishChannel:
        """A channel of its own connection. Raises TransientError when the broker is away."""
        ...

    def consumer(self, queue: str, *, prefetch: int, start: int | datetime | str | None = None) -> ConsumeChannel:
        """Consume `queue` on a connection of its own.

        Args:
            queue: its name.
            prefetch: unacknowledged deliveries allowed.
            start: for a queue of type stream: "first", "last", "next", an offset or an aware datetime; None otherwise.
        """
        ...
