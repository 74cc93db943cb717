"""Every exception of the drivers means something to the runtime."""

from __future__ import annotations

import inspect
import sqlite3
from typing import TYPE_CHECKING

import psycopg
import psycopg.errors
import pymysql.err
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.database.error_map import is_undecodable, kind_of, mapped
from bus.errors import ConfigurationError, FatalError, TransientError

if TYPE_CHECKING:
    from types import ModuleType

_MODULES = (psycopg, psycopg.errors, pymysql.err, sqlite3)


def _exceptions(module: ModuleType) -> set[type[Exception]]:
    return {
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__.split(".")[0] in {"psycopg", "pymysql", "sqlite3"}
    }


@pytest.mark.parametrize("module", _MODULES)
def test_no_exception_of_a_driver_is_unmapped(module: ModuleType) -> None:
    kinds = _exceptions(module)
    assert len(kinds) >= 10
    unmapped = [kind.__qualname__ for kind in kinds if kind_of(kind.__new__(kind)) is None]
    assert not unmapped


def test_an_exception_outside_the_table_is_noticed() -> None:
    assert kind_of(RuntimeError("x")) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.AdminShutdown(), TransientError),
        (psycopg.errors.QueryCanceled(), TransientError),
        (psycopg.errors.DeadlockDetected(), TransientError),
        (psycopg.errors.UndefinedTable(), ConfigurationError),
        (psycopg.errors.InsufficientPrivilege(), ConfigurationError),
        (psycopg.errors.InvalidPassword(), ConfigurationError),
        (psycopg.errors.DataCorrupted(), FatalError),
        (pymysql.err.OperationalError(2013, "Lost connection"), TransientError),
        (pymysql.err.OperationalError(1045, "Access denied"), ConfigurationError),
        (pymysql.err.OperationalError(1054, "Unknown column"), ConfigurationError),
        (pymysql.err.ProgrammingError(1146, "no table"), ConfigurationError),
        (pymysql.err.OperationalError(1969, "max_statement_time exceeded"), TransientError),
        (sqlite3.OperationalError("database is locked"), TransientError),
        (sqlite3.OperationalError("no such table: x"), ConfigurationError),
        (sqlite3.DatabaseError("file is not a database"), ConfigurationError),
    ],
)
def test_the_most_specific_class_wins(error: Exception, kind: type[Exception]) -> None:
    assert kind_of(error) is kind


def test_texts_say_what_was_done_and_what_the_driver_said() -> None:
    with pytest.raises(TransientError, match=r"^reading: OperationalError: database is locked$"), mapped("reading"):
        raise DBAPIError("SELECT 1", {}, sqlite3.OperationalError("database is locked"))
    with pytest.raises(ConfigurationError) as caught, mapped("reading"):
        raise DBAPIError("SELECT 1", {}, sqlite3.OperationalError("no such table: x"))
    assert caught.value.problems == ("reading: OperationalError: no such table: x",)
    with pytest.raises(FatalError, match=r"^reading: ValueError: x$"), mapped("reading"):
        raise DBAPIError("SELECT 1", {}, ValueError("x"))
    with pytest.raises(TransientError, match="reading: full"), mapped("reading"):
        raise PoolTimeoutError("full")


def test_a_lost_connection_is_transient_whatever_its_class() -> None:
    with pytest.raises(TransientError), mapped("reading"):
        raise DBAPIError("x", {}, sqlite3.ProgrammingError("closed"), connection_invalidated=True)


def test_only_a_failure_to_decode_passes() -> None:
    undecodable = UnicodeDecodeError("gbk", b"\xff", 0, 1, "x")
    assert is_undecodable(undecodable)
    with pytest.raises(UnicodeDecodeError), mapped("reading", passes_undecodable=True):
        raise undecodable
    text = DBAPIError("x", {}, sqlite3.OperationalError("Could not decode to UTF-8 column 'a'"))
    with pytest.raises(DBAPIError), mapped("reading", passes_undecodable=True):
        raise text
    with pytest.raises(KeyError), mapped("reading", passes_undecodable=True):
        raise KeyError("x")


def test_an_error_of_the_socket_itself_is_waited_for() -> None:
    with pytest.raises(TransientError, match=r"connecting: .*Name or service not known"), mapped("connecting"):
        raise OSError(-2, "Name or service not known")
