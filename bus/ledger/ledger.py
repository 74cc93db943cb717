"""The ledger as a whole: its sources, their equations, and the door to each source's parts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, func, insert, select

from bus.errors import ConfigurationError, FatalError
from bus.ledger.handover import Handover
from bus.ledger.index import Index
from bus.ledger.intake import Intake
from bus.ledger.outbox import Outbox
from bus.ledger.schema import entries, held, sources
from bus.ledger.store import Store
from bus.ledger.values import Equation, Progress
from bus.message import Stream
from bus.seal import Leaf, Sealer, genesis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, RowMapping


class HeldRecord(NamedTuple):
    """A held candidate as `status` shows it; its content is read with `Ledger.held`."""

    id: int
    source: str
    state: str
    reason: str
    key: str
    held_at: str
    faults: str


class Cause(NamedTuple):
    """Held candidates of one source that are held for one reason.

    Attributes:
        records: how many.
        oldest_at: when the first of them was held.
        example: the newest.
    """

    source: str
    state: str
    reason: str
    records: int
    oldest_at: str
    example: HeldRecord


@dataclass(frozen=True, slots=True)
class SourceLedger:
    """What one source uses of the ledger."""

    stream: Stream
    intake: Intake
    index: Index
    outbox: Outbox


class Ledger:
    """Opens the store; one instance a process.

    Args:
        url: `sqlite:///…` or `postgresql+psycopg://…`.
        key_hash: the deployment's HMAC key.
    """

    def __init__(self, url: str, *, key_hash: bytes) -> None:
        self.store = Store(url)
        self._key_hash = key_hash
        self._handovers: dict[tuple[str, int], Handover] = {}

    def source(
        self, name: str, *, group: str, division: str, is_explicit: bool, domain: str = "approval"
    ) -> SourceLedger:
        """The parts of one source, entered into the ledger the first time.

        Raises:
            ConfigurationError: the ledger knows this source with another division or versioning.
            FatalError: the stream's last entry does not lead to its head.
        """
        versioning = "explicit" if is_explicit else "observed"
        row = self._row(name)
        if row is None:
            self._enter(name, f"{group}/{name}", division, versioning)
            row = self._row(name)
            assert row is not None
        found = (row["stream"], row["division"], row["versioning"])
        if found != (f"{group}/{name}", division, versioning):
            text = (
                f"sources.{name}: the ledger holds this source as stream {found[0]}, division {found[1]}, versioning "
                f"{found[2]}; a source with another identity needs another name"
            )
            raise ConfigurationError([text])
        stream = Stream(row["stream"], row["epoch"], division, name, domain)
        sealer = Sealer(stream.name, stream.epoch, self._key_hash)
        self._check_end(row, sealer)
        handover = self._handovers.setdefault((stream.name, stream.epoch), Handover())
        return SourceLedger(
            stream,
            Intake(self.store, row, sealer, handover),
            Index(self.store, row["id"], is_explicit=is_explicit),
            Outbox(self.store, row["id"], epoch=stream.epoch, handover=handover),
        )

    def _check_end(self, row: RowMapping, sealer: Sealer) -> None:
        """The last entry, sealed again, must give the stream's head; else no verifier would accept what follows."""
        if not row["seq"]:
            return
        c = entries.c
        query = select(entries).where(
            c.source_id == row["id"], c.epoch == row["epoch"], c.seq >= row["seq"] - 1, c.seq <= row["seq"]
        )
        with self.store.read() as connection:
            found = {entry["seq"]: entry for entry in connection.execute(query).mappings()}
        last, before = found.get(row["seq"]), found.get(row["seq"] - 1)
        head = sealer.genesis() if row["seq"] == 1 else bytes(before["head"]) if before else b""
        if last is None or sealer.seal(head, row["seq"], [_leaf(last)]) != [bytes(row["head"])]:
            text = (
                f"sources.{row['name']}: entry {row['seq']} of {row['stream']} does not lead to the head that the "
                "ledger keeps: `key_hash` of the trust file is another one than before (put the former file back), or "
                "the store was altered"
            )
            raise FatalError(text)

    def _row(self, name: str) -> RowMapping | None:
        with self.store.read() as connection:
            return connection.execute(select(sources).where(sources.c.name == name)).mappings().one_or_none()

    def _enter(self, name: str, stream: str, division: str, versioning: str) -> None:
        zero = dict.fromkeys(
            ("read", "duplicate", "stale", "out", "published", "unassigned", "seq", "sent", "confirmed", "receipted"), 0
        )
        row: dict[str, Any] = {
            "name": name,
            "stream": stream,
            "division": division,
            "versioning": versioning,
            "epoch": 1,
            "head": genesis(stream, 1),
        }
        with self.store.write() as connection:
            if connection.scalar(select(sources.c.id).where(sources.c.name == name)) is None:
                connection.execute(insert(sources).values(row | zero))

    def progress(self) -> list[Progress]:
        """Every source that the ledger knows, with its equation, by name, in one consistent view."""
        tally = {
            state: func.sum(case((held.c.state == state, 1), else_=0)).label(state)
            for state in ("conflict", "quarantined", "parked", "discarded")
        }
        # Counted apart: a position may be large, and must not be carried along with every held row.
        counted = select(held.c.source_id, *tally.values()).group_by(held.c.source_id).subquery()
        query = (
            select(sources, *(func.coalesce(counted.c[state], 0).label(state) for state in tally))
            .select_from(sources.outerjoin(counted, counted.c.source_id == sources.c.id))
            .order_by(sources.c.name)
        )
        with self.store.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [_progress(row) for row in rows]

    def causes(self, states: Sequence[str]) -> list[Cause]:
        """All held candidates in `states`, counted by source, state and reason, in this order."""
        c = held.c
        groups = (
            select(func.max(c.id).label("id"), func.count().label("records"), func.min(c.held_at).label("oldest_at"))
            .where(c.state.in_(states))
            .group_by(c.source_id, c.state, c.reason)
            .subquery()
        )
        query = (
            select(groups.c.records, groups.c.oldest_at, *_shown())
            .join(held, c.id == groups.c.id)
            .join(sources, sources.c.id == c.source_id)
            .order_by(sources.c.name, c.state, c.reason)
        )
        with self.store.read() as connection:
            rows = [(records, at, HeldRecord(*rest)) for records, at, *rest in connection.execute(query)]
        return [Cause(found.source, found.state, found.reason, records, at, found) for records, at, found in rows]

    def held(self, states: Sequence[str], *, limit: int) -> list[HeldRecord]:
        """The newest held candidates in `states`."""
        c = held.c
        query = (
            select(*_shown())
            .join(sources, sources.c.id == c.source_id)
            .where(c.state.in_(states))
            .order_by(c.id.desc())
            .limit(limit)
        )
        with self.store.read() as connection:
            return [HeldRecord(*row) for row in connection.execute(query)]

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def _shown() -> tuple[ColumnElement[Any], ...]:
    """The columns of a HeldRecord, in its order."""
    c = held.c
    return (c.id, sources.c.name, c.state, c.reason, c.key, c.held_at, c.faults)


def _leaf(entry: RowMapping) -> Leaf:
    digest = hashlib.sha256(entry["payload"]).digest()
    return Leaf(
        entry["type"], entry["key"], bytes(entry["row_digest"]), digest, entry["schema_id"], entry["mapping_id"],
        entry["collected_at"],
    )  # fmt: skip


def _progress(row: RowMapping) -> Progress:
    equation = Equation(
        read=row["read"],
        published=row["published"],
        pending=row["out"] - row["published"],
        duplicate=row["duplicate"],
        stale=row["stale"],
        conflict=int(row["conflict"]),
        quarantined=int(row["quarantined"]),
        parked=int(row["parked"]),
        discarded=int(row["discarded"]),
    )
    return Progress(
        row["name"],
        row["stream"],
        row["epoch"],
        row["seq"],
        row["sent"],
        row["confirmed"],
        row["read_at"],
        row["confirmed_at"],
        row["unassigned"],
        equation,
    )
