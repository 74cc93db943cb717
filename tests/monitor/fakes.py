"""A bus whose journal is a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.errors import TransientError
from bus.message import Delivery, Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bus.ports import ConsumeChannel, PublishChannel
    from bus.topology import Topology


def entry(number: int) -> Message:
    """A message with entries of source `a`."""
    return Message("approval.440604.SL", {"app_id": "a"}, {}, str(number).encode())


def sign(number: int) -> Message:
    """A checkpoint of source `a`."""
    return Message("checkpoint.440604.a", {"app_id": "a"}, {}, str(number).encode())


class FakeTransport:
    """Implements the reading half of `bus.ports.Transport`.

    Args:
        messages: what the journal holds.
        grows: makes message number n each time something is received.
        loses_after: messages after which each connection is lost.
        is_away: nobody answers.
    """

    def __init__(
        self,
        messages: list[Message],
        *,
        grows: Callable[[int], Message] | None = None,
        loses_after: int | None = None,
        is_away: bool = False,
    ) -> None:
        self.messages = list(messages)
        self.grows = grows
        self.loses_after = loses_after
        self.is_away = is_away
        self.starts: list[int | datetime | str | None] = []
        self.open_channels = 0

    def declare(self, topology: Topology) -> None:
        """Nothing."""

    def differences(self, topology: Topology) -> list[str]:
        """None."""
        del topology
        return []

    def publisher(self) -> PublishChannel:
        """Not here."""
        raise NotImplementedError

    def consumer(self, queue: str, *, prefetch: int, start: int | datetime | str | None = None) -> ConsumeChannel:
        """See Transport."""
        assert (queue, prefetch) == ("journal", 500)
        if self.is_away:
            raise TransientError("no broker")
        self.starts.append(start)
        place = start if isinstance(start, int) else max(len(self.messages) - 1, 0) if start == "last" else 0
        return FakeChannel(self, place)


class FakeChannel:
    """Implements `bus.ports.ConsumeChannel` on a FakeTransport."""

    def __init__(self, bus: FakeTransport, place: int) -> None:
        self._bus = bus
        self._place = place
        self._given = 0
        self._is_open = True
        bus.open_channels += 1

    def receive(self, max_messages: int, *, timeout_s: float) -> list[Delivery]:
        """See ConsumeChannel."""
        del timeout_s
        bus = self._bus
        if bus.loses_after is not None and self._given >= bus.loses_after:
            raise TransientError("connection lost")
        if bus.grows is not None and self._given:
            bus.messages.append(bus.grows(len(bus.messages)))
        most = min(max_messages, bus.loses_after or max_messages)
        part = bus.messages[self._place : self._place + most]
        found = [Delivery(message, self._place + i + 1, offset=self._place + i) for i, message in enumerate(part)]
        self._place += len(found)
        self._given += len(found)
        return found

    def ack(self, tag: int) -> None:
        """See ConsumeChannel."""
        assert tag == self._place

    def reject(self, tag: int) -> None:
        """Not on a stream."""
        raise NotImplementedError

    def close(self) -> None:
        """See ConsumeChannel."""
        if self._is_open:
            self._bus.open_channels -= 1
        self._is_open = False
