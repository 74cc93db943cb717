"""Passes over a source: the first reading, the look for new rows, the sweep. Each sees one snapshot."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from adapters.database.assembly import Assembler, Found
from adapters.database.dialects import Horizon
from adapters.database.position import Mark, Position, time_text
from adapters.database.statements import mark_time

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from adapters.database.declaration import Platform
    from adapters.database.parents import Table
    from adapters.database.reading import Reader
    from adapters.options import DatabaseOptions
    from bus.message import Record
    from bus.ports import KeyIndex, Seen

#: Rows of a pass that wait to be fetched by key. A pass that finds more keeps the earliest and does not count as done.
CANDIDATES: Final = 20_000
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
    """A row that a thin query showed and the ledger does not have.

    Attributes:
        time, rank, row_key: change time, place of its table, key.
        raw: values of its key columns.
        is_released: it has waited for its parent, which may be among the candidates: it goes behind all others.
    """

    time: str
    rank: int
    row_key: str
    raw: tuple[Any, ...]
    is_released: bool = False


#: What candidates are sorted by, see `capture_order`.
CaptureOrder = tuple[bool, str, int, str]


def capture_order(candidate: Candidate) -> CaptureOrder:
    """By change time, kind and key; the numbers in a key by their value, so that version 9 goes before version 10."""
    key = ":".join([part.rjust(20) if part.isdigit() else part for part in candidate.row_key.split(":")])
    return candidate.is_released, candidate.time, candidate.rank, key


class Chain(NamedTuple):
    """A look that found more than it may keep is made again, in a later snapshot, for what follows `after`.

    What it ends with speaks of its first snapshot: a row that came into being meanwhile and sorts before `after` is
    left to the look that follows.

    Attributes:
        scope: poll, window or sweep.
        after: the last candidate that was handed on.
        changes: what changes in the position when everything has been.
    """

    scope: str
    after: CaptureOrder
    changes: dict[str, Any]


class Work:
    """What all passes of one source share.

    Attributes:
        platform, division, options: of the source.
        tables: rank → table.
        is_explicit: the source has a version column.
        keys: what the ledger knows.
        limit: records a batch may hold, set before each step.
        orphans: rows of a shared database whose parent, and so whose district, is not known yet.
        chain: a look that is not complete, or None.
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
        self.is_explicit = platform.is_explicit
        self.assembler = Assembler(tables, division=division, options=options)
        self.keys = keys
        self.options = options
        self.limit = 1
        self.orphans: dict[tuple[int, tuple[Any, ...]], Candidate] = {}
        self.chain: Chain | None = None
        self.thin_s = 0.0

    def assemble(self, snapshot: Snapshot, found: Sequence[Found]) -> tuple[tuple[Record, ...], int]:
        """Records of `found` and how many rows belong to nobody."""
        done = self.assembler.records(snapshot.reader, found, now=snapshot.now)
        for item in done.orphans[: CANDIDATES - len(self.orphans)]:
            plan = self.tables[item.rank].plan
            raw = tuple(item.row[i] for i in plan.key_at)
            self.orphans[item.rank, raw] = Candidate(item.changed_at, item.rank, plan.row_key(item.row), raw)
        return tuple(done.records), done.unassigned


def noted(position: Position, records: Sequence[Record], now: datetime) -> Position:
    """`position` with the moment at which records among `records` were first parked."""
    parked = {r.row_key: position.parked.get(r.row_key, now.isoformat()) for r in records if r.park}
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
    for page in snapshot.reader.table(statements, plan, after=mark):
        for place, row in enumerate(page.rows):
            changed_at = plan.changed_at(row)
            yield changed_at, rank, Found(rank, row, changed_at, page.damage.get(place))


def _unknown(work: Work, found: Sequence[Found]) -> list[Found]:
    row_keys = [work.tables[item.rank].plan.row_key(item.row) for item in found]
    seen = work.keys.seen(row_keys)
    return [item for key, item in zip(row_keys, found, strict=True) if is_candidate(seen.get(key), item.changed_at)]


def is_candidate(seen: Seen | None, changed_at: str) -> bool:
    """Whether a row has to be handed on: unknown, come back after it had vanished, or changed since."""
    return seen is None or seen.is_vanished or not seen.changed_at or seen.changed_at != changed_at
