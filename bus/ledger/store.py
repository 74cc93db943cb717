"""The store: one engine on SQLite or PostgreSQL, its tables, and transactions that take the write lock at once."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, create_engine, event, insert, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from bus.errors import ConfigurationError, ExchangeError, FatalError, TransientError
from bus.ledger import schema
from bus.private import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Insert, Update


#: How long a write waits for its turn.
_PATIENCE_S: Final = 60


#: Lengths of IN lists. Each length is a statement of its own, which drivers prepare and keep, some 60 KB each.
_LENGTHS: Final = (1, 10, 100, 1000)


def in_lists(values: Sequence[str]) -> Iterator[list[str]]:
    """`values` in lists of few different lengths; one that is not full is filled up by repeating its last value."""
    longest = _LENGTHS[-1]
    for start in range(0, len(values), longest):
        part = list(values[start : start + longest])
        length = next(length for length in _LENGTHS if length >= len(part))
        yield part + part[-1:] * (length - len(part))


class Statement:
    """An INSERT or UPDATE compiled once and run with tuples.

    Running a compiled text with tuples costs a third of SQLAlchemy's own executemany with dictionaries
    (`gateway bench`), and the path of a record runs two of them a record.
    """

    __slots__ = ("_text", "columns")

    def __init__(self, engine: Engine, statement: Insert | Update) -> None:
        compiled = statement.compile(engine)
        self._text = str(compiled)
        self.columns: Sequence[str] = tuple(compiled.positiontup or ())

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run for all rows; nothing for none."""
        if rows:
            connection.exec_driver_sql(self._text, list(rows))


def _open_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise ConfigurationError(
                [f"store: {parsed.render_as_string()}: the ledger lives in sqlite:/// or postgresql+psycopg://"]
            )
        style = {"paramstyle": "qmark"} if parsed.get_backend_name() == "sqlite" else {"paramstyle": "format"}
        return create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite", **style)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError([f"store: not a database URL that works here: {error}"]) from error
    except ValueError as error:  # its text quotes a part of the URL, which may be one of a password
        raise ConfigurationError(["store: not a database URL that works here: its port is no number"]) from error


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # BEGIN is ours, below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_PATIENCE_S}000"):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get("is_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def _make_private(name: str | None) -> None:
    if not name or name == ":memory:":
        return
    try:
        make_private(Path(name))
    except OSError as error:
        raise TransientError(f"the store {name} cannot be made: {error.strerror}") from error


def _writer(engine: Engine) -> Engine:
    """The engine of write transactions: on SQLite one connection, for which this process's threads queue.

    So its page cache stays valid from one commit to the next, and a thread that waits is woken when it is its turn,
    where SQLite's own way to wait is to sleep and look again.
    """
    if engine.dialect.name != "sqlite" or engine.url.database in {None, "", ":memory:"}:
        return engine.execution_options(is_write=True)
    single = create_engine(
        engine.url, paramstyle="qmark", pool_size=1, max_overflow=0, pool_timeout=_PATIENCE_S, poolclass=QueuePool
    )
    _prepare_sqlite(single)
    return single.execution_options(is_write=True)


class Store:
    """The ledger's database.

    Raises:
        ConfigurationError: the URL is of no use here.
        TransientError: the database cannot be reached now.
        FatalError: the tables are of another version of this program.
    """

    def __init__(self, url: str) -> None:
        self.engine = _open_engine(url)
        self.url = url
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine)
            _make_private(self.engine.url.database)
        self._writing = _writer(self.engine)
        try:
            self._create()
        except ExchangeError:
            self.close()
            raise

    def _create(self) -> None:
        with self.write() as connection:
            if _check_version(connection):
                return
            schema.metadata.create_all(connection)
            connection.execute(insert(schema.meta).values(name="version", value=str(schema.VERSION)))

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that holds the write lock from its start and commits at the end of the block."""
        return self._guard(self._writing)

    def read(self) -> AbstractContextManager[Connection]:
        """A consistent view."""
        return self._guard(self.engine)

    @contextmanager
    def _guard(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise TransientError(f"the store {self.engine.url!r} did not answer: {error.orig}") from error
        except PoolTimeout as error:
            raise TransientError(f"the store {self.engine.url!r} is busy: {error}") from error

    def close(self) -> None:
        """Close every connection."""
        self._writing.dispose()
        self.engine.dispose()


def check_url(url: str) -> None:
    """Whether the URL is of use at all; nothing is opened.

    Raises:
        ConfigurationError: unknown product, driver not installed, or malformed.
    """
    _open_engine(url).dispose()


def probe(url: str) -> None:
    """Whether a store could be opened, without making or changing anything.

    Raises:
        ConfigurationError: the URL is of no use here, or its folder does not exist.
        TransientError: the database does not answer.
        FatalError: the tables are of another version of this program.
    """
    engine = _open_engine(url)
    try:
        if engine.dialect.name == "sqlite" and not _sqlite_exists(engine):
            return
        with engine.connect() as connection:
            _check_version(connection)
    except DBAPIError as error:
        raise TransientError(f"the store {engine.url!r} did not answer: {error.orig}") from error
    finally:
        engine.dispose()


def _sqlite_exists(engine: Engine) -> bool:
    name = engine.url.database
    if not name or name == ":memory:":
        return False
    if not Path(name).parent.is_dir():
        raise ConfigurationError([f"store: the folder {Path(name).parent} does not exist; make it first"])
    return Path(name).exists()


def _check_version(connection: Connection) -> bool:
    """Whether the tables are there; raises FatalError when they are of another version."""
    if not inspect(connection).has_table("meta"):
        return False
    found = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.name == "version"))
    if found != str(schema.VERSION):
        raise FatalError(
            f"the store {connection.engine.url!r} has tables of version {found}, this program needs {schema.VERSION}: "
            "use the program that made it, or another store"
        )
    return True
