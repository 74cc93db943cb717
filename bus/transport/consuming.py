"""Consuming from RabbitMQ with batched acknowledgements."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bus.errors import FatalError, TransientError
from bus.transport.frames import encode_ack, encode_reject
from bus.transport.wire import CONTENT_CHANNEL, Wire

if TYPE_CHECKING:
    from datetime import datetime

    from pika.connection import Parameters

    from bus.message import Delivery


class RabbitConsumeChannel:
    """ConsumeChannel on RabbitMQ.

    Headers and properties are those that were published: the broker's own `x-stream-offset` becomes
    `Delivery.offset`, its `x-delivery-count` shows in `Delivery.redelivered`.

    Args:
        parameters: pika's.
        queue: its name.
        prefetch: unacknowledged deliveries allowed, 1 to 65535. Streams are handed out in whole chunks, so more than
            that may arrive.
        start: for a queue of type stream, see Transport.consumer; RabbitMQ stores streams in chunks, so "last" and a
            time begin with the chunk that holds it: a few earlier messages may come first.
    """

    def __init__(
        self, parameters: Parameters, queue: str, *, prefetch: int, start: int | datetime | str | None
    ) -> None:
        arguments: dict[str, Any] = {} if start is None else {"x-stream-offset": start}
        self._handed_out = self._acked = 0
        self._is_stream = start is not None
        self._wire = Wire(parameters)
        try:
            channel = self._wire.channel()
            self._wire.call("basic.qos", lambda done: channel.basic_qos(prefetch_count=prefetch, callback=done))
            self._wire.call(
                f"consuming {queue}",
                lambda done: channel.basic_consume(queue, _ignore, arguments=arguments, callback=done),
            )
        except (FatalError, TransientError):
            self._wire.close()
            raise

    def receive(self, max_messages: int, *, timeout_s: float) -> list[Delivery]:
        """See ConsumeChannel."""
        waiting = self._wire.reader.deliveries
        if len(waiting) < max_messages:
            self._wire.pump(0)
        until = time.monotonic() + timeout_s
        while not waiting and (left := until - time.monotonic()) > 0:
            self._wire.pump(min(left, 1.0))
        if len(waiting) <= max_messages:
            taken = list(waiting)
            waiting.clear()
        else:
            taken = [waiting.popleft() for _ in range(max_messages)]
        if taken:
            self._handed_out = taken[-1].tag
        return taken

    def ack(self, tag: int) -> None:
        """See ConsumeChannel; acknowledging again what was acknowledged does nothing.

        Raises:
            FatalError: `tag` was not handed out by `receive`.
            TransientError: connection lost.
        """
        if tag > self._handed_out:
            raise FatalError(f"ack of {tag}, but only {self._handed_out} was handed out")
        if tag > self._acked:
            self._acked = tag
            self._wire.write(encode_ack(CONTENT_CHANNEL, tag))
            self._wire.pump(0)

    def reject(self, tag: int) -> None:
        """See ConsumeChannel.

        Raises:
            FatalError: a stream, or `tag` was not handed out by `receive`.
            TransientError: connection lost.
        """
        if self._is_stream:
            raise FatalError("a stream is append-only: nothing can be taken out of it")
        if tag > self._handed_out:
            raise FatalError(f"reject of {tag}, but only {self._handed_out} was handed out")
        self._wire.write(encode_reject(CONTENT_CHANNEL, tag))
        self._wire.pump(0)

    def close(self) -> None:
        """See ConsumeChannel."""
        self._wire.close()


def _ignore(*_values: object) -> None:
    """Deliveries are taken from the frames; pika wants a callback."""
