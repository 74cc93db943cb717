"""Publishing to RabbitMQ with pipelined confirms."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from bus.errors import FatalError, TransientError
from bus.transport.frames import Encoder
from bus.transport.wire import CONTENT_CHANNEL, Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pika.connection import Parameters

    from bus.message import Message

WINDOW_MESSAGES: Final = 1000
WINDOW_BYTES: Final = 4 << 20
PATIENCE_S: Final = 30.0


class RabbitPublishChannel:
    """PublishChannel on RabbitMQ: persistent, mandatory, confirmed.

    At most WINDOW_MESSAGES messages or WINDOW_BYTES of bodies are unconfirmed at any time; `publish` pumps until there
    is room. A broker that blocks publishing (memory or disk alarm), or confirms nothing while the window is full, is
    borne for `patience_s`, then the caller sees TransientError and everything not counted is UNKNOWN: RabbitMQ may
    still take it later.

    A nack or a return ends the channel: what was confirmed before is counted, nothing after it, and every further call
    raises the same error. `publish` raises it too.

    Args:
        parameters: pika's.
        patience_s: how long a still broker is borne.
    """

    def __init__(self, parameters: Parameters, *, patience_s: float = PATIENCE_S) -> None:
        self._confirms = _Tally()
        self._patience_s = patience_s
        self._reported = 0
        self._wire = Wire(parameters, confirms=self._confirms)
        try:
            channel = self._wire.channel()
            self._wire.call("confirm.select", lambda done: channel.confirm_delivery(_ignore, callback=done))
        except (FatalError, TransientError):
            self._wire.close()
            raise
        self._encoder = Encoder(CONTENT_CHANNEL, frame_max=self._wire.frame_max)

    def publish(self, messages: Sequence[Message]) -> None:
        """See PublishChannel; also raises FatalError for a message that AMQP cannot carry, before sending any."""
        at = 0
        tally = self._confirms
        self._wait_while_blocked()
        while at < len(messages):
            self._wait_for_room(len(messages[at].body))
            end = tally.fit(messages, at)
            chunks = self._encoder.encode(messages[at:end])
            tally.sent([len(message.body) for message in messages[at:end]])
            for chunk in chunks:
                self._wire.write(chunk)
            self._wire.flush(timeout_s=self._patience_s)
            self._wait_while_blocked()
            at = end

    def confirmed(self, *, timeout_s: float) -> int:
        """See PublishChannel; returns at once when nothing is outstanding."""
        self._wire.pump(0)
        tally = self._confirms
        until = time.monotonic() + timeout_s
        while tally.count == self._reported:
            if tally.failure is not None:
                raise tally.failure
            left = until - time.monotonic()
            if not tally.sizes or left <= 0:
                break
            self._raise_if_blocked_too_long()
            self._wire.pump(min(left, 1.0))
        self._reported = tally.count
        return self._reported

    def close(self) -> None:
        """See PublishChannel."""
        self._wire.close()

    def _wait_for_room(self, size_bytes: int) -> None:
        tally = self._confirms
        seen, until = tally.count, time.monotonic() + self._patience_s
        while not tally.has_room(size_bytes):
            self._pump_or_raise()
            if tally.count > seen:
                seen, until = tally.count, time.monotonic() + self._patience_s
            elif time.monotonic() > until:
                raise TransientError(f"the broker confirmed nothing for {self._patience_s:.0f} s; window full")

    def _wait_while_blocked(self) -> None:
        self._wire.pump(0)
        while self._wire.blocked_at is not None:
            self._pump_or_raise()
        if self._confirms.failure is not None:
            raise self._confirms.failure

    def _pump_or_raise(self) -> None:
        self._wire.pump(0.2)
        if self._confirms.failure is not None:
            raise self._confirms.failure
        self._raise_if_blocked_too_long()

    def _raise_if_blocked_too_long(self) -> None:
        since = self._wire.blocked_at
        if since is not None and time.monotonic() - since > self._patience_s:
            raise TransientError(f"the broker blocks publishing: {self._wire.blocked_why}")


class _Tally:
    """Counts confirms without a hole; the broker may confirm out of order and several at once.

    Attributes:
        count: messages confirmed, from the first, without a hole.
        sizes: bodies of the unconfirmed, in order.
        failure: what ended the channel.
    """

    def __init__(self) -> None:
        self.count = 0
        self.sizes: deque[int] = deque()
        self.failure: FatalError | TransientError | None = None
        self._bytes = 0
        self._ahead: set[int] = set()

    def has_room(self, size_bytes: int) -> bool:
        """Whether one more message fits; a single one always does."""
        return not self.sizes or (len(self.sizes) < WINDOW_MESSAGES and self._bytes + size_bytes <= WINDOW_BYTES)

    def fit(self, messages: Sequence[Message], start: int) -> int:
        """End of the run from `start` that fits into the window; one fits at least."""
        end = min(len(messages), start + WINDOW_MESSAGES - len(self.sizes))
        room = WINDOW_BYTES - self._bytes
        for index in range(start, end):
            room -= len(messages[index].body)
            if room < 0:
                return max(index, start + 1)
        return end

    def sent(self, sizes: Sequence[int]) -> None:
        """These were handed to the socket."""
        self.sizes.extend(sizes)
        self._bytes += sum(sizes)

    def on_confirm(self, tag: int, *, multiple: bool, is_ack: bool) -> None:
        """Count it; after a nack or return nothing is counted any more."""
        if self.failure is not None:
            return
        if not is_ack:
            self.failure = TransientError(f"the broker refused message {tag} of this channel (nack): a queue is full")
        elif multiple or tag == self.count + 1:
            self._advance(tag)
        else:
            self._ahead.add(tag)

    def on_return(self, code: int, text: str, routing_key: str) -> None:
        """No queue takes this key."""
        if self.failure is None:
            self.failure = FatalError(
                f"no queue is bound for routing key {routing_key!r} ({code} {text}): a topology fault; "
                "compare with `gateway topology show`"
            )

    def _advance(self, tag: int) -> None:
        count = self.count
        ahead = self._ahead
        while count < tag or (count + 1) in ahead:
            count += 1
            ahead.discard(count)
            self._bytes -= self.sizes.popleft()
        self.count = count


def _ignore(_frame: object) -> None:
    """Confirms are taken from the frames; pika wants a callback."""
