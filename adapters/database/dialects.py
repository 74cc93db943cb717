"""What differs between database products: snapshot, clock, horizon, octets, cursors. All of it is here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from bus.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.sql.elements import ColumnElement

_XIDS: Final = 1 << 32

#: What servers and drivers call an encoding → Python's codec; everything else is UTF-8.
_CODECS: Final = {
    "euc_cn": "gb18030",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "cp1252": "cp1252",
    "latin1": "latin-1",
}


class Horizon(NamedTuple):
    """A PostgreSQL snapshot: which transactions it could not see yet.

    Attributes:
        xmin: every transaction below had ended.
        xmax: no transaction from here on had ended; 0 = nothing is known to be new, only may be.
        running: top-level transactions between the two that were running.
    """

    xmin: int
    xmax: int
    running: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Horizon:
        """Read PostgreSQL's text form `xmin:xmax:xip,…`."""
        xmin, xmax, running = text.split(":")
        return cls(int(xmin), int(xmax), tuple(int(xid) for xid in running.split(",") if xid))

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.running))}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One product.

    Attributes:
        isolation: isolation level of a pass, set on the connection, or "".
        begin: statements that begin a read-only snapshot, in order.
        limit: statement that sets the time limit of a page, `{s}` and `{ms}` filled in, or "".
        clock: expression for the server's time in UTC.
        clock_from: what the clock is selected from, or "".
        has_parallel_cursors: several results of one connection can be read in turns.
        as_bytes: column → its octets as stored.
        has_row_values: `(a, b) IN ((1, 2), …)` is understood.
        keeps_time_as_text: there is no type for times.
        has_horizon: snapshots tell which transactions they cannot see, and rows which one wrote them.
    """

    isolation: str
    begin: tuple[str, ...]
    limit: str
    clock: str
    has_parallel_cursors: bool
    as_bytes: Callable[[ColumnElement[Any]], ColumnElement[Any]]
    clock_from: str = ""
    has_row_values: bool = True
    keeps_time_as_text: bool = False
    has_horizon: bool = False


def _blob(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.cast(column, sa.LargeBinary)


def _binary(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # SQLAlchemy would write BINARY with a length, which pads.
    return sa.literal_column(f"CAST({_quoted(column)} AS BINARY)", sa.LargeBinary)


def _converted(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # Never a conversion: the target is the database's own encoding, so the octets come as they are stored.
    return sa.func.convert_to(column, sa.func.getdatabaseencoding(), type_=sa.LargeBinary)


def _raw(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.func.utl_raw.cast_to_raw(column, type_=sa.LargeBinary)


def _varbinary(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.cast(column, sa.VARBINARY(8000))


def _quoted(column: ColumnElement[Any]) -> str:
    from sqlalchemy.dialects import mysql  # noqa: PLC0415 - only MySQL sites pay for it

    return str(column.compile(dialect=mysql.dialect()))


_MYSQL_BEGIN: Final = (
    # A slow consumer must not make the server drop a half-read result.
    "SET SESSION net_write_timeout = 3600",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)

DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": Dialect(
        isolation="",
        begin=("BEGIN",),
        limit="",
        clock="strftime('%Y-%m-%d %H:%M:%f', 'now')",
        has_parallel_cursors=True,
        as_bytes=_blob,
        keeps_time_as_text=True,
    ),
    "postgresql": Dialect(
        isolation="REPEATABLE READ",
        begin=(),
        limit="SET LOCAL statement_timeout = {ms}",
        clock="clock_timestamp()",
        has_parallel_cursors=True,
        as_bytes=_converted,
        has_horizon=True,
    ),
    "mysql": Dialect(
        isolation="REPEATABLE READ",
        begin=_MYSQL_BEGIN,
        limit="SET SESSION max_execution_time = {ms}",
        clock="UTC_TIMESTAMP(6)",
        has_parallel_cursors=False,
        as_bytes=_binary,
    ),
    "mariadb": Dialect(
        isolation="REPEATABLE READ",
        begin=_MYSQL_BEGIN,
        limit="SET SESSION max_statement_time = {s}",
        clock="UTC_TIMESTAMP(6)",
        has_parallel_cursors=False,
        as_bytes=_binary,
    ),
    "oracle": Dialect(
        isolation="",
        begin=("SET TRANSACTION READ ONLY",),
        limit="",
        clock="SYS_EXTRACT_UTC(SYSTIMESTAMP)",
        clock_from="DUAL",
        has_parallel_cursors=True,
        as_bytes=_raw,
    ),
    "mssql": Dialect(
        isolation="SNAPSHOT",
        begin=(),
        limit="SET LOCK_TIMEOUT {ms}",
        clock="SYSUTCDATETIME()",
        has_parallel_cursors=False,
        as_bytes=_varbinary,
        has_row_values=False,
    ),
}


def dialect_of(engine: Engine) -> Dialect:
    """The product that `engine` speaks to. Raises ConfigurationError for one that is not supported."""
    name = engine.dialect.name
    if name == "mysql" and getattr(engine.dialect, "is_mariadb", False):
        name = "mariadb"
    if name not in DIALECTS:
        raise ConfigurationError([f"options.url: {name} is not supported; supported are {', '.join(DIALECTS)}"])
    return DIALECTS[name]


def codec_of(connection: Connection) -> str:
    """Encoding in which this connection's octets are text; GB2312 and GBK are read as GB18030, which holds both."""
    name = "utf-8"
    if connection.dialect.name == "postgresql":
        name = server_encoding(connection)
    elif connection.dialect.name in {"mysql", "mariadb"}:
        name = str(getattr(connection.connection.dbapi_connection, "encoding", name))
    return _CODECS.get(name.lower(), "utf-8")


