"""Reading rows inside one snapshot: in a stream, page by page, and as octets where a page does not decode."""

from __future__ import annotations

import pickle
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy.exc import DBAPIError

from adapters.database.error_map import is_undecodable, mapped
from adapters.database.position import Mark
from adapters.database.statements import mark_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select

    from adapters.database.dialects import Dialect
    from adapters.database.rows import RowPlan
    from adapters.database.statements import TableStatements

PAGE_ROWS: Final = 500
_THIN_ROWS: Final = 5_000
#: Without parallel cursors a table is read in chunks that lie in an anonymous file until they are merged. A chunk costs
#: the platform one scan, so chunks grow; the first is small, so that the first record comes soon.
_FIRST_CHUNK_ROWS: Final = 5_000
_SHORT_ROWS: Final = 200
_CHUNK_ROWS: Final = 80_000
_SPOOL_BYTES: Final = 2 << 20


class Damage(NamedTuple):
    """What did not decode in one row: names of its columns, and the octets of all its text columns."""

    columns: tuple[str, ...]
    raw: bytes


class Page(NamedTuple):
    """Rows of one table; `damage` by place in `rows`."""

    rows: Sequence[tuple[Any, ...]]
    damage: dict[int, Damage]


def _mark(statements: TableStatements, plan: RowPlan, page: Page) -> Mark:
    row = page.rows[-1]
    return Mark(mark_time(row[plan.time_at]), statements.rank, tuple(row[i] for i in plan.key_at))


