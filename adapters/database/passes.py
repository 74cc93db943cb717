"""Passes over a source: the first reading, the look for new rows, the sweep. Each sees one snapshot."""

from __future__ import annotations

import heapq
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from adapters.database.assembly import NO_PARENT, Assembler, Found, no_parent, unreadable
from adapters.database.dialects import Horizon, row_age
from adapters.database.position import Mark, Position, earlier, time_text
from adapters.database.rows import version_of
from adapters.database.statements import mark_time

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from sqlalchemy.sql.elements import ColumnElement

    from adapters.database.declaration import Platform
    from adapters.database.parents import Table
    from adapters.database.reading import Reader
    from adapters.options import DatabaseOptions
    from bus.message import Record
    from bus.ports import KeyIndex, Seen

#: Rows of a pass that wait to be fetched by key. A pass that finds more keeps the earliest and does not count as done.
CANDIDATES: Final = 20_000
_KEYS: Final = 1_000
#: A poll begins so much before the latest change time: a short transaction's row is then found at once.
_OVERLAP_S: Final = 5
_PARKED_FOR: Final = timedelta(hours=24)
_XID_SPAN: Final = 1 << 32
LOCAL: Final = timedelta(hours=8)


class Snapshot(NamedTuple):
    """What a pass reads from.

    Attributes:
        reader: on a connection inside the snapshot.
        source_at: the source's clock, aware, UTC.
        horizon: PostgreSQL's own account of the snapshot, or None.
    """

    reader: Reader
    source_at: datetime
    horizon: Horizon | None

    @property
    def now(self) -> datetime:
        """The source's clock in the city's local time, without zone, like its columns."""
        return (self.source_at + LOCAL).replace(tzinfo=None)

    @property
    def now_text(self) -> str:
        """`now` to the second, as text."""
        return time_text(self.now.replace(microsecond=0))


class Output(NamedTuple):
    """What a pass gives for one batch.

    Attributes:
        records, unassigned, vanished: as in Batch.
        position: what holds once it is committed.
        end: "" while the pass goes on; then whether it handed on everything or has to be made again.
    """

    records: tuple[Record, ...]
    position: Position
    unassigned: int = 0
    vanished: tuple[str, ...] = ()
    end: Literal["", "complete", "incomplete"] = ""


class Candidate(NamedTuple):
    """A row that a thin query showed and the ledger does not have. Sorts in the order of capture."""

    time: str
    rank: int
    key: str
    version: int
    raw: tuple[Any, ...]


class Work:
    """What all passes of one source share.

    Attributes:
        platform, division, options: of the source.
        tables: rank → table.
        keys: what the ledger knows.
        limit: records a batch may hold, set before each step.
        orphans: rows of a shared database whose parent, and so whose district, is not known yet.
        thin_s: time that the thin queries of the last pass took.
    """

    def __init__(
        self,
        platform: Platform,
        tables: Mapping[int, Table],
        keys: KeyIndex,
        *,
        division: str,
        options: DatabaseOptions,
    ) -> None:
        self.platform = platform
        self.division = division
        self.tables = tables
        self.assembler = Assembler(tables, division=division, options=options)
        self.keys = keys
        self.options = options
        self.limit = 1
        self.orphans: dict[tuple[int, tuple[Any, ...]], Candidate] = {}
        self.thin_s = 0.0

    def assemble(self, snapshot: Snapshot, found: Sequence[Found]) -> tuple[tuple[Record, ...], int]:
        """Records of `found` and how many rows belong to nobody."""
        done = self.assembler.records(snapshot.reader, found, now=snapshot.now)
        for item in done.orphans[: CANDIDATES - len(self.orphans)]:
            plan = self.tables[item.rank].plan
            raw = tuple(item.row[i] for i in plan.key_at)
            self.orphans[item.rank, raw] = Candidate(
                item.changed_at, item.rank, plan.key(item.row), plan.version(item.row) or 0, raw
            )
        return tuple(done.records), done.unassigned


def noted(position: Position, records: Sequence[Record], now: datetime) -> Position:
    """`position` with the moment at which records among `records` were first parked."""
    parked = {r.key: position.parked.get(r.key, now.isoformat()) for r in records if r.park}
    return position._replace(parked={**position.parked, **parked}) if parked else position


