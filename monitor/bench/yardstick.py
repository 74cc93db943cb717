"""The yardstick: a raw socket that writes pre-encoded AMQP frames with pipelined confirms, and nothing else.

It is what this broker can confirm to one connection when the client costs next to nothing: 64 messages a write, at
most 1,000 unconfirmed. The handshake is written out here, so that no client library stands between.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from bus.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW: Final = 1000
PER_WRITE: Final = 64
FRAME_MAX: Final = 131_072
CHANNEL: Final = 1

_FRAME: Final = struct.Struct(">BHI")
_CONFIRM: Final = struct.Struct(">HHQB")
_METHOD: Final = struct.Struct(">HH")
_ACK: Final = (60, 80)


class Pace(NamedTuple):
    """What was confirmed, and when.

    Attributes:
        messages: confirmed after the first confirm.
        seconds: from the first confirm to the last.
    """

    messages: int
    seconds: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


class RawConnection:
    """One AMQP connection with one channel in confirm mode.

    Args:
        url: `amqp://user:password@host:port/vhost`.

    Raises:
        FatalError: the broker does not answer the handshake as expected.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 5672), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._ahead: set[int] = set()
        self.confirmed = 0
        try:
            self._shake_hands(f"\0{parts.username}\0{parts.password}".encode(), unquote(parts.path[1:]))
        except FatalError:
            self.close()
            raise

    def _shake_hands(self, login: bytes, vhost: str) -> None:
        self._socket.sendall(b"AMQP\0\0\x09\x01")
        self._expect(10, 10)
        start_ok = b"\0\0\0\0" + _short("PLAIN") + struct.pack(">I", len(login)) + login + _short("en_US")
        self._call(0, (10, 11), start_ok, (10, 30))
        self._send(0, (10, 31), struct.pack(">HIH", 16, FRAME_MAX, 0))
        self._call(0, (10, 40), _short(vhost) + b"\0\0", (10, 41))
        self._call(CHANNEL, (20, 10), b"\0", (20, 11))
        self._call(CHANNEL, (85, 10), b"\0", (85, 11))

    def _send(self, channel: int, method: tuple[int, int], arguments: bytes) -> None:
        payload = _METHOD.pack(*method) + arguments
        self._socket.sendall(_FRAME.pack(1, channel, len(payload)) + payload + b"\xce")

    def _call(self, channel: int, method: tuple[int, int], arguments: bytes, answer: tuple[int, int]) -> None:
        self._send(channel, method, arguments)
        self._expect(*answer)

    def _expect(self, *method: int) -> None:
        data = self._socket.recv(65_536)
        if len(data) < 11 or _METHOD.unpack_from(data, 7) != method:
            raise FatalError(f"the broker did not answer with method {method}, but with {data[:200]!r}")

    def publish(self, writes: Sequence[tuple[int, bytes]]) -> Pace:
        """Write everything and wait until all of it is confirmed.

        Args:
            writes: (messages, their frames) of one write each.

        Raises:
            FatalError: a nack, a return, or the broker closed.
        """
        sent = self.confirmed
        total = sent + sum(count for count, _ in writes)
        first: tuple[float, int] | None = None
        at = 0
        while self.confirmed < total:
            while at < len(writes) and sent + writes[at][0] - self.confirmed <= WINDOW:
                self._socket.sendall(writes[at][1])
                sent += writes[at][0]
                at += 1
            self._receive()
            if first is None:
                first = (time.monotonic(), self.confirmed)
        assert first is not None
        return Pace(total - first[1], time.monotonic() - first[0])

    def _receive(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise FatalError("the broker closed the yardstick's connection")
        buffer, at = self._rest + data, 0
        while at + 7 <= len(buffer):
            kind, _, size = _FRAME.unpack_from(buffer, at)
            if at + 8 + size > len(buffer):
                break
            if kind == 1:
                self._on_method(buffer, at + 7)
            at += 8 + size
        self._rest = buffer[at:]

    def _on_method(self, buffer: bytes, at: int) -> None:
        if _METHOD.unpack_from(buffer, at) != _ACK:
            raise FatalError(f"the broker refused: {buffer[at : at + 200]!r}")
        _, _, tag, is_multiple = _CONFIRM.unpack_from(buffer, at)
        if is_multiple:
            self.confirmed = max(self.confirmed, tag)
            self._ahead = {each for each in self._ahead if each > tag}
        else:
            self._ahead.add(tag)
        while self.confirmed + 1 in self._ahead:
            self.confirmed += 1
            self._ahead.discard(self.confirmed)

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()


def pour(url: str, writes: Sequence[tuple[int, bytes]]) -> Pace:
    """Publish all `writes` on a connection of its own."""
    connection = RawConnection(url)
    try:
        return connection.publish(writes)
    finally:
        connection.close()