class Reader:
    """Reads tables on one connection that stands in a snapshot.

    Args:
        connection: inside its snapshot.
        dialect: the product.
        codec: encoding of octets as stored.
        is_octets: every text is read as octets (`bytes_as`).
    """

    def __init__(self, connection: Connection, dialect: Dialect, *, codec: str, is_octets: bool) -> None:
        self._connection = connection
        self._dialect = dialect
        self._codec = codec
        self._is_octets = is_octets

    def table(self, statements: TableStatements, plan: RowPlan, *, after: Mark | None) -> Iterator[Page]:
        """All rows that have a change time and follow `after`, in the order of change time and key."""
        read = self._streamed if self._dialect.has_parallel_cursors else self._spooled
        while True:
            try:
                for page in read(statements, plan, after):
                    after = _mark(statements, plan, page)
                    yield page
            except (UnicodeDecodeError, DBAPIError) as error:
                if not is_undecodable(error):
                    raise
            else:
                return
            # The page that failed, and whatever follows it on the page's length; after that as before.
            select = statements.full(after, limit=PAGE_ROWS, as_octets=True)
            page = self._decoded(self._all(select), plan.names, plan.text_at, plan.key_at)
            after = _mark(statements, plan, page)
            yield page

    def _streamed(self, statements: TableStatements, plan: RowPlan, after: Mark | None) -> Iterator[Page]:
        select = statements.full(after, limit=None, as_octets=self._is_octets)
        for rows in self._partitions(select):
            yield self._page(rows, plan)

    def _spooled(self, statements: TableStatements, plan: RowPlan, after: Mark | None) -> Iterator[Page]:
        limit = _FIRST_CHUNK_ROWS
        while True:
            select = statements.full(after, limit=limit, as_octets=self._is_octets)
            with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
                pages, count, failure = self._spool(select, spool)
                spool.seek(0)
                for _ in range(pages):
                    page = self._page(pickle.load(spool), plan)  # noqa: S301 - our own anonymous file
                    after = _mark(statements, plan, page)
                    yield page
            if failure is not None:
                raise failure
            if count < limit:
                return
            limit = min(limit * 2, _CHUNK_ROWS)

    def _spool(self, select: Select[Any], spool: IO[bytes]) -> tuple[int, int, Exception | None]:
        """Write one chunk; a page that does not decode ends it and is returned, after what was read before it."""
        pages = count = 0
        try:
            for rows in self._partitions(select):
                pickle.dump(list(map(tuple, rows)), spool, protocol=pickle.HIGHEST_PROTOCOL)
                pages += 1
                count += len(rows)
        except (UnicodeDecodeError, DBAPIError) as error:
            if not is_undecodable(error):
                raise
            return pages, count, error
        return pages, count, None

    def thin(
        self,
        statements: TableStatements,
        base: ColumnElement[bool] | None,
        age: ColumnElement[Any] | None,
        *,
        is_short: bool = False,
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Thin rows in no order. When a key does not decode, all come once more, such a cell as octets.

        `is_short`: few are expected, so a plain query is tried first: a cursor costs four journeys to the server.
        """
        try:
            if not self._is_octets:
                if is_short:
                    rows = self._all(statements.thin(base, age=age, as_octets=False).limit(_SHORT_ROWS + 1))
                    if len(rows) <= _SHORT_ROWS:
                        yield rows
                        return
                yield from self._partitions(statements.thin(base, age=age, as_octets=False), size=_THIN_ROWS)
                return
        except (UnicodeDecodeError, DBAPIError) as error:
            if not is_undecodable(error):
                raise
        names = statements.thin_names
        text_at = tuple(i for i, name in enumerate(names) if statements.is_text(name))
        for rows in self._partitions(statements.thin(base, age=age, as_octets=True), size=_THIN_ROWS):
            yield self._decoded(rows, names, text_at, tuple(range(len(names)))).rows

    def by_key(self, statements: TableStatements, plan: RowPlan, keys: Sequence[tuple[Any, ...]]) -> Page:
        """Whole rows of `keys`, in no order."""
        return self.small(partial(statements.by_key, keys), plan.names, text_at=plan.text_at, key_at=plan.key_at)

    def small(
        self,
        select: Callable[..., Select[Any]],
        names: Sequence[str],
        *,
        text_at: Sequence[int],
        key_at: Sequence[int] = (),
    ) -> Page:
        """A result that fits in memory; `select(as_octets=…)` makes the statement, with texts as such or as octets."""
        if not self._is_octets:
            try:
                return Page(self._all(select(as_octets=False)), {})
            except (UnicodeDecodeError, DBAPIError) as error:
                if not is_undecodable(error):
                    raise
        return self._decoded(self._all(select(as_octets=True)), names, text_at, key_at)

    def _all(self, select: Select[Any]) -> Sequence[tuple[Any, ...]]:
        with mapped("reading", passes_undecodable=True):
            return list(map(tuple, self._connection.execute(select)))

    def _partitions(self, select: Select[Any], *, size: int = PAGE_ROWS) -> Iterator[Sequence[tuple[Any, ...]]]:
        with mapped("reading", passes_undecodable=True):
            result = self._connection.execute(select, execution_options={"stream_results": True, "yield_per": size})
        try:
            while True:
                with mapped("reading", passes_undecodable=True):
                    rows = result.fetchmany(size)
                if not rows:
                    return
                yield rows
        finally:
            result.close()

    def _page(self, rows: Sequence[tuple[Any, ...]], plan: RowPlan) -> Page:
        if not self._is_octets:
            return Page(rows, {})
        return self._decoded(rows, plan.names, plan.text_at, plan.key_at)

    def _decoded(
        self,
        rows: Sequence[tuple[Any, ...]],
        names: Sequence[str],
        text_at: Sequence[int],
        key_at: Sequence[int],
    ) -> Page:
        decoded, damage = [], {}
        for place, row in enumerate(rows):
            cells, bad = list(row), []
            for i in text_at:
                if cells[i] is None:
                    continue
                try:
                    cells[i] = cells[i].decode(self._codec)
                except UnicodeDecodeError:
                    bad.append(names[i])
                    # A key is asked for again, so its octets stay as they are.
                    if i not in key_at:
                        cells[i] = cells[i].decode(self._codec, "backslashreplace")
            if bad:
                raw = b"\n".join(names[i].encode() + b"=" + (row[i] or b"") for i in text_at)
                damage[place] = Damage(tuple(bad), raw)
            decoded.append(tuple(cells))
        return Page(decoded, damage)
