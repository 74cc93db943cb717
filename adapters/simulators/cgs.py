"""The front-end database of cgs: makes it, fills it in bulk, and keeps it moving, deterministic from a seed."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from adapters.cgs.platform import PLATFORM, RESULT_COLUMNS, RESULT_TABLE
from adapters.simulators.cgs_cases import District
from adapters.simulators.cgs_quirks import BAD_OCTETS, Quirks, apply, name_column, text_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from adapters.database.declaration import Column
    from adapters.simulators.cgs_cases import Step

__all__ = ["Event", "Quirks", "create", "feed", "live", "tables"]

_CHUNK_ROWS: Final = 2_000
_OPEN_CASES: Final = 20
_HELD_EVENTS: Final = 15
#: To the second, as the platform writes it.
_SQLITE_TIME: Final = sqlite.DATETIME(  # type: ignore[no-untyped-call]
    storage_format="%(year)04d-%(month)02d-%(day)02d %(hour)02d:%(minute)02d:%(second)02d"
)


class Event(NamedTuple):
    """One thing that the platform did: `insert`, or the name of the quirk."""

    action: str
    kind: str
    key: Mapping[str, Any]


def _column(column: Column, key: Sequence[str], *, is_upper: bool) -> sa.Column[Any]:
    types: dict[str, sa.types.TypeEngine[Any]] = {
        "text": sa.String(column.size),
        "integer": sa.Integer(),
        "time": sa.DateTime().with_variant(_SQLITE_TIME, "sqlite"),
    }
    return sa.Column(
        column.name if is_upper else column.name.lower(),
        types[column.type],
        key=column.name,
        primary_key=column.name in key,
        autoincrement=False,
        nullable=column.name not in {*key, "YXTYWLSH"},
        server_default="0" if column.name == "ISGET" else "1" if column.name == "SJBBH" else None,
    )


def tables(dialect: str, *, bytes_as: str | None = None) -> dict[str, sa.Table]:
    """KIND → table, and `JCJG` → the table of results, as a site on that product has them.

    Args:
        dialect: SQLAlchemy's name of the product; upper-case names on MySQL and MariaDB, else as if unquoted.
        bytes_as: the site's text columns are `latin1` and hold octets of this encoding (MySQL and MariaDB).
    """
    metadata = sa.MetaData()
    is_mysql = dialect in {"mysql", "mariadb"}
    charset = "latin1" if bytes_as else "gbk"
    declared = {d.kind: (d.table, d.columns, d.key) for d in PLATFORM.tables}
    declared["JCJG"] = (RESULT_TABLE, RESULT_COLUMNS, ("YWLSH", "JCSJ"))
    made = {}
    for kind, (name, columns, key) in declared.items():
        made[kind] = sa.Table(
            name if is_mysql else name.lower(),
            metadata,
            *(_column(column, key, is_upper=is_mysql) for column in columns),
            mysql_charset=charset,
            mysql_engine="InnoDB",
            mariadb_charset=charset,
            mariadb_engine="InnoDB",
        )
    return made


def create(engine: Engine, *, bytes_as: str | None = None) -> None:
    """Create the eight tables; existing ones stay."""
    made = tables(engine.dialect.name, bytes_as=bytes_as)
    made["SL"].metadata.create_all(engine)
    if engine.dialect.name == "sqlite":
        # Readers and the writer must not block each other, as on the products that sites really use.
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")


class _Writer:
    """Writes rows as one site would: its names, its octets."""

    def __init__(self, engine: Engine, bytes_as: str | None) -> None:
        self.engine = engine
        self.tables = tables(engine.dialect.name, bytes_as=bytes_as)
        self._bytes_as = bytes_as

    def stored(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as they are bound: texts as octets where the site's encoding is not the declared one."""
        if self._bytes_as is None:
            return dict(values)
        return {k: v.encode(self._bytes_as) if isinstance(v, str) else v for k, v in values.items()}

    def insert(self, connection: Connection, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of one kind, in the caller's transaction."""
        connection.execute(sa.insert(self.tables[kind]), [self.stored(row) for row in rows])

    def where(self, kind: str, key: Mapping[str, Any]) -> sa.ColumnElement[bool]:
        """The row of `key`."""
        return sa.and_(*(self.tables[kind].c[name] == value for name, value in self.stored(key).items()))

    def update(self, connection: Connection, kind: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Change one row in place."""
        statement = sa.update(self.tables[kind]).where(self.where(kind, key))
        connection.execute(statement.values({self.tables[kind].c[n]: v for n, v in self.stored(values).items()}))

    def spoil(self, connection: Connection, kind: str, key: Mapping[str, Any]) -> None:
        """Put octets that are no text into a row. Raises ValueError where the product refuses such octets."""
        octets: Any = BAD_OCTETS
        if self.engine.dialect.name == "sqlite":
            octets = sa.cast(sa.bindparam(None, BAD_OCTETS, type_=sa.LargeBinary), sa.Text)
        elif self._bytes_as is None:
            raise ValueError("undecodable octets need SQLite or a site with bytes_as")
        column = self.tables[kind].c[name_column(kind)]
        connection.execute(sa.update(self.tables[kind]).where(self.where(kind, key)).values({column: octets}))

    def delete(self, connection: Connection, kind: str, key: Mapping[str, Any]) -> None:
        """Remove the rows that `key` fits."""
        connection.execute(sa.delete(self.tables[kind]).where(self.where(kind, key)))


_KEYS: Final = {d.kind: d.key for d in PLATFORM.tables}


def _key(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _KEYS[kind]}


def _filled(steps: Sequence[Step]) -> dict[str, list[dict[str, Any]]]:
    """Rows by KIND, every column present, so that one statement takes them all."""
    columns = {d.kind: dict.fromkeys(c.name for c in d.columns) for d in PLATFORM.tables}
    rows: dict[str, list[dict[str, Any]]] = {}
    for step in steps:
        rows.setdefault(step.kind, []).append({**columns[step.kind], "ISGET": "0", **step.values})
    return rows


def feed(  # noqa: PLR0913 - what a demonstration chooses
    engine: Engine,
    *,
    division: str,
    start: datetime,
    cases: int | None = None,
    records: int | None = None,
    seed: int = 0,
    span: timedelta = timedelta(days=30),
    quirks: Quirks | None = None,
    bytes_as: str | None = None,
    short_numbers: float = 0.2,
    first_case: int = 0,
) -> Counter[str]:
    """Write cases in bulk.

    Args:
        engine: of a database made by `create`.
        division: the installation's own code.
        start: when the first case is received, local time without zone.
        cases: how many; give this or `records`.
        records: how many rows; the last case may be left unfinished.
        seed: equal arguments give equal rows.
        span: from the first to the last case's reception.
        quirks: what is wrong.
        bytes_as: as for `create`.
        short_numbers: share of cases with a number of the installation's own.
        first_case: number of the first case, to go on where another call ended.

    Returns:
        KIND → rows written, `late` → rows of it that came last; name of a quirk → how often a row was changed by it.
    """
    if (cases is None) == (records is None):
        raise ValueError("give either cases or records")
    quirks = quirks or Quirks()
    dice = random.Random(f"{seed}/{division}/feed")  # noqa: S311 - a simulation
    district = District(division, seed=seed, short_numbers=short_numbers)
    expected = cases if cases is not None else (records or 0) // 6
    last = None if cases is None else first_case + cases
    steps = _steps(district, _numbers(first_case, last), start, span / max(expected, 1))
    kept = (apply(step, quirks, dice) for case in steps for step in _present(case, quirks, dice))
    feeding = _Feeding(_Writer(engine, bytes_as), quirks, dice)
    for chunk in iter(lambda: list(islice(kept, _CHUNK_ROWS)), []):
        part = chunk if records is None else chunk[: records - feeding.written]
        feeding.write(part)
        if len(part) < len(chunk) or feeding.written == records:
            break
    feeding.finish()
    return +feeding.counts


def _numbers(first: int, last: int | None) -> Iterable[int]:
    """Case numbers from `first` up to before `last`, or without end."""
    return count(first) if last is None else range(first, last)


def _steps(district: District, numbers: Iterable[int], start: datetime, gap: timedelta) -> Iterator[list[Step]]:
    for place, number in enumerate(numbers):
        yield district.case(number, start + gap * place)


def _present(case: list[Step], quirks: Quirks, dice: random.Random) -> list[Step]:
    """The case's rows, or all but its 受理."""
    return case[1:] if quirks.missing_parent and dice.random() < quirks.missing_parent else case


class _Feeding:
    """Rows on their way into the database in bulk.

    Attributes:
        counts: what was done, by KIND or action.
        written: rows so far, late ones included.
    """

    def __init__(self, writer: _Writer, quirks: Quirks, dice: random.Random) -> None:
        self._writer, self._quirks, self._dice = writer, quirks, dice
        self._late: list[Step] = []
        self._history: list[Step] = []
        self._set_back = 0
        self.counts: Counter[str] = Counter()
        self.written = 0

    def write(self, steps: Sequence[Step]) -> None:
        """Stamp and write rows in one transaction; late ones are kept for the end."""
        prompt = []
        for step in steps:
            self._stamp(step)
            if self._hits("late_commits"):
                step.values["GXSJ"] -= timedelta(seconds=self._quirks.late_s)
                self._late.append(step)
            else:
                prompt.append(step)
        if self._hits("same_second") and prompt:
            latest = max(step.values["GXSJ"] for step in prompt)
            for step in prompt:
                step.values["GXSJ"] = latest
        self._insert(prompt)
        self.counts.update(step.kind for step in steps)
        self.written += len(steps)

    def finish(self) -> None:
        """Write the late rows, then what happens to rows that were written before."""
        self._insert(self._late)
        self.counts["late"] += len(self._late)
        purged = set()
        with self._writer.engine.begin() as connection:
            for step in self._history:
                if step.values["YWLSH"] in purged:
                    continue
                for action in ("undecodable", "change_in_place", "change_version", "deletes", "purges"):
                    if (action == "purges" and step.kind != "BJ") or not self._hits(action):
                        continue
                    self.counts[action] += 1
                    change(self._writer, connection, step, action, at=step.values["GXSJ"] + timedelta(hours=1))
                    if action == "purges":
                        purged.add(step.values["YWLSH"])
                    if action in {"deletes", "purges", "change_version"}:
                        break

    def _hits(self, quirk: str) -> bool:
        share = getattr(self._quirks, quirk)
        return bool(share) and self._dice.random() < share

    def _stamp(self, step: Step) -> None:
        at = step.at + timedelta(seconds=self._dice.randrange(1, 20))
        if self._hits("clock_steps"):
            self._set_back = 10
        if self._set_back:
            self._set_back -= 1
            at -= timedelta(hours=1)
        step.values["GXSJ"] = at

    def _insert(self, steps: Sequence[Step]) -> None:
        with self._writer.engine.begin() as connection:
            for kind, rows in _filled(steps).items():
                self._writer.insert(connection, kind, rows)
        quirks = self._quirks
        if any((quirks.undecodable, quirks.change_in_place, quirks.change_version, quirks.deletes, quirks.purges)):
            self._history += steps


def change(writer: _Writer, connection: Connection, step: Step, action: str, *, at: datetime) -> None:
    """Do to a written row what the platform does to it later; `action` is the quirk's name."""
    kind, key = step.kind, _key(step.kind, step.values)
    column = text_column(kind)
    if action == "undecodable":
        writer.spoil(connection, kind, key)
    elif action == "change_in_place":
        writer.update(connection, kind, key, {column: f"更正{step.values[column]}"[:200], "GXSJ": at})
    elif action == "change_version":
        version = step.values["SJBBH"] + 1
        writer.update(connection, kind, key, {column: f"更正{step.values[column]}"[:200], "GXSJ": at, "SJBBH": version})
    elif action == "deletes":
        writer.delete(connection, kind, key)
    else:
        for table in _KEYS:
            writer.delete(connection, table, {"YWLSH": step.values["YWLSH"]})


def live(  # noqa: PLR0913 - what a demonstration chooses
    engine: Engine,
    *,
    division: str,
    now: Callable[[], datetime],
    seed: int = 0,
    quirks: Quirks | None = None,
    bytes_as: str | None = None,
    short_numbers: float = 0.2,
    first_case: int = 0,
) -> Iterator[Event]:
    """Keep the database moving: each step commits one thing and says what; the caller sets the pace.

    Args:
        engine: of a database made by `create`.
        division: the installation's own code.
        now: the platform's clock, local time without zone; asked once a step.
        seed: equal arguments give equal rows.
        quirks: what is wrong.
        bytes_as: as for `create`.
        short_numbers: share of cases with a number of the installation's own.
        first_case: number of the first case.
    """
    return _Live(
        _Writer(engine, bytes_as),
        District(division, seed=seed, short_numbers=short_numbers),
        quirks or Quirks(),
        random.Random(f"{seed}/{division}/live"),  # noqa: S311 - a simulation
    ).events(now, first_case)


class _Live:
    """A hall at work: some cases open at a time, one of them goes on at each step."""

    def __init__(self, writer: _Writer, district: District, quirks: Quirks, dice: random.Random) -> None:
        self._writer, self._district, self._quirks, self._dice = writer, district, quirks, dice
        self._open: list[list[Step]] = []
        self._written: list[Step] = []
        self._held: list[tuple[int, Step]] = []

    def events(self, now: Callable[[], datetime], first_case: int) -> Iterator[Event]:
        """Without end."""
        number = first_case
        for turn in count():
            at = now().replace(microsecond=0)
            if len(self._open) < _OPEN_CASES:
                self._open.append(self._district.case(number, at))
                number += 1
            event = self._released(turn) or self._later(at)
            while event is None:
                event = self._next(at, turn)
            yield event

    def _released(self, turn: int) -> Event | None:
        """A row whose transaction began earlier and commits now."""
        if not self._held or self._held[0][0] > turn:
            return None
        return self._insert(self._held.pop(0)[1])

    def _later(self, at: datetime) -> Event | None:
        """Something that happens to a row written before."""
        if not self._written:
            return None
        for action in ("change_in_place", "change_version", "deletes", "purges"):
            share = getattr(self._quirks, action)
            if share and self._dice.random() < share:
                place = self._dice.randrange(len(self._written))
                step = self._written.pop(place)
                with self._writer.engine.begin() as connection:
                    change(self._writer, connection, step, action, at=at)
                if action == "purges":
                    number = step.values["YWLSH"]
                    self._written = [other for other in self._written if other.values["YWLSH"] != number]
                return Event(action, step.kind, _key(step.kind, step.values))
        return None

    def _next(self, at: datetime, turn: int) -> Event | None:
        """The next row of some case; None when its commit is held back."""
        case = self._dice.choice(self._open)
        planned = case.pop(0)
        if not case:
            self._open.remove(case)
            self._open.append(self._district.case(self._dice.randrange(10**6, 10**7), at))
        moved = {name: at if value == planned.at else value for name, value in planned.values.items()}
        step = apply(planned._replace(values=moved, at=at), self._quirks, self._dice)
        step.values["GXSJ"] = at
        if self._quirks.late_commits and self._dice.random() < self._quirks.late_commits:
            self._held.append((turn + _HELD_EVENTS, step))
            return None
        return self._insert(step)

    def _insert(self, step: Step) -> Event:
        with self._writer.engine.begin() as connection:
            for kind, rows in _filled([step]).items():
                self._writer.insert(connection, kind, rows)
        self._written.append(step)
        return Event("insert", step.kind, _key(step.kind, step.values))
