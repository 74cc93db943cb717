"""Inbound side of the ledger: what is known of a page's keys, and the one transaction that takes the page in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from bus.errors import FatalError
from bus.ledger.content import dump_content, dump_faults
from bus.ledger.handover import Handover
from bus.ledger.schema import entries, held, keys, sources
from bus.ledger.store import Statement, in_lists
from bus.ledger.values import BEHIND, NO_PARENT, Known
from bus.message import Entry
from bus.seal import Leaf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

    from bus.ledger.store import Store
    from bus.ledger.values import Draft, Hold, Page
    from bus.seal import Sealer

_KNOWN = (
    keys.c.key,
    keys.c.ordinal,
    keys.c.version,
    keys.c.row_digest,
    keys.c.seen_digest,
    keys.c.changed_at,
    keys.c.state,
    keys.c.seq,
    keys.c.vanished,
)


class Intake:
    """Takes pages of one source into the ledger; used by one thread.

    Args:
        store: the ledger's database.
        row: of this source.
        sealer: of its epoch.
        handover: where the relay of this process finds what was appended.

    Attributes:
        seq, head: the end of the stream as this writer knows it; the transaction checks that nobody moved it.
    """

    def __init__(self, store: Store, row: RowMapping, sealer: Sealer, handover: Handover | None = None) -> None:
        self._store = store
        self._handover = handover or Handover()
        self._source_id: int = row["id"]
        self._sealer = sealer
        self.position: str | None = row["position"]
        self.epoch: int = row["epoch"]
        self.seq: int = row["seq"]
        self.head: bytes = row["head"]
        source_id = self._source_id
        self._insert_entries = Statement(store.engine, insert(entries).values(_parameters(entries.c, skip={"id"})))
        self._insert_keys = Statement(store.engine, insert(keys).values(_parameters(keys.c, skip={"ordinal"})))
        self._insert_held = Statement(store.engine, insert(held).values(_parameters(held.c, skip={"id"})))
        self._known = select(*_KNOWN).where(
            keys.c.source_id == source_id, keys.c.key.in_(bindparam("some", expanding=True))
        )

    def known(self, some: Iterable[str]) -> dict[str, dict[int, Known]]:
        """Business key → version → what the ledger keeps, for those of `some` that it knows."""
        found: dict[str, dict[int, Known]] = {}
        wanted = list(dict.fromkeys(some))
        with self._store.read() as connection:
            for part in in_lists(wanted):
                for row in connection.execute(self._known, {"some": part}):
                    key, ordinal, version, row_digest, seen_digest, changed_at, state, seq, vanished = row
                    found.setdefault(key, {})[version] = Known(
                        ordinal, version, row_digest, seen_digest, changed_at, state, seq, bool(vanished)
                    )
        return found

    def blocked_cases(self, application_nos: Iterable[str]) -> set[str]:
        """Those cases of which a record is quarantined, or parked behind one: their later records have to wait."""
        wanted = list(dict.fromkeys(application_nos))
        blocking = (held.c.state == "quarantined") | ((held.c.state == "parked") & (held.c.reason == BEHIND))
        query = select(held.c.application_no).where(held.c.source_id == self._source_id, blocking).distinct()
        with self._store.read() as connection:
            return {
                case
                for part in in_lists(wanted)
                for case in connection.scalars(query.where(held.c.application_no.in_(part)))
            }

    def waiting(self, key: str, version: int | None) -> int | None:
        """Id of the held row of this candidate that waits for its parent, or None."""
        query = select(held.c.id).where(
            held.c.source_id == self._source_id,
            held.c.key == key,
            held.c.version == version,
            held.c.state == "parked",
            held.c.reason == NO_PARENT,
        )
        with self._store.read() as connection:
            return connection.scalar(query)

    def is_known_conflict(self, key: str, version: int, digest: bytes) -> bool:
        """Whether this content is already kept as a conflict of that version."""
        query = select(held.c.id).where(
            held.c.source_id == self._source_id,
            held.c.key == key,
            held.c.version == version,
            held.c.row_digest == digest,
            held.c.state == "conflict",
        )
        with self._store.read() as connection:
            return connection.scalar(query) is not None

    def payload(self, seq: int) -> bytes:
        """The body that went out under `seq` of this epoch."""
        query = select(entries.c.payload).where(
            entries.c.source_id == self._source_id, entries.c.epoch == self.epoch, entries.c.seq == seq
        )
        with self._store.read() as connection:
            found = connection.scalar(query)
        if found is None:
            raise FatalError(f"the ledger has no entry {seq} of source {self._source_id}: run `gateway ledger check`")
        return bytes(found)

    def append(self, page: Page) -> list[Entry]:
        """Take one page in: seq, leaf, head, outbox, keys, held records, counters and position in ONE transaction.

        Raises:
            TransientError: the store did not answer; nothing of the page was taken in.
            FatalError: another writer has moved this stream.
        """
        sealed = self._seal(page)
        head = sealed[-1].head if sealed else self.head
        first = self.seq + 1
        with self._store.write() as connection:
            self._move(connection, page, seq=self.seq + len(sealed), head=head)
            self._insert_entries.run(connection, [(self._source_id, self.epoch, *entry) for entry in sealed])
            self._write_keys(connection, page, first)
            self._insert_held.run(connection, [self._held_row(hold, page) for hold in page.holds])
            self._release(connection, page, first)
        self.position, self.seq, self.head = page.position, self.seq + len(sealed), head
        self._handover.put(sealed)
        return sealed

    def _seal(self, page: Page) -> list[Entry]:
        drafts = page.drafts
        digests = [hashlib.sha256(draft.payload).digest() for draft in drafts]
        heads = self._sealer.seal(self.head, self.seq + 1, _leaves(drafts, digests, page))
        return [
            Entry(
                seq,
                draft.type,
                draft.kind,
                draft.topic,
                draft.key,
                draft.application_no,
                draft.row_digest,
                digest,
                draft.payload,
                page.collected_at,
                page.schema_id,
                page.mapping_id,
                head,
            )
            for seq, (draft, digest, head) in enumerate(zip(drafts, digests, heads, strict=True), self.seq + 1)
        ]

    def _move(self, connection: Connection, page: Page, *, seq: int, head: bytes) -> None:
        c = sources.c
        moved = connection.execute(
            update(sources)
            .where(c.id == self._source_id, c.epoch == self.epoch, c.seq == self.seq, c.head == self.head)
            .values(
                position=page.position,
                seq=seq,
                head=head,
                read=c.read + page.read,
                duplicate=c.duplicate + page.duplicate,
                stale=c.stale + page.stale,
                out=c.out + page.out,
                unassigned=c.unassigned + page.unassigned,
                read_at=page.collected_at,
            )
        )
        if moved.rowcount != 1:
            raise FatalError(
                f"source {self._source_id}: its stream was moved by another writer (expected seq {self.seq}): only one "
                "gateway may run a source; stop the other one"
            )

    def _write_keys(self, connection: Connection, page: Page, first: int) -> None:
        fresh: list[tuple[Any, ...]] = []
        for change in page.keys:
            seq = change.seq if change.draft is None else first + change.draft
            if change.ordinal is None:
                fresh.append((self._source_id, *change[1:7], seq, 0))
                continue
            connection.execute(
                update(keys)
                .where(keys.c.ordinal == change.ordinal)
                .values(
                    row_digest=change.row_digest,
                    seen_digest=change.seen_digest,
                    changed_at=change.changed_at,
                    state=change.state,
                    seq=seq,
                    vanished=0,
                )
            )
        self._insert_keys.run(connection, fresh)
        for ordinal in page.vanished:
            connection.execute(update(keys).where(keys.c.ordinal == ordinal).values(vanished=1))

    def _held_row(self, hold: Hold, page: Page) -> tuple[Any, ...]:
        record, found = hold.record, _findings(hold)
        return (
            self._source_id,
            hold.state,
            hold.reason,
            record.key,
            record.kind,
            record.division,
            record.application_no,
            record.version,
            *found.values(),
            page.collected_at,
            page.collected_at,
            None,
        )

    def _release(self, connection: Connection, page: Page, first: int) -> None:
        for release in page.releases:
            values: Mapping[str, Any] = {
                "state": release.state,
                "reason": release.reason,
                "seq": None if release.draft is None else first + release.draft,
                **(_findings(release.hold) if release.hold is not None else {}),
            }
            connection.execute(update(held).where(held.c.id == release.held_id).values(values))


def _findings(hold: Hold) -> dict[str, Any]:
    """What a row of `held` says of its candidate's content, in the order of the columns."""
    record, translation = hold.record, hold.translation
    return {
        "row_digest": record.digest,
        "changed_at": record.changed_at,
        "content": dump_content(record.content),
        "raw": record.raw,
        "payload": translation.payload if translation is not None else None,
        "faults": dump_faults(translation.faults if translation is not None else record.faults),
    }


def _parameters(columns: Iterable[Any], *, skip: set[str]) -> dict[str, Any]:
    return {column.name: bindparam(column.name) for column in columns if column.name not in skip}


def _leaves(drafts: Sequence[Draft], digests: Sequence[bytes], page: Page) -> list[Leaf]:
    return [
        Leaf(draft.type, draft.key, draft.row_digest, digest, page.schema_id, page.mapping_id, page.collected_at)
        for draft, digest in zip(drafts, digests, strict=True)
    ]
