"""A transport that notes when records are confirmed, and passes everything on."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bus.message import Message
    from bus.ports import ConsumeChannel, PublishChannel, Transport
    from bus.topology import Topology


class Confirm(NamedTuple):
    """At `at` (monotonic clock of the machine) the broker had confirmed the first `records` records."""

    at: float
    records: int


class WatchedTransport:
    """Implements `bus.ports.Transport` around another one.

    Args:
        inner: the transport.
        keeps_all: whether every confirm is kept, or the first and the last only, which takes no memory.

    Attributes:
        confirms: one for every time the number of confirmed records rose.
    """

    def __init__(self, inner: Transport, *, keeps_all: bool = True) -> None:
        self._inner = inner
        self._keeps_all = keeps_all
        self.confirms: list[Confirm] = []

    def declare(self, topology: Topology) -> None:
        """Pass on."""
        self._inner.declare(topology)

    def differences(self, topology: Topology) -> list[str]:
        """Pass on."""
        return self._inner.differences(topology)

    def publisher(self) -> PublishChannel:
        """A watched channel."""
        return WatchedChannel(self._inner.publisher(), self._note)

    def _note(self, records: int) -> None:
        confirm = Confirm(time.monotonic(), records)
        if self._keeps_all or len(self.confirms) < 2:
            self.confirms.append(confirm)
        else:
            self.confirms[-1] = confirm

    def consumer(self, queue: str, *, prefetch: int, start: int | datetime | str | None = None) -> ConsumeChannel:
        """Pass on."""
        return self._inner.consumer(queue, prefetch=prefetch, start=start)


class WatchedChannel:
    """Implements `bus.ports.PublishChannel` around another one.

    Args:
        inner: the channel.
        note: called with the number of confirmed records whenever messages were confirmed.
    """

    def __init__(self, inner: PublishChannel, note: Callable[[int], None]) -> None:
        self._inner = inner
        self._note = note
        self._under_way: deque[int] = deque()  # records in each unconfirmed message
        self._count = self._records = 0

    def publish(self, messages: Sequence[Message]) -> None:
        """Count what each message carries; pass on."""
        self._under_way += [
            message.headers.get("x-count", 1) if "x-seq" in message.headers else 0 for message in messages
        ]
        self._inner.publish(messages)

    def confirmed(self, *, timeout_s: float) -> int:
        """Pass on; note a rise."""
        count = self._inner.confirmed(timeout_s=timeout_s)
        if count > self._count:
            self._records += sum(self._under_way.popleft() for _ in range(count - self._count))
            self._count = count
            self._note(self._records)
        return count

    def close(self) -> None:
        """Pass on."""
        self._inner.close()
