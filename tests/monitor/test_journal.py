"""The journal is read on after a lost connection, and up to what it holds now on a busy bus."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from bus.errors import TransientError
from bus.message import Delivery, Message
from monitor.journal import Journal, read_held, require_file
from monitor.terminal import Stopped, WrongUseError
from tests.monitor.fakes import FakeTransport, entry, sign

if TYPE_CHECKING:
    from pathlib import Path


def read(transport: FakeTransport, *, timeout_s: float = 5) -> list[int]:
    """Numbers of the messages that `read_held` gives."""
    return [int(message.body) for message in read_held(transport, timeout_s=timeout_s)]


def test_everything_up_to_the_present_end_and_then_at_once() -> None:
    transport = FakeTransport([entry(0), entry(1), sign(2)])
    began = time.monotonic()
    assert read(transport) == [0, 1, 2]
    assert time.monotonic() - began < 1
    assert transport.open_channels == 0


def test_a_busy_journal_has_an_end() -> None:
    transport = FakeTransport([entry(0), sign(1)], grows=lambda n: entry(n) if n % 2 == 0 else sign(n))
    assert len(read(transport)) < 20


def test_the_checkpoint_behind_the_end_is_waited_for() -> None:
    transport = FakeTransport([entry(0), sign(1), entry(2)], grows=lambda n: sign(n) if n == 3 else entry(n))
    assert read(transport)[:4] == [0, 1, 2, 3]


def test_a_checkpoint_that_never_comes_is_waited_for_in_vain_for_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.journal._OVERTIME_S", 0.3)
    transport = FakeTransport([entry(0)], grows=entry)
    began = time.monotonic()
    assert len(read(transport)) > 1
    assert time.monotonic() - began < 3


def test_silence_is_the_end_when_nobody_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.journal._SILENCE_S", 0.3)
    assert read(FakeTransport([entry(0), entry(1)])) == [0, 1]


def test_receipts_and_messages_without_a_source_need_no_checkpoint() -> None:
    receipt = Message("receipt.440604.a", {"app_id": "core"}, {}, b"0")
    assert read(FakeTransport([receipt, Message("x", {}, {}, b"1"), sign(2)])) == [0, 1, 2]


def test_an_empty_journal_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.journal._SILENCE_S", 0.1)
    assert read(FakeTransport([])) == []


def test_a_lost_connection_goes_on_at_the_next_message() -> None:
    transport = FakeTransport([entry(n) for n in range(9)], loses_after=4)
    journal = Journal(transport, start="first", timeout_s=5)
    journal.open()
    got: list[Delivery] = []
    while len(got) < 9:
        got += journal.receive(timeout_s=0.1)
    assert [int(delivery.message.body) for delivery in got] == list(range(9))
    assert transport.starts == ["first", 4, 8]
    journal.close()
    journal.close()
    assert transport.open_channels == 0


def test_opening_twice_opens_once() -> None:
    transport = FakeTransport([])
    journal = Journal(transport, start="last", timeout_s=1)
    journal.open()
    journal.open()
    assert transport.starts == ["last"]
    journal.close()


def test_a_bus_that_stays_away_is_said_after_the_time() -> None:
    with pytest.raises(TransientError, match="no broker"):
        Journal(FakeTransport([], is_away=True), start="first", timeout_s=0.2).open()


def test_a_signal_ends_waiting_for_a_bus() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        Journal(FakeTransport([], is_away=True), start="first", timeout_s=60, stop=stop).open()


def test_an_embedded_bus_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="there is no such file"):
        require_file(f"embedded:///{tmp_path}/none.db")
    (tmp_path / "bus.db").touch()
    require_file(f"embedded:///{tmp_path}/bus.db")
    require_file("amqp://u:p@127.0.0.1/x")
