"""Statements on one table, and the look-up of real names that they need. No key is ever compared in Python."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from adapters import regions
from adapters.database.position import time_text
from bus.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select, TableClause

    from adapters.database.declaration import Declaration
    from adapters.database.dialects import Dialect
    from adapters.database.position import Mark
    from adapters.options import DatabaseOptions

#: Without a type nothing is cast: a CHAR column is compared with its own value by its own rules.
_AS_GIVEN: Final = sa.types.NullType()


def _bind(value: Any) -> ColumnElement[Any]:
    return sa.bindparam(None, value, type_=_AS_GIVEN, unique=True)


def _list(values: Sequence[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam("listed", list(values), type_=_AS_GIVEN, expanding=True)


class Catalogue:
    """Real names of tables and columns, without regard to case."""

    def __init__(self, connection: Connection, dialect: Dialect, schema: str | None) -> None:
        self._has_horizon = dialect.has_horizon
        self._inspector = sa.inspect(connection)
        self._schema = schema
        names = [*self._inspector.get_table_names(schema), *self._inspector.get_view_names(schema)]
        self._tables = {name.upper(): name for name in names}
        self._views = {name.upper() for name in self._inspector.get_view_names(schema)}
        self._clauses: dict[str, TableClause] = {}
        self._columns: dict[str, dict[str, str]] = {}
        self.problems: list[str] = []

    def is_view(self, table: str) -> bool:
        """Whether a declared table is a view: it then has no system columns."""
        return table.upper() in self._views

    def resolve(
        self, table: str, columns: Iterable[str]
    ) -> tuple[TableClause, Mapping[str, ColumnElement[Any]]] | None:
        """The table and its columns by declared name, or None; what is missing is added to `problems`."""
        real = self._tables.get(table.upper())
        if real is None:
            self.problems.append(f"table {table} is missing")
            return None
        if real not in self._clauses:
            found = {
                column["name"].upper(): column["name"] for column in self._inspector.get_columns(real, self._schema)
            }
            self._columns[real] = found
            system: list[sa.ColumnClause[Any]] = (
                [sa.column("xmin")] if self._has_horizon and not self.is_view(table) else []
            )
            self._clauses[real] = sa.table(real, *map(sa.column, found.values()), *system, schema=self._schema)
        known, clause = self._columns[real], self._clauses[real]
        missing = [name for name in columns if name.upper() not in known]
        self.problems += [f"table {table}: column {name} is missing" for name in missing]
        if missing:
            return None
        return clause, {name: clause.c[known[name.upper()]] for name in columns}

    def check(self) -> None:
        """Raise ConfigurationError with everything that is missing."""
        if self.problems:
            raise ConfigurationError(list(dict.fromkeys(self.problems)))


class TableStatements:
    """Statements on one declared table.

    Attributes:
        declaration: what is read.
        rank: place of its kind in the order of capture.
        xmin: PostgreSQL's system column, or None.
    """

    def __init__(
        self, declaration: Declaration, catalogue: Catalogue, dialect: Dialect, *, rank: int, options: DatabaseOptions
    ) -> None:
        self.declaration = declaration
        self.rank = rank
        self._dialect = dialect
        self._names = tuple(column.name for column in declaration.read_columns)
        self._types = {column.name: column.type for column in declaration.read_columns}
        self._binds_text = options.bytes_as
        own = catalogue.resolve(declaration.table, self._names)
        up = declaration.parent
        parent = None
        if up is not None:
            parent = catalogue.resolve(up.table, dict.fromkeys((up.on, *up.columns, *self._parent_version())))
        if own is None or (up is not None and parent is None):
            return
        self._table, self._c = own
        self.xmin = self._table.c.get("xmin")
        if parent is not None:
            self._parent, self._p = parent
        self._key = [self._c[name] for name in declaration.key]
        self._time = self._c[declaration.change_time]
        self._foreign = self._siblings(options)

    def _parent_version(self) -> tuple[str, ...]:
        return (self.declaration.version,) if self.declaration.version else ()

    def _siblings(self, options: DatabaseOptions) -> ColumnElement[bool] | None:
        """Rows that another configured source reads, or None when none does."""
        if not options.where or not options.claimed:
            return None
        others = _list(regions.spellings(options.claimed))
        name = next(iter(options.where)).removeprefix("parent.")
        if name in self._c:
            return sa.func.trim(self._c[name]).in_(others)
        assert self.declaration.parent is not None
        on = self.declaration.parent.on
        return sa.exists().where(self._p[on] == self._c[on], sa.func.trim(self._p[name]).in_(others))

    def _select(self, columns: Sequence[Any]) -> Select[Any]:
        statement = sa.select(*columns).select_from(self._table)
        if self._foreign is None:
            return statement
        return statement.where(sa.or_(~self._foreign, self._foreign.is_(None)))

    def _read(self, names: Sequence[str], *, as_octets: bool) -> list[ColumnElement[Any]]:
        columns = self._c
        if not as_octets:
            return [columns[name] for name in names]
        as_bytes, types = self._dialect.as_bytes, self._types
        return [as_bytes(columns[name]) if types[name] == "text" else columns[name] for name in names]

    def bind_time(self, text: str) -> ColumnElement[Any]:
        """A change time for a comparison in the database."""
        try:
            return _bind(text if self._dialect.keeps_time_as_text else datetime.fromisoformat(text))
        except ValueError:  # MySQL's 0000-00-00, which no calendar has and only the database can compare
            return _bind(text)

    def is_text(self, name: str) -> bool:
        """Whether a declared column holds text."""
        return self._types[name] == "text"

    def _value(self, value: Any) -> Any:
        if self._binds_text and isinstance(value, str) and not value.isascii():
            return value.encode(self._binds_text)
        return value

    def since(self, text: str) -> ColumnElement[bool]:
        """Rows whose change time is `text` or later."""
        return self._time >= self.bind_time(text)

    def full(self, after: Mark | None, *, limit: int | None, as_octets: bool) -> Select[Any]:
        """Rows with a change time that follow `after`, in the order of change time and key."""
        statement = self._select(self._read(self._names, as_octets=as_octets)).where(self._time.is_not(None))
        if after is not None:
            statement = statement.where(self._follows(after))
        return statement.order_by(self._time, *self._key).limit(limit)

    def _follows(self, mark: Mark) -> ColumnElement[bool]:
        time = self.bind_time(mark.time)
        if self.rank != mark.rank:
            return self._time > time if self.rank < mark.rank else self._time >= time
        follows: ColumnElement[bool] = sa.false()
        for column, value in reversed(list(zip(self._key, mark.key, strict=True))):
            bound = _bind(self._value(value))
            follows = sa.or_(column > bound, sa.and_(column == bound, follows))
        return sa.or_(self._time > time, sa.and_(self._time == time, follows))

    @property
    def thin_names(self) -> tuple[str, ...]:
        """Columns of a thin row: key, version, change time; the age of the row version may follow."""
        declaration = self.declaration
        version = [declaration.version] if declaration.version and declaration.version not in declaration.key else []
        return (*declaration.key, *version, declaration.change_time)

    def thin(self, base: ColumnElement[bool] | None, *, age: ColumnElement[Any] | None, as_octets: bool) -> Select[Any]:
        """Key, version and change time of the rows that satisfy `base`, in no order."""
        columns = self._read(self.thin_names, as_octets=as_octets)
        statement = self._select([*columns, age] if age is not None else columns)
        return statement if base is None else statement.where(base)

    def by_key(self, keys: Sequence[tuple[Any, ...]], *, as_octets: bool) -> Select[Any]:
        """Whole rows of `keys`."""
        bound = [tuple(self._value(part) for part in key) for key in keys]
        statement = self._select(self._read(self._names, as_octets=as_octets))
        if any(isinstance(part, bytes) for key in keys for part in key):
            columns = self._read(self.declaration.key, as_octets=True)
        else:
            columns = self._key
        tuples = [key for key in bound if None not in key] if self._dialect.has_row_values else []
        equal: list[ColumnElement[bool]] = [
            sa.and_(*(c.is_(None) if v is None else c == _bind(v) for c, v in zip(columns, key, strict=True)))
            for key in bound
            if not tuples or None in key
        ]
        if tuples:
            equal.append(sa.tuple_(*columns, types=[_AS_GIVEN] * len(columns)).in_(tuples))
        return statement.where(sa.or_(*equal))

    def present(self, numbers: Sequence[str], *, as_octets: bool) -> Select[Any]:
        """Number, part and version of the rows whose number is one of `numbers`, blanks aside."""
        declaration = self.declaration
        columns: list[ColumnElement[Any]] = []
        for name in (declaration.key[0], declaration.part, declaration.version):
            columns += self._read([name], as_octets=as_octets) if name else [sa.null()]
        trimmed = sa.func.trim(self._key[0])
        statement = sa.select(*columns).select_from(self._table)
        return statement.where(trimmed.in_(_list([self._value(number) for number in numbers])))

    def parents(self, numbers: Sequence[Any], *, is_trimmed: bool, as_octets: bool) -> Select[Any]:
        """Number, version and columns of the parents of `numbers`; `is_trimmed`: blanks aside, without an index."""
        parent = self.declaration.parent
        assert parent is not None
        on = self._p[parent.on]
        as_bytes = self._dialect.as_bytes if as_octets else lambda column: column
        version = [self._p[name] for name in self._parent_version()] or [sa.literal(1)]
        columns = [as_bytes(on), *version, *(as_bytes(self._p[name]) for name in parent.columns)]
        wanted = sa.func.trim(on) if is_trimmed else on
        return sa.select(*columns).where(wanted.in_(_list([self._value(number) for number in numbers])))


def mark_time(value: Any) -> str:
    """The change time of a mark: compared in the database again, so a text is kept as it stands there."""
    return value if isinstance(value, str) else time_text(value)
