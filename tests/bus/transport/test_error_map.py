"""Every exception of the drivers has a meaning to the runtime."""

from __future__ import annotations

import inspect
import sqlite3
from typing import TYPE_CHECKING

import pytest
from pika import exceptions
from pika.adapters.utils import connection_workflow as workflow

from bus.errors import FatalError, TransientError
from bus.transport.error_map import BY_REPLY_CODE, FATAL_REPLIES, PIKA, SQLITE, from_pika, from_sqlite

if TYPE_CHECKING:
    from types import ModuleType

_TREE_HEADS = {exceptions.AMQPError, exceptions.AMQPChannelError}


def _exceptions(module: ModuleType) -> set[type[BaseException]]:
    classes = [each for _, each in inspect.getmembers(module, inspect.isclass)]
    return {each for each in classes if issubclass(each, Exception) and each.__module__ == module.__name__}


def test_every_exception_of_pika_is_mapped_by_its_own_name_or_reply_code() -> None:
    unmapped = {
        each
        for each in _exceptions(exceptions) - _TREE_HEADS
        if each not in PIKA and not issubclass(each, BY_REPLY_CODE)
    }
    assert unmapped == set()
    assert {each for each in _exceptions(workflow) if not issubclass(each, tuple(PIKA))} == set()


def test_every_exception_of_sqlite_is_mapped_by_its_own_name() -> None:
    found = {each for _, each in inspect.getmembers(sqlite3, inspect.isclass) if issubclass(each, sqlite3.Error)}
    assert found - SQLITE.keys() == set()


@pytest.mark.parametrize(("code", "advice"), FATAL_REPLIES.items())
def test_reply_codes_that_need_an_operator_are_fatal_and_say_what_to_do(code: int, advice: str) -> None:
    for kind in (exceptions.ChannelClosedByBroker, exceptions.ConnectionClosedByBroker):
        error = from_pika(kind(code, "words of the broker"), what="publishing")
        assert type(error) is FatalError
        assert str(error) == f"publishing: {code} words of the broker: {advice}"


@pytest.mark.parametrize("code", [200, 313, 320, 405, 541])
def test_other_reply_codes_are_transient(code: int) -> None:
    error = from_pika(exceptions.ConnectionClosedByBroker(code, "CONNECTION_FORCED"), what="publishing")
    assert type(error) is TransientError
    assert str(error) == f"publishing: {code} CONNECTION_FORCED"


def test_the_reason_is_dug_out_of_what_connecting_wraps_around_it() -> None:
    refused = workflow.AMQPConnectorSocketConnectError(ConnectionRefusedError("refused"))
    wrapped = exceptions.AMQPConnectionError(workflow.AMQPConnectionWorkflowFailed([OSError("first"), refused]))
    error = from_pika(wrapped, what="connecting")
    assert type(error) is TransientError
    assert str(error) == "connecting: ConnectionRefusedError('refused')"
    denied = workflow.AMQPConnectorAMQPHandshakeError(exceptions.ProbableAccessDeniedError("vhost"))
    assert type(from_pika(workflow.AMQPConnectionWorkflowFailed([denied]), what="connecting")) is FatalError


def test_what_no_table_knows_stops_the_endpoint() -> None:
    assert type(from_pika(ValueError("odd"), what="publishing")) is FatalError


def test_a_locked_file_is_transient_and_a_broken_one_is_not() -> None:
    locked = from_sqlite(sqlite3.OperationalError("database is locked"), what="embedded bus")
    assert (type(locked), str(locked)) == (TransientError, "embedded bus: database is locked")
    assert type(from_sqlite(sqlite3.DatabaseError("malformed"), what="embedded bus")) is FatalError
