"""A ledger small enough to read: what KeyIndex promises, and what the runtime does with a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.errors import EndOfSource
from bus.ports import KeyIndex, Seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.message import Batch, Record
    from bus.ports import SourceAdapter


class MemoryKeys(KeyIndex):
    """The ledger's key table in memory, for a source with a version column.

    Attributes:
        read: every record handed on that was new or changed.
        duplicates: handed on although nothing had changed.
        vanished: row keys reported as vanished.
    """

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._digests: dict[str, bytes] = {}
        self._parked: dict[str, Record] = {}
        self.read: list[Record] = []
        self.duplicates: list[Record] = []
        self.vanished: list[str] = []
        self.position: str | None = None
        self.unassigned = 0

    def seen(self, row_keys: Sequence[str]) -> Mapping[str, Seen]:
        return {key: self._seen[key] for key in row_keys if key in self._seen}

    def parked(self, reason: str) -> Sequence[Record]:
        return [record for record in self._parked.values() if record.park == reason]

    def ordinals(self, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        entries = ((s.ordinal, key) for key, s in self._seen.items() if s.ordinal > after and not s.is_vanished)
        return sorted(entries)[:limit]

    def take(self, batch: Batch) -> None:
        """Commit one batch as the ledger would."""
        for record in batch.records:
            self._take(record)
        for key in batch.vanished:
            self._seen[key] = self._seen[key]._replace(is_vanished=True)
        self.vanished += batch.vanished
        self.unassigned += batch.unassigned
        self.position = batch.position

    def _take(self, record: Record) -> None:
        key = record.row_key
        before, was_waiting = self._seen.get(key), key in self._parked
        is_same = before is not None and not before.is_vanished and self._digests[key] == record.digest
        if not is_same or (was_waiting and not record.park):
            self.read.append(record)
        elif before is not None and before.changed_at != "" and not was_waiting:
            self.duplicates.append(record)
        self._parked.pop(key, None)
        if record.park:
            self._parked[key] = record
        ordinal = before.ordinal if before else len(self._seen) + 1
        self._digests[key] = record.digest
        self._seen[key] = Seen(ordinal, record.version or 1, record.changed_at, is_vanished=False)


def drain(source: SourceAdapter, ledger: MemoryKeys, *, max_records: int = 100) -> None:
    """Run `source` to its end, committing each batch."""
    source.open(ledger, position=ledger.position, drain=True)
    try:
        while True:
            batch = source.read(max_records)
            assert len(batch.records) <= max_records
            ledger.take(batch)
            source.acknowledge(batch.position)
    except EndOfSource:
        return
    finally:
        source.close()


def look(source: SourceAdapter, ledger: MemoryKeys, *, max_records: int = 100) -> int:
    """One pass of an open source, or none when none is due; how many records it gave."""
    records = 0
    while True:
        batch = source.read(max_records)
        ledger.take(batch)
        source.acknowledge(batch.position)
        records += len(batch.records)
        if len(batch.records) == 0:
            return records
