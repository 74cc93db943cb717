"""One AMQP connection, driven by its caller: pika's handshake, heartbeats and TLS, our content frames.

pika's asynchronous connection runs on a loop that nobody starts; `pump` turns it once. So publishing and consuming
stay ordinary calls, and each call both writes what waits and reads what has come: neither side blocks the other.
Heartbeats are kept by pumping: a channel that is not called for longer than the heartbeat is cut by the broker.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from pika import frame
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.exceptions import AMQPError, ConnectionClosedByClient, StreamLostError

from bus.errors import TransientError
from bus.transport.content import Confirms, ContentReader
from bus.transport.error_map import from_pika

if TYPE_CHECKING:
    from collections.abc import Callable

    from pika.channel import Channel
    from pika.connection import Connection, Parameters

    from bus.errors import FatalError

#: pika numbers channels from 1, and a connection here has one channel that carries content.
CONTENT_CHANNEL: Final = 1
_RECEIVE_BYTES: Final = 1 << 17
_CONNECT_S: Final = 20.0
_CALL_S: Final = 30.0
_CLOSE_S: Final = 2.0


class _Loop(IOLoop):
    """pika's loop with a bound on how long one turn waits."""

    wait_s = 0.0

    def _get_remaining_interval(self) -> float:
        due = super()._get_remaining_interval()
        return self.wait_s if due is None else min(due, self.wait_s)


class _Connection(SelectConnection):
    """pika's connection; what arrives goes through our reader first."""

    reader: ContentReader

    def _on_data_available(self, data_in: bytes) -> None:
        self.bytes_received += len(data_in)
        self.reader.feed(data_in)

    def take_frame(self, data: bytes) -> None:
        """Handle one frame as pika does."""
        _, value = frame.decode_frame(data)
        assert value is not None  # the frame is whole
        self._process_frame(value)

    def say_goodbye(self) -> None:
        """Send connection.close, nothing before it.

        pika's own `close` cancels the consumers first; RabbitMQ then wakes the next consumer of a single-active queue
        while our unacknowledged messages are still out, and they come back behind later ones.
        """
        self._error = ConnectionClosedByClient(200, "closed")
        self._set_connection_state(self.CONNECTION_CLOSING)
        self._send_connection_close(200, "closed")


