"""The yardstick: waits for every confirm, in whatever order they come, and stops at a refusal."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bus.errors import FatalError
from monitor.bench.yardstick import Pace, pour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def method(channel: int, numbers: tuple[int, int], arguments: bytes = b"") -> bytes:
    payload = struct.pack(">HH", *numbers) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


def ack(tag: int, *, multiple: bool = False) -> bytes:
    return method(1, (60, 80), struct.pack(">QB", tag, multiple))


HANDSHAKE = (
    method(0, (10, 10)),
    method(0, (10, 30)),
    method(0, (10, 41)),
    method(1, (20, 11)),
    method(1, (85, 11)),
)


class Scripted:
    """A broker that shakes hands and then says what it is told."""

    def __init__(self, answers: Sequence[bytes], *, handshake: Sequence[bytes] = HANDSHAKE) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"amqp://guest:guest@127.0.0.1:{self._listener.getsockname()[1]}/a%2Fb"
        self.heard = b""
        self._answers, self._handshake = answers, handshake
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            for place, answer in enumerate(self._handshake):
                self.heard += connection.recv(4096)
                while place == 2 and b"a/b" not in self.heard:  # Tune-Ok and Open come in one piece or in two
                    self.heard += connection.recv(4096)
                connection.sendall(answer)
            for answer in self._answers:
                self.heard += b"" if self.heard.endswith(b"one") else connection.recv(65_536)
                connection.sendall(answer)
                time.sleep(0.1)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass

    def close(self) -> None:
        self._listener.close()
        self._thread.join()


@pytest.fixture
def servers() -> Iterator[list[Scripted]]:
    started: list[Scripted] = []
    yield started
    for server in started:
        server.close()


def test_confirms_count_in_any_order_and_any_cut(servers: list[Scripted]) -> None:
    confirms = ack(1) + ack(3) + ack(2) + ack(5, multiple=True) + ack(4)
    servers.append(Scripted([confirms[:30], confirms[30:] + ack(6)]))
    pace = pour(servers[0].url, [(5, b"five"), (1, b"one")])
    assert pace.messages == 5
    assert pace.seconds >= 0
    assert b"guest\0guest" in servers[0].heard
    assert b"five" in servers[0].heard


def test_not_more_than_a_window_is_under_way(servers: list[Scripted]) -> None:
    servers.append(Scripted([ack(1000, multiple=True), ack(1001)]))
    assert pour(servers[0].url, [(1000, b"many"), (1, b"last")]).messages == 1


@pytest.mark.parametrize("answer", [method(1, (60, 120), struct.pack(">QB", 1, 0)), method(1, (60, 50))])
def test_a_nack_or_a_return_ends_it(servers: list[Scripted], answer: bytes) -> None:
    servers.append(Scripted([answer]))
    with pytest.raises(FatalError, match="refused"):
        pour(servers[0].url, [(1, b"x")])


def test_a_broker_that_closes_ends_it(servers: list[Scripted]) -> None:
    servers.append(Scripted([b""]))
    with pytest.raises(FatalError, match="closed"):
        pour(servers[0].url, [(1, b"x")])


def test_a_broker_that_speaks_otherwise_is_refused(servers: list[Scripted]) -> None:
    servers.append(Scripted([], handshake=[b"AMQP\0\0\x09\x02"]))
    with pytest.raises(FatalError, match="did not answer with method"):
        pour(servers[0].url, [(1, b"x")])


def test_a_pace_is_a_rate() -> None:
    assert Pace(500, 0.25).rate == 2000
