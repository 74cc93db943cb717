"""The key table as one source may see it: the seen-set of thin queries and sweeps (port `KeyIndex`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from bus.ledger.content import load_content, load_faults
from bus.ledger.schema import held, keys
from bus.ledger.store import in_lists
from bus.message import Record
from bus.ports import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.ledger.store import Store


class Index:
    """Implements `bus.ports.KeyIndex` for one source."""

    def __init__(self, store: Store, source_id: int, *, is_explicit: bool) -> None:
        self._store = store
        self._source_id = source_id
        self._is_explicit = is_explicit
        c = keys.c
        self._seen = select(c.key, c.ordinal, c.version, c.changed_at, c.vanished).where(
            c.source_id == source_id, c.key.in_(bindparam("some", expanding=True))
        )

    def seen(self, row_keys: Sequence[str]) -> dict[str, Seen]:
        """Those of `row_keys` that the ledger knows."""
        wanted = set(row_keys)
        names = list({key.rpartition(":")[0] for key in wanted} if self._is_explicit else wanted)
        found: dict[str, Seen] = {}
        with self._store.read() as connection:
            for some in in_lists(names):
                for key, ordinal, version, changed_at, vanished in connection.execute(self._seen, {"some": some}):
                    row_key = f"{key}:{version}" if self._is_explicit else key
                    former = found.get(row_key)
                    if row_key in wanted and (former is None or former.version < version):
                        found[row_key] = Seen(ordinal, version, changed_at, bool(vanished))
        return found

    def parked(self, reason: str) -> list[Record]:
        """Records parked for `reason`, oldest first."""
        query = (
            select(held)
            .where(held.c.source_id == self._source_id, held.c.state == "parked", held.c.reason == reason)
            .order_by(held.c.id)
        )
        with self._store.read() as connection:
            return [
                Record(
                    row.key,
                    row.division,
                    row.kind,
                    row.application_no,
                    row.version,
                    bytes(row.row_digest),
                    row.changed_at,
                    load_content(row.content),
                    load_faults(row.faults),
                    reason,
                    row.raw,
                )
                for row in connection.execute(query)
            ]

    def ordinals(self, *, after: int, limit: int) -> list[tuple[int, str]]:
        """(ordinal, row key) in rising order; rows already known to be vanished are left out."""
        c = keys.c
        query = (
            select(c.ordinal, c.key, c.version)
            .where(c.source_id == self._source_id, c.ordinal > after, c.vanished == 0)
            .order_by(c.ordinal)
            .limit(limit)
        )
        with self._store.read() as connection:
            return [
                (ordinal, f"{key}:{version}" if self._is_explicit else key)
                for ordinal, key, version in connection.execute(query)
            ]
