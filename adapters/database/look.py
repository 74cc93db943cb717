"""The look for new rows: thin queries, compared with the ledger; whole rows only for what it lacks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from adapters.database.assembly import NO_PARENT, Found, no_parent, unreadable
from adapters.database.dialects import row_age
from adapters.database.passes import CANDIDATES, Candidate, Chain, Output, is_candidate, noted
from adapters.database.position import earlier, time_text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from sqlalchemy.sql.elements import ColumnElement

    from adapters.database.parents import Table
    from adapters.database.passes import Snapshot, Work
    from adapters.database.position import Position
    from bus.message import Record

_KEYS: Final = 1_000
#: A poll begins so much before the latest change time: a short transaction's row is then found at once.
_OVERLAP_S: Final = 5
_PARKED_FOR: Final = timedelta(hours=24)
_XID_SPAN: Final = 1 << 32


class Look:
    """A pass that finds rows by thin queries, compares them with the ledger, and fetches only what it lacks.

    Attributes:
        is_complete: everything found was handed on; else the pass has to be made again.
        counts: KIND → rows seen.
        bitmap: ordinals of the keys seen.
    """

    def __init__(self, work: Work, snapshot: Snapshot, position: Position, *, scope: str) -> None:
        self._work = work
        self._snapshot = snapshot
        self._position = position
        self._scope = scope
        self._now = snapshot.now_text
        self._candidates: list[Candidate] = []
        self._top = min(position.time or "", self._now)
        self.is_complete = True
        chain = work.chain
        self._chain = chain if chain is not None and chain.scope == scope else None
        self._after = self._chain.after if self._chain else ("", -1, "")
        work.chain = None
        self.counts: dict[str, int] = {}
        self.bitmap = bytearray()

    def run(self) -> Generator[Output, None, None]:
        """Everything new, in batches; the last one carries the new position."""
        started = time.monotonic()
        for rank, table in self._work.tables.items():
            self._scan(rank, table)
        self._work.thin_s = time.monotonic() - started
        changes = self._chain.changes if self._chain else self._changes()
        if not self.is_complete:
            self._keep_earliest()
            self._work.chain = Chain(self._scope, _capture_order(self._candidates[-1]), changes)
        now = datetime.now(UTC)
        yield from self._parked(now)
        self._candidates += self._work.orphans.values()
        self._work.orphans.clear()
        self._candidates.sort(key=_capture_order)
        while self._candidates:
            part, self._candidates = self._candidates[: self._work.limit], self._candidates[self._work.limit :]
            records, unassigned = self._work.assemble(self._snapshot, self._fetched(part))
            self._position = noted(self._position, records, now)
            yield Output(records, self._position, unassigned)
        if self.is_complete:
            yield Output((), self._position._replace(**changes), end="complete")
        else:
            yield Output((), self._position, end="incomplete")

    def _scan(self, rank: int, table: Table) -> None:
        statements, plan = table
        names = statements.thin_names
        places = tuple(names.index(name) for name in plan.declaration.key)
        version_at = names.index(plan.declaration.version) if plan.declaration.version else None
        time_at = len(names) - 1
        part_at = names.index(plan.declaration.part) if plan.declaration.part else None
        age = self._age(statements.xmin)
        count = 0
        is_short = self._scope == "poll"
        for rows in self._snapshot.reader.thin(statements, self._base(table, age), age, is_short=is_short):
            row_keys = [
                plan.row_key_of(
                    row[0],
                    None if part_at is None else row[part_at],
                    None if version_at is None else row[version_at],
                )
                for row in rows
            ]
            seen = self._work.keys.seen(row_keys)
            count += len(rows)
            for row_key, row in zip(row_keys, rows, strict=True):
                known = seen.get(row_key)
                if known is not None and self.bitmap:
                    self._mark(known.ordinal)
                changed_at = time_text(row[time_at])
                if self._top < changed_at <= self._now:
                    self._top = changed_at
                is_new = age is not None and self._is_certainly_new(row[-1])
                if (is_new or is_candidate(known, changed_at)) and (changed_at, rank, row_key) > self._after:
                    self._keep(Candidate(changed_at, rank, row_key, tuple(row[i] for i in places)))
        self.counts[plan.declaration.kind] = count

    def _mark(self, ordinal: int) -> None:
        if ordinal >> 3 < len(self.bitmap):
            self.bitmap[ordinal >> 3] |= 1 << (ordinal & 7)

    def _keep(self, candidate: Candidate) -> None:
        self._candidates.append(candidate)
        if len(self._candidates) >= 2 * CANDIDATES:
            self._keep_earliest()
            self.is_complete = False

    def _keep_earliest(self) -> None:
        self._candidates.sort(key=_capture_order)
        del self._candidates[CANDIDATES:]

    def _age(self, xmin: ColumnElement[Any] | None) -> ColumnElement[Any] | None:
        if self._snapshot.horizon is None or xmin is None or self._position.horizon is None:
            return None
        span = self._snapshot.horizon.xmax - self._position.horizon.xmin
        # A snapshot before the last one's: the source was restored. Nothing can be left out.
        return row_age(xmin, self._snapshot.horizon) if 0 <= span < _XID_SPAN else None

    def _base(self, table: Table, age: ColumnElement[Any] | None) -> ColumnElement[bool] | None:
        position = self._position
        if self._scope == "sweep":
            return None
        if self._snapshot.horizon is not None:
            assert position.horizon is not None
            return None if age is None else age <= self._snapshot.horizon.xmax - position.horizon.xmin
        return table.statements.since(self._lower())

    def _lower(self) -> str:
        """Where a poll or a window begins. The source's clock may have been set back since the last one."""
        position, now = self._position, self._now
        lower = min(position.time or now, now)
        if self._scope == "window":
            return earlier(min(lower, position.window_at or now), self._late_s())
        return earlier(lower, _OVERLAP_S)

    def _late_s(self) -> float:
        return max(self._work.options.late_s, self._position.late_s)

    def _is_certainly_new(self, age: int) -> bool:
        """Whether a row version was written by a transaction that the last pass could not see."""
        now, last = self._snapshot.horizon, self._position.horizon
        assert now is not None
        assert last is not None
        xid = now.xmax - age
        return last.xmax > 0 and (xid >= last.xmax or xid in last.running)

    def _parked(self, now: datetime) -> Iterator[Output]:
        """Records that wait for a parent: fetched again when it has come, given up after a day."""
        parked = self._work.keys.parked(NO_PARENT)
        kinds = {table.plan.declaration.kind: rank for rank, table in self._work.tables.items()}
        waiting: dict[int, list[Record]] = {}
        for record in parked:
            if record.kind in kinds:
                waiting.setdefault(kinds[record.kind], []).append(record)
        since = {r.row_key: self._position.parked.get(r.row_key, now.isoformat()) for r in parked}
        self._position = self._position._replace(parked=since)
        given_up: list[Record] = []
        for rank, records in waiting.items():
            plan = self._work.tables[rank].plan
            column, parent = plan.declaration.key[0], plan.declaration.parent
            assert parent is not None
            parents = self._work.assembler.parents
            parents.load(self._snapshot.reader, ((rank, record.content[column]) for record in records))
            for record in records:
                if parents.has(rank, record.content[column]):
                    raw = tuple(record.content[name] for name in plan.declaration.key)
                    self._candidates = [c for c in self._candidates if c.row_key != record.row_key]
                    self._candidates.append(Candidate("", rank, record.row_key, raw))
                elif now - datetime.fromisoformat(since[record.row_key]) >= _PARKED_FOR:
                    given_up.append(record._replace(park="", faults=(*record.faults, no_parent(parent.table))))
                    since.pop(record.row_key)
        limit = self._work.limit
        for start in range(0, len(given_up), limit):
            yield Output(tuple(given_up[start : start + limit]), self._position)

    def _fetched(self, part: Sequence[Candidate]) -> list[Found]:
        """Whole rows of candidates, in their order."""
        rows: dict[tuple[int, tuple[Any, ...]], Found] = {}
        for rank in {candidate.rank for candidate in part}:
            statements, plan = self._work.tables[rank]
            raws = [candidate.raw for candidate in part if candidate.rank == rank]
            for start in range(0, len(raws), _KEYS):
                page = self._snapshot.reader.by_key(statements, plan, raws[start : start + _KEYS])
                for place, row in enumerate(page.rows):
                    raw = tuple(row[i] for i in plan.key_at)
                    rows[rank, raw] = Found(rank, row, plan.changed_at(row), page.damage.get(place))
        return [rows.get((c.rank, c.raw)) or self._lost(c) for c in part]

    def _lost(self, candidate: Candidate) -> Found:
        plan = self._work.tables[candidate.rank].plan
        cells: list[Any] = [None] * len(plan.names)
        for place, part in zip(plan.key_at, candidate.raw, strict=True):
            cells[place] = part
        return Found(candidate.rank, tuple(cells), candidate.time, fault=unreadable(candidate.raw))

    def _changes(self) -> dict[str, Any]:
        """What a complete pass changes in the position."""
        if self._scope == "sweep":
            return {}
        if self._snapshot.horizon is not None:
            return {"horizon": self._snapshot.horizon}
        changes: dict[str, Any] = {"time": self._top, "late_s": self._late_s()}
        if self._scope == "window":
            changes["window_at"] = self._now
        return changes


def _capture_order(candidate: Candidate) -> tuple[str, int, str]:
    return candidate[:3]