class Wire:
    """An open connection.

    Args:
        parameters: pika's.
        confirms: takes confirms and returns of the content channel.

    Raises:
        TransientError: the broker is away.
        FatalError: it refuses us.

    Attributes:
        reader: has the deliveries.
        blocked_at: `time.monotonic()` when the broker told us to stop publishing (memory or disk alarm), or None.
        blocked_why: its reason.
    """

    def __init__(self, parameters: Parameters, *, confirms: Confirms | None = None) -> None:
        self.blocked_at: float | None = None
        self.blocked_why = ""
        self._where = f"broker {parameters.host}:{parameters.port} vhost {parameters.virtual_host}"
        self._lost: FatalError | TransientError | None = None
        self._is_open = self._is_over = False
        self._loop: _Loop | None = _Loop()
        self._loop.activate_poller()
        self._connection = _Connection(
            parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_over,
            on_close_callback=self._on_over,
            custom_ioloop=self._loop,
        )
        self.reader = ContentReader(CONTENT_CHANNEL, others=self._connection.take_frame, confirms=confirms)
        self._connection.reader = self.reader
        self._wait(lambda: self._is_open, timeout_s=_CONNECT_S, what="connecting")

    @property
    def frame_max(self) -> int:
        """Negotiated limit of a frame in bytes."""
        return int(self._connection.params.frame_max)

    @property
    def unsent_bytes(self) -> int:
        """What waits to be written to the socket."""
        return 0 if self._is_over else self._connection._get_write_buffer_size()  # noqa: SLF001 - pinned by a test

    def pump(self, timeout_s: float) -> None:
        """Write and read what is possible; wait up to `timeout_s` for the first.

        Raises:
            TransientError, FatalError: the connection is over.
        """
        if self._lost is None:
            self._turn(timeout_s)
        if self._lost is not None:
            raise self._lost

    def write(self, data: bytes) -> None:
        """Queue whole frames for the socket, as one write. Raises as `pump`."""
        if self._lost is not None:
            raise self._lost
        self._connection._output_marshaled_frames([data])  # noqa: SLF001 - pinned by a test

    def flush(self, *, timeout_s: float = _CALL_S) -> None:
        """Wait until the socket has taken everything; reads meanwhile.

        Raises:
            TransientError: the socket took nothing for `timeout_s`.
        """
        self.pump(0)
        left = self.unsent_bytes
        until = time.monotonic() + timeout_s
        while left:
            self.pump(0.2)
            now = self.unsent_bytes
            if now < left:
                left, until = now, time.monotonic() + timeout_s
            elif time.monotonic() > until:
                raise TransientError(f"{self._where}: takes no data for {timeout_s:.0f} s")

    def channel(self) -> Channel:
        """Open a channel; the first one is CONTENT_CHANNEL."""
        channel: Channel = self.call("opening a channel", lambda done: self._connection.channel(on_open_callback=done))
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_cancel_callback(self._on_cancelled)
        return channel

    def call(self, what: str, start: Callable[[Callable[..., None]], object]) -> Any:
        """Start a request whose reply calls back, and wait for the reply.

        Args:
            what: names the request in errors.
            start: takes the callback.

        Returns:
            What the callback was given first.

        Raises:
            TransientError, FatalError: refused, or the connection is over.
        """
        replies: list[Any] = []
        try:
            start(lambda *values: replies.append(values[0]))
        except AMQPError as error:
            raise self._mapped(error, what) from error
        self._wait(lambda: bool(replies), timeout_s=_CALL_S, what=what)
        return replies[0]

    def forget_failure(self) -> None:
        """After a refused request: its channel is gone, the connection is not."""
        if not self._is_over:
            self._lost = None

    def close(self) -> None:
        """Close in order if the broker answers within 2 s, else cut."""
        until = time.monotonic() + _CLOSE_S
        if self._connection.is_open:
            self._connection.say_goodbye()
        while not self._is_over and time.monotonic() < until:
            self._turn(0.1)
        if not self._is_over:
            self._connection._terminate_stream(StreamLostError("closed"))  # noqa: SLF001 - pinned by a test
            self._turn(0)
        if self._loop is not None:
            self._loop.deactivate_poller()
            self._loop.close()
            self._loop = None

    def _wait(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        until = time.monotonic() + timeout_s
        while not condition():
            if self._lost is not None or time.monotonic() > until:
                lost = self._lost or TransientError(f"{self._where}: {what}: no answer within {timeout_s:.0f} s")
                if not self._is_open:
                    self.close()
                raise lost
            self._turn(0.2)

    def _turn(self, timeout_s: float) -> None:
        assert self._loop is not None
        self._loop.wait_s = timeout_s
        self._loop.poll()
        self._loop.process_timeouts()

    def _mapped(self, error: BaseException, what: str) -> FatalError | TransientError:
        return from_pika(error, what=f"{self._where}: {what}")

    def _on_open(self, connection: Connection) -> None:
        self._is_open = True
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        # pika reads 4 KB at a time, which is two messages
        transport: Any = self._connection._transport  # noqa: SLF001 - pinned by a test
        transport._MAX_RECV_BYTES = transport._MAX_CONSUME_BYTES = _RECEIVE_BYTES  # noqa: SLF001 - pinned by a test

    def _on_over(self, _connection: Connection, error: BaseException) -> None:
        self._is_over = True
        if self._lost is None:
            self._lost = self._mapped(error, "connection" if self._is_open else "connecting")

    def _on_channel_closed(self, _channel: Channel, error: BaseException) -> None:
        if self._lost is None:
            self._lost = self._mapped(error, "channel")

    def _on_cancelled(self, _method: object) -> None:
        self._lost = TransientError(f"{self._where}: the broker ended the consumer: its queue is gone or moved")

    def _on_blocked(self, _connection: Connection, method: Any) -> None:
        self.blocked_at = time.monotonic()
        self.blocked_why = str(method.method.reason)

    def _on_unblocked(self, _connection: Connection, _method: object) -> None:
        self.blocked_at = None