def server_encoding(connection: Connection) -> str:
    """What a PostgreSQL database calls its encoding."""
    return str(connection.exec_driver_sql("SHOW server_encoding").scalar_one())


def needs_octets(connection: Connection) -> bool:
    """Whether texts have to be read as octets at all times.

    PostgreSQL converts while it sends, and one bad character ends the transaction, so that the page cannot be read
    again. Only a database in UTF-8 cannot hold one.
    """
    return connection.dialect.name == "postgresql" and server_encoding(connection) != "UTF8"


def source_clock(connection: Connection, dialect: Dialect) -> datetime:
    """The server's clock, aware, UTC."""
    tail = f" FROM {dialect.clock_from}" if dialect.clock_from else ""
    value = connection.exec_driver_sql(f"SELECT {dialect.clock}{tail}").scalar_one()
    moment: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def begin_snapshot(connection: Connection, dialect: Dialect, *, limit_s: float) -> datetime:
    """Begin a read-only snapshot; every later statement on the connection sees the same state.

    Returns:
        The source's clock, read before the snapshot where the product allows it, so that a change time below that
        second cannot be given again to a row of the snapshot.
    """
    now = None
    if dialect.begin:
        now = source_clock(connection, dialect)
        connection.rollback()
    if dialect.limit and limit_s:
        connection.exec_driver_sql(dialect.limit.format(s=limit_s, ms=int(limit_s * 1000)))
    for statement in dialect.begin:
        connection.exec_driver_sql(statement)
    return now or source_clock(connection, dialect)


def horizon(connection: Connection) -> Horizon:
    """The snapshot of the running PostgreSQL transaction."""
    is_new = (connection.dialect.server_version_info or (0,)) >= (13,)
    function = "pg_current_snapshot" if is_new else "txid_current_snapshot"
    return Horizon.parse(connection.exec_driver_sql(f"SELECT {function}()::text").scalar_one())


def row_age(xmin: ColumnElement[Any], now: Horizon) -> ColumnElement[Any]:
    """How many transactions ago a row version was written, from `now.xmax`: 1 = the newest.

    A row keeps 32 bits of its transaction's 64; the difference is right for the last 4 milliard transactions, and what
    is older is taken for newer, never the reverse.
    """
    xid = sa.cast(sa.cast(xmin, sa.Text), sa.BigInteger)
    return (sa.literal(now.xmax % _XIDS + _XIDS, sa.BigInteger) - xid) % sa.literal(_XIDS, sa.BigInteger)
