"""What becomes of each candidate, decided from what the ledger knows of its key, before any translation.

The rules are architecture §3 "Identity"; every decision here is a pure function of a record and what is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bus.ledger.values import Known
    from bus.message import Record

Verb = Literal["nothing", "settle", "duplicate", "stale", "fresh", "conflict", "returned", "reappeared"]


class Decision(NamedTuple):
    """What to do with one record.

    Attributes:
        verb: `nothing`: known, not counted. `settle`: known, only its change time is noted. `duplicate`, `stale`:
            counted, end here. `fresh`: translate it; it goes out unless something holds it. `conflict`: same version,
            other content than went out. `returned`: what went out stands at the source again after a conflict.
            `reappeared`: a row that had vanished is back with the same content.
        record: with its version filled in.
        known: the same version of the key as the ledger has it, or None.
        former: for `observed` sources, the version before this one, or None.
    """

    verb: Verb
    record: Record
    known: Known | None
    former: Known | None = None


def decide_explicit(record: Record, versions: Mapping[int, Known] | None) -> Decision:
    """For a source with a version column (`record.version` is set)."""
    assert record.version is not None
    if not versions:
        return Decision("fresh", record, None)
    known = versions.get(record.version)
    if known is None:
        return Decision("stale" if record.version < max(versions) else "fresh", record, None)
    if known.state == "waiting":
        return Decision("nothing" if record.park else "fresh", record, known)
    if record.digest == known.seen_digest:
        return Decision(_same(record, known), record, known)
    if known.state == "stale":
        return Decision("stale", record, known)
    if known.state != "out":
        return Decision("fresh", record, known)
    return Decision("returned" if record.digest == known.row_digest else "conflict", record, known)


def decide_observed(record: Record, versions: Mapping[int, Known] | None) -> Decision:
    """For a source without one: the ledger counts distinct contents."""
    if not versions:
        return Decision("fresh", record._replace(version=1), None)
    latest = versions[max(versions)]
    same_version = record._replace(version=latest.version)
    if latest.state == "waiting":
        return Decision("nothing" if record.park else "fresh", same_version, latest)
    if record.digest == latest.seen_digest:
        return Decision(_same(record, latest), same_version, latest)
    return Decision("fresh", record._replace(version=latest.version + 1), None, latest)


def _same(record: Record, known: Known) -> Verb:
    """The content that the ledger saw last is handed on again."""
    if known.is_vanished:
        return "reappeared"
    if record.changed_at == known.changed_at:
        return "nothing"
    return "settle" if known.changed_at == "" else "duplicate"


class Segment(NamedTuple):
    """Records of one batch of which no two are the same row, so that one look-up and one transaction serve them all."""

    records: tuple[Record, ...]
    is_last: bool


def segments(records: Iterable[Record]) -> Iterator[Segment]:
    """Cut a batch where a row comes a second time; nearly always one segment."""
    part: list[Record] = []
    names: set[str] = set()
    for record in records:
        if record.row_key in names:
            yield Segment(tuple(part), is_last=False)
            part, names = [], set()
        part.append(record)
        names.add(record.row_key)
    yield Segment(tuple(part), is_last=True)
