"""Values that go into and come out of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.message import EntryType, Record, Translation

KeyState = Literal["out", "quarantined", "parked", "waiting", "stale"]
"""Where the candidate of one version of one key is; `waiting` is parked for want of a parent row."""
HeldState = Literal["quarantined", "parked", "conflict", "discarded", "out"]

NO_PARENT = "no-parent"
BEHIND = "behind"


class Known(NamedTuple):
    """What the ledger keeps of one version of one key.

    Attributes:
        row_digest: of the content that went out (or is held).
        seen_digest: of the content that the source showed last; another one while a conflict stands.
        changed_at: change time that came with it.
        state: where the candidate is.
        seq: its place in the stream when it is `out`, else None.
    """

    ordinal: int
    version: int
    row_digest: bytes
    seen_digest: bytes
    changed_at: str
    state: KeyState
    seq: int | None
    is_vanished: bool


class Draft(NamedTuple):
    """An entry before it has a seq and a head; the fields are those of `Entry`."""

    type: EntryType
    kind: str
    topic: str
    key: str
    application_no: str
    row_digest: bytes
    payload: bytes


class Hold(NamedTuple):
    """A candidate that does not go out now."""

    state: HeldState
    reason: str
    record: Record
    translation: Translation | None


class Release(NamedTuple):
    """A held candidate that moves: to `out` (with the index of its draft) or to another state.

    Attributes:
        hold: what is known of it now, faults and content, where it stays held; None: it goes out.
    """

    held_id: int
    state: HeldState
    reason: str
    draft: int | None
    hold: Hold | None


class KeyChange(NamedTuple):
    """A row of the key table to write: a new one (`ordinal` None) or a known one."""

    ordinal: int | None
    key: str
    version: int
    row_digest: bytes
    seen_digest: bytes
    changed_at: str
    state: KeyState
    draft: int | None
    seq: int | None = None


class Page(NamedTuple):
    """Everything that one batch does to the ledger, in one transaction.

    Attributes:
        position: where the source continues.
        collected_at: RFC 3339 UTC with milliseconds.
        schema_id, mapping_id: for the drafts.
        read, duplicate, stale, out: what the batch adds to the counters; `out` counts records, not notices.
        vanished: ordinals of rows that the source no longer has.
    """

    position: str | None
    collected_at: str
    schema_id: str
    mapping_id: str
    drafts: Sequence[Draft]
    keys: Sequence[KeyChange]
    holds: Sequence[Hold]
    releases: Sequence[Release]
    vanished: Sequence[int]
    read: int
    duplicate: int
    stale: int
    out: int
    unassigned: int


class Equation(NamedTuple):
    """The accounting identity of one source (architecture §3); every field counts candidates."""

    read: int
    published: int
    pending: int
    duplicate: int
    stale: int
    conflict: int
    quarantined: int
    parked: int
    discarded: int

    @property
    def is_balanced(self) -> bool:
        """Whether every candidate that was read rests in exactly one named place."""
        return self.read == sum(self[1:])


class Progress(NamedTuple):
    """How far one source has come."""

    name: str
    stream: str
    epoch: int
    seq: int
    sent: int
    confirmed: int
    read_at: str | None
    confirmed_at: str | None
    unassigned: int
    equation: Equation
