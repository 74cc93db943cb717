"""One table from the drivers' exceptions to what the runtime does about them.

Keys are qualified class names, so that no driver is imported; the most specific class of the exception's own line of
descent wins. Where a driver tells cases apart by number only, `CODES` is asked first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bus.errors import ConfigurationError, ExchangeError, FatalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The classes of PEP 249 as every driver means them, and the drivers that have them in a module of that name.
_PEP_249: Final[Mapping[str, type[ExchangeError]]] = {
    "Warning": FatalError,
    "Error": TransientError,
    "InterfaceError": TransientError,
    "DatabaseError": TransientError,
    "OperationalError": TransientError,
    "InternalError": TransientError,
    "DataError": FatalError,
    "IntegrityError": FatalError,
    "NotSupportedError": FatalError,
    "ProgrammingError": ConfigurationError,
}
_MODULES: Final = ("sqlite3", "psycopg", "pymysql.err", "MySQLdb", "oracledb.exceptions", "pymssql.exceptions")

ERROR_MAP: Final[Mapping[str, type[ExchangeError]]] = {
    **{f"{module}.{name}": kind for module in _MODULES for name, kind in _PEP_249.items()},
    "pymysql.err.MySQLError": TransientError,
    "psycopg.errors.InvalidAuthorizationSpecification": ConfigurationError,
    "psycopg.errors.InvalidPassword": ConfigurationError,
    "psycopg.errors.InvalidCatalogName": ConfigurationError,
    "psycopg.errors.QueryCanceled": TransientError,
    "psycopg.errors.DataCorrupted": FatalError,
    "psycopg.errors.IndexCorrupted": FatalError,
    "psycopg.errors.ActiveSqlTransaction": TransientError,
    "psycopg.Rollback": TransientError,
}

#: (driver module, error number) → kind. MySQL: access denied, unknown database, table, column.
CODES: Final[Mapping[tuple[str, int], type[ExchangeError]]] = {
    ("pymysql.err", code): ConfigurationError for code in (1044, 1045, 1049, 1054, 1142, 1143, 1146, 1227)
} | {("pymysql.err", code): TransientError for code in (1205, 1213, 1317, 1969, 3024)}

#: SQLite has one class for nearly everything; the beginning of its text tells.
_SQLITE_CONFIGURATION: Final = ("no such table", "no such column", "file is not a database")


def qualified(kind: type[BaseException]) -> str:
    """Name under which a class stands in `ERROR_MAP`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def kind_of(error: BaseException) -> type[ExchangeError] | None:
    """What a driver's exception means, or None when the table does not know it."""
    code = error.args[0] if error.args else None
    for kind in type(error).__mro__:
        if isinstance(code, int) and (kind.__module__, code) in CODES:
            return CODES[kind.__module__, code]
        if kind.__module__ == "sqlite3" and str(error).startswith(_SQLITE_CONFIGURATION):
            return ConfigurationError
        if qualified(kind) in ERROR_MAP:
            return ERROR_MAP[qualified(kind)]
    return None


def is_undecodable(error: Exception) -> bool:
    """Whether a read failed only because octets did not decode."""
    if isinstance(error, DBAPIError):
        return str(error.orig).startswith("Could not decode to UTF-8")
    return isinstance(error, UnicodeDecodeError)


class mapped:  # noqa: N801 - a context manager, used like a function
    """Turn a driver's exception into the taxonomy's; `action` says what was being done.

    Args:
        action: beginning of the error's text.
        passes_undecodable: let a failure to decode through as it is, because the page is then read in another way.

    Raises:
        TransientError, ConfigurationError, FatalError: as the table says; a class that it does not know is fatal.
    """

    __slots__ = ("_action", "_passes_undecodable")

    def __init__(self, action: str, *, passes_undecodable: bool = False) -> None:
        self._action = action
        self._passes_undecodable = passes_undecodable

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _: object, error: BaseException | None, traceback: object) -> None:
        """Raise what the driver's exception means."""
        if self._passes_undecodable and isinstance(error, Exception) and is_undecodable(error):
            return
        if isinstance(error, PoolTimeoutError | OSError):  # some drivers let the socket's own error through
            raise TransientError(f"{self._action}: {error}") from error
        if isinstance(error, DBAPIError):
            raise translated(error, self._action) from error


def translated(error: DBAPIError, action: str) -> ExchangeError:
    """The taxonomy's error for one of a driver."""
    kind = kind_of(error.orig) if error.orig is not None else None
    text = f"{action}: {type(error.orig).__name__}: {str(error.orig).strip()}"
    if error.connection_invalidated:
        return TransientError(text)
    if kind is ConfigurationError:
        return ConfigurationError([text])
    return (kind or FatalError)(text)
