"""Outbound side of the ledger: the entries of one stream and how far they have come (sent ≥ confirmed ≥ receipted)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update

from bus.errors import FatalError
from bus.ledger.handover import Handover
from bus.ledger.schema import entries, packages, sources
from bus.ledger.store import Statement
from bus.message import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from bus.ledger.store import Store

_ENTRY = tuple(entries.c[name] for name in Entry._fields)


class Reach(NamedTuple):
    """How far a stream has come: appended ≥ may have been tried ≥ confirmed by the broker."""

    seq: int
    sent: int
    confirmed: int


class Outbox:
    """Read by the relay of one source; used by one thread.

    Args:
        store: the ledger's database.
        source_id: of the source.
        epoch: of its stream.
        handover: where the intake of this process leaves what it has just committed.
    """

    def __init__(self, store: Store, source_id: int, *, epoch: int, handover: Handover | None = None) -> None:
        self._store = store
        self._handover = handover or Handover()
        self._source_id = source_id
        self._epoch = epoch
        self._entries = (
            select(*_ENTRY).where(entries.c.source_id == source_id, entries.c.epoch == epoch).order_by(entries.c.seq)
        )
        row: dict[str, object] = {column.name: bindparam(column.name) for column in packages.c}
        self._insert_packages = Statement(store.engine, insert(packages).values(row))

    def progress(self) -> Reach:
        """How far the stream has come, as committed."""
        c = sources.c
        with self._store.read() as connection:
            return Reach(*connection.execute(select(c.seq, c.sent, c.confirmed).where(c.id == self._source_id)).one())

    def packages(self, *, after: int) -> dict[int, int]:
        """First seq → count of the packages that were tried and begin after `after`."""
        query = select(packages.c.seq, packages.c.count).where(
            packages.c.source_id == self._source_id, packages.c.epoch == self._epoch, packages.c.seq > after
        )
        with self._store.read() as connection:
            return dict(connection.execute(query).all())

    def entries(self, *, after: int, limit: int) -> Sequence[Entry]:
        """Entries with seq > `after`, in order, at most `limit`."""
        if taken := self._handover.take(after=after, limit=limit):
            return taken
        query = self._entries.where(entries.c.seq > after, entries.c.seq <= after + limit)
        with self._store.read() as connection:
            return [Entry(*row) for row in connection.execute(query)]

    def head(self, seq: int) -> bytes:
        """The chain's head after `seq`."""
        query = select(entries.c.head).where(
            entries.c.source_id == self._source_id, entries.c.epoch == self._epoch, entries.c.seq == seq
        )
        with self._store.read() as connection:
            found = connection.scalar(query)
        if found is None:
            raise FatalError(f"the ledger has no entry {seq} of source {self._source_id}: run `gateway ledger check`")
        return bytes(found)

    def mark_sent(self, seq: int, *, former: int, packages: Sequence[tuple[int, int]] = ()) -> None:
        """Everything up to `seq` may have been tried; called before the first byte of it is written.

        Args:
            seq: the last one.
            former: where the caller believes the mark to stand.
            packages: (first seq, count) of those that travel together, now and whenever they are sent again.
        """
        with self._store.write() as connection:
            self._advance(connection, sources.c.sent == former, {"sent": seq})
            self._insert_packages.run(
                connection, [(self._source_id, self._epoch, first, count) for first, count in packages]
            )

    def mark_confirmed(self, seq: int, *, former: int, records: int, at: str) -> None:
        """The broker has confirmed everything up to `seq`, of it `records` more records than up to `former`."""
        c = packages.c
        with self._store.write() as connection:
            self._advance(
                connection,
                sources.c.confirmed == former,
                {"confirmed": seq, "published": sources.c.published + records, "confirmed_at": at},
            )
            connection.execute(
                delete(packages).where(c.source_id == self._source_id, c.epoch == self._epoch, c.seq <= seq)
            )

    def _advance(self, connection: Connection, is_there: ColumnElement[bool], values: dict[str, object]) -> None:
        moved = connection.execute(
            update(sources)
            .where(sources.c.id == self._source_id, sources.c.epoch == self._epoch, is_there)
            .values(values)
        )
        if moved.rowcount != 1:
            raise FatalError(
                f"source {self._source_id}: `{next(iter(values))}` was moved by somebody else: another gateway "
                "publishes this stream; stop it"
            )
