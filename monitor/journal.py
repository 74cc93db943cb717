"""Reading the journal of a bus: from a place on, or exactly what it holds now."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from bus.errors import TransientError
from bus.topology import JOURNAL
from monitor.patience import patiently
from monitor.terminal import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from threading import Event

    from bus.message import Delivery, Message
    from bus.ports import ConsumeChannel, Transport
    from monitor.terminal import Terminal

_BATCH: Final = 500
_SILENCE_S: Final = 2.0
"""So long nothing comes from a journal only when it has nothing more."""
_OVERTIME_S: Final = 5.0
"""So long a checkpoint is waited for behind the end; what is not signed by then is a finding."""
_EMBEDDED: Final = "embedded:///"
_Made = TypeVar("_Made")


class Journal:
    """Reads on after a lost connection, at the message where it was.

    Args:
        transport: the bus.
        start: as for `Transport.consumer`.
        timeout_s: how long the bus may be away.
        terminal: is told when it is.
        stop: set by a signal.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        start: int | datetime | str,
        timeout_s: float,
        terminal: Terminal | None = None,
        stop: Event | None = None,
    ) -> None:
        self._transport = transport
        self._start = start
        self._terminal = terminal
        self._timeout_s = timeout_s
        self._stop = stop
        self._channel: ConsumeChannel | None = None

    def open(self) -> None:
        """Connect.

        Raises:
            TransientError: the bus stayed away.
            FatalError: it has no journal.
        """
        if self._channel is None:
            self._channel = self._patiently(self._connect)

    def receive(self, *, timeout_s: float) -> list[Delivery]:
        """What has arrived, waiting up to `timeout_s` for the first.

        Raises:
            TransientError: the bus stayed away.
        """
        return self._patiently(lambda: self._receive(timeout_s))

    def close(self) -> None:
        """Close; may be called twice."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _patiently(self, work: Callable[[], _Made]) -> _Made:
        return patiently(self._terminal, work, timeout_s=self._timeout_s, stop=self._stop)

    def _connect(self) -> ConsumeChannel:
        return self._transport.consumer(JOURNAL, prefetch=_BATCH, start=self._start)

    def _receive(self, timeout_s: float) -> list[Delivery]:
        try:
            self._channel = self._channel or self._connect()
            deliveries = self._channel.receive(_BATCH, timeout_s=timeout_s)
            if deliveries:
                self._channel.ack(deliveries[-1].tag)
        except TransientError:
            self.close()
            raise
        last = deliveries[-1].offset if deliveries else None
        if last is not None:
            self._start = last + 1
        return deliveries


def read_held(transport: Transport, *, timeout_s: float, terminal: Terminal | None = None) -> Iterator[Message]:
    """Everything that the journal holds now, from its first message to its present end, on a busy bus too.

    Where the end falls between entries and the checkpoint that signs them, what follows up to it is read as well.

    Raises:
        TransientError: the bus stayed away.
        FatalError: it has no journal.
    """

    def journal(start: str) -> Journal:
        return Journal(transport, start=start, timeout_s=timeout_s, terminal=terminal)

    end = _end(journal("last"))
    if end is None:
        return
    reading, unsigned = journal("first"), set[str]()
    heard_at = time.monotonic()
    ended_at: float | None = None
    try:
        while time.monotonic() - heard_at < _SILENCE_S:
            for delivery in reading.receive(timeout_s=0.2):
                heard_at = time.monotonic()
                yield delivery.message
                _note(unsigned, delivery.message)
                if delivery.offset is None or delivery.offset < end:
                    continue
                ended_at = ended_at or heard_at
                if not unsigned or heard_at - ended_at > _OVERTIME_S:
                    return
    finally:
        reading.close()


def _end(journal: Journal) -> int | None:
    """Offset of the journal's last message at this moment; None: it is empty."""
    try:
        deliveries = journal.receive(timeout_s=_SILENCE_S)
    finally:
        journal.close()
    return deliveries[-1].offset if deliveries else None


def _note(unsigned: set[str], message: Message) -> None:
    """Keep the sources for whose newest entries no checkpoint has come."""
    word, _, rest = message.routing_key.partition(".")
    source = message.properties.get("app_id")
    if word == "checkpoint":
        unsigned.discard(rest.partition(".")[2])
    elif word not in {"receipt", "refill"} and isinstance(source, str):
        unsigned.add(source)


def require_file(url: str) -> None:
    """An embedded bus that is only read must be there: opening it would make an empty one.

    Raises:
        WrongUseError: there is no such file.
    """
    name = url.removeprefix(_EMBEDDED)
    if name != url and not Path(name).is_file():
        en = f"{url}: there is no such file; name the `bus:` of a gateway.yaml that has run"
        raise WrongUseError((f"{url}：没有这个文件；请给出已运行过的 gateway.yaml 的 `bus:`", en))
