"""The next output is made while the last one is used, and nothing else changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from adapters.database.ahead import ahead
from adapters.database.passes import Output
from adapters.database.position import Position
from bus.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Generator


def output(number: int) -> Output:
    return Output((), Position(late_s=float(number)))


def test_the_next_output_is_made_while_the_last_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def outputs() -> Generator[Output, None, None]:
        for number, event in enumerate(made):
            event.set()
            yield output(number)

    stepped = ahead(outputs())
    assert next(stepped) == output(0)
    assert made[1].wait(5)
    assert not made[2].is_set()
    assert list(stepped) == [output(1), output(2)]


def test_an_error_comes_where_it_would_have_come() -> None:
    def outputs() -> Generator[Output, None, None]:
        yield output(1)
        raise TransientError("connection lost")

    stepped = ahead(outputs())
    assert next(stepped) == output(1)
    with pytest.raises(TransientError, match="connection lost"):
        next(stepped)


def test_closing_waits_for_the_step_under_way_and_closes_the_pass() -> None:
    begun, closed = threading.Event(), threading.Event()
    until = threading.Event()

    def outputs() -> Generator[Output, None, None]:
        try:
            yield output(1)
            begun.set()
            until.wait(5)
            yield output(2)
        finally:
            closed.set()

    stepped = ahead(outputs())
    assert next(stepped) == output(1)
    assert begun.wait(5)
    threading.Timer(0.05, until.set).start()
    stepped.close()
    assert until.is_set()
    assert closed.is_set()
