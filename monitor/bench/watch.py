"""A transport that notes when records are confirmed, and passes everything on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
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

    Attributes:
        confirms: one for every time the number of confirmed records rose.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.confirms: list[Confirm] = []

    def declare(self, topology: Topology) -> None:
        """Pass on."""
        self._inner.declare(topology)

    def differences(self, topology: Topology) -> list[str]:
        """Pass on."""
        return self._inner.differences(topology)

    def publisher(self) -> PublishChannel:
        """A watched channel."""
        return WatchedChannel(self._inner.publisher(), self.confirms)

    def consumer(self, queue: str, *, prefetch: int, start: int | datetime | str | None = None) -> ConsumeChannel:
        """Pass on."""
        return self._inner.consumer(queue, prefetch=prefetch, start=start)


class WatchedChannel:
    """Implements `bus.ports.PublishChannel` around another one."""

    def __init__(self, inner: PublishChannel, confirms: list[Confirm]) -> None:
        self._inner = inner
        self._confirms = confirms
        self._records = [0]  # records in the first n messages of this channel
        self._seen = 0

    def publish(self, messages: Sequence[Message]) -> None:
        """Count what each message carries; pass on."""
        total = self._records[-1]
        for message in messages:
            headers = message.headers
            total += headers.get("x-count", 1) if "x-seq" in headers else 0
            self._records.append(total)
        self._inner.publish(messages)

    def confirmed(self, *, timeout_s: float) -> int:
        """Pass on; note a rise."""
        count = self._inner.confirmed(timeout_s=timeout_s)
        if count > self._seen:
            self._seen = count
            self._confirms.append(Confirm(time.monotonic(), self._records[count]))
        return count

    def close(self) -> None:
        """Pass on."""
        self._inner.close()