def first_reading(work: Work, snapshot: Snapshot, position: Position) -> Generator[Output, None, None]:
    """All rows, merged by change time, kind and key; goes on after `position.mark` when it was interrupted.

    The position that it ends with speaks of its first snapshot, however often it was begun again, so that what became
    visible behind the mark in the meantime is found by the next look.
    """
    now = datetime.now(UTC)
    horizon = str(snapshot.horizon) if snapshot.horizon else ""
    begun = position.mark_from or (snapshot.now_text, horizon)
    position = position._replace(mark_from=begun, swept_at=position.swept_at or now.isoformat())
    merged = heapq.merge(*(_ranked(work, snapshot, rank, position.mark) for rank in sorted(work.tables)), key=_order)
    is_filtered = bool(work.keys.ordinals(after=0, limit=1))
    top = position.mark.time if position.mark else ""
    while found := [entry[2] for _, entry in zip(range(work.limit), merged, strict=False)]:
        last = found[-1]
        plan = work.tables[last.rank].plan
        top = max(top, last.changed_at)
        mark = Mark(mark_time(last.row[plan.time_at]), last.rank, tuple(last.row[i] for i in plan.key_at))
        records, unassigned = work.assemble(snapshot, _unknown(work, found) if is_filtered else found)
        position = noted(position._replace(mark=mark), records, now)
        yield Output(records, position, unassigned)
    seen = Horizon.parse(begun[1]) if begun[1] else None
    if seen is not None and begun[1] != horizon:
        seen = Horizon(seen.xmin, 0, ())
    yield Output(
        (),
        position._replace(
            time=min(top or begun[0], begun[0]), window_at=begun[0], horizon=seen, mark=None, mark_from=None
        ),
        end="complete",
    )


def _order(entry: tuple[str, int, Found]) -> tuple[str, int]:
    return entry[0], entry[1]


def _ranked(work: Work, snapshot: Snapshot, rank: int, mark: Mark | None) -> Iterator[tuple[str, int, Found]]:
    statements, plan = work.tables[rank]
    for page in snapshot.reader.table(statements, plan, base=None, after=mark):
        for place, row in enumerate(page.rows):
            changed_at = plan.changed_at(row)
            yield changed_at, rank, Found(rank, row, changed_at, page.damage.get(place))


def _unknown(work: Work, found: Sequence[Found]) -> list[Found]:
    keys = [work.tables[item.rank].plan.key(item.row) for item in found]
    seen = work.keys.seen(keys)
    unknown = []
    for key, item in zip(keys, found, strict=True):
        plan = work.tables[item.rank].plan
        if is_candidate(seen.get(key), plan.version(item.row), item.changed_at):
            unknown.append(item)
    return unknown


def is_candidate(seen: Seen | None, version: int | None, changed_at: str) -> bool:
    """Whether a row has to be handed on: unknown, come back, a later version, or changed since.

    A lower version than the ledger's is an older row of the same key, which the platform keeps beside the newer one.
    """
    if seen is None or seen.is_vanished:
        return True
    if version is not None and version != seen.version:
        return version > seen.version
    return not seen.changed_at or seen.changed_at != changed_at


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
        self.counts: dict[str, int] = {}
        self.bitmap = bytearray()

    def run(self) -> Generator[Output, None, None]:
        """Everything new, in batches; the last one carries the new position."""
        started = time.monotonic()
        for rank, table in self._work.tables.items():
            self._scan(rank, table)
        self._work.thin_s = time.monotonic() - started
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
            yield Output((), self._moved(), end="complete")
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
        for rows in self._snapshot.reader.thin(statements, self._base(table, age), age):
            keys = [plan.key_of(row[0], row[part_at] if part_at is not None else None) for row in rows]
            seen = self._work.keys.seen(keys)
            count += len(rows)
            for key, row in zip(keys, rows, strict=True):
                known = seen.get(key)
                if known is not None and self.bitmap:
                    self._mark(known.ordinal)
                version = None if version_at is None else version_of(row[version_at])
                changed_at = time_text(row[time_at])
                if self._top < changed_at <= self._now:
                    self._top = changed_at
                is_new = age is not None and self._is_certainly_new(row[-1])
                if is_new or is_candidate(known, version, changed_at):
                    self._keep(Candidate(changed_at, rank, key, version or 0, tuple(row[i] for i in places)))
        self.counts[plan.declaration.kind] = count

    def _mark(self, ordinal: int) -> None:
        if ordinal >> 3 < len(self.bitmap):
            self.bitmap[ordinal >> 3] |= 1 << (ordinal & 7)

    def _keep(self, candidate: Candidate) -> None:
        self._candidates.append(candidate)
        if len(self._candidates) >= 2 * CANDIDATES:
            self._candidates.sort(key=_capture_order)
            del self._candidates[CANDIDATES:]
            self.is_complete = False

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
        since = {r.key: self._position.parked.get(r.key, now.isoformat()) for r in parked}
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
                    self._candidates = [c for c in self._candidates if c.key != record.key]
                    self._candidates.append(Candidate("", rank, record.key, record.version or 0, raw))
                elif now - datetime.fromisoformat(since[record.key]) >= _PARKED_FOR:
                    given_up.append(record._replace(park="", faults=(*record.faults, no_parent(parent.table))))
                    self._position.parked.pop(record.key)
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

    def _moved(self) -> Position:
        """The position after a complete pass."""
        position = self._position
        if self._scope == "sweep":
            return position
        if self._snapshot.horizon is not None:
            return position._replace(horizon=self._snapshot.horizon)
        changes: dict[str, Any] = {"time": self._top, "late_s": self._late_s()}
        if self._scope == "window":
            changes["window_at"] = self._now
        return position._replace(**changes)


def _capture_order(candidate: Candidate) -> tuple[str, int, str, int]:
    return candidate[:4]
