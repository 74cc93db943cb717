"""Publishing to and consuming from the embedded broker's file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Final

from bus.errors import FatalError, TransientError
from bus.message import Delivery, Message
from bus.transport.embedded_store import Routes, dead_letter, lost, open_store
from bus.transport.frames import Decoder, Encoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: How often an idle consumer looks for news; a look costs 3 µs while nobody has committed.
_POLL_S: Final = 0.01
_FRAME_MAX: Final = 1 << 17


class EmbeddedPublishChannel:
    """PublishChannel on the file: each `publish` is one transaction, and its commit is the confirm.

    A message that reaches no queue ends the channel as a return does: those before it are stored and counted, it and
    those after it are not.
    """

    def __init__(self, path: Path) -> None:
        self._encoder = Encoder(1, frame_max=_FRAME_MAX)
        self._count = self._reported = 0
        self._failure: FatalError | TransientError | None = None
        self._store: sqlite3.Connection | None = open_store(path, is_durable=True)
        self._routes = Routes(self._store)

    def publish(self, messages: Sequence[Message]) -> None:
        """See PublishChannel; also raises FatalError for a message that the broker cannot carry."""
        if self._failure is not None:
            raise self._failure
        for message in messages:
            self._encoder.method(message)
        envelopes = [self._encoder.envelope(message) for message in messages]
        try:
            self._count += self._append(messages, envelopes)
        except sqlite3.Error as error:
            self._failure = lost(error)
            raise self._failure from error

    def confirmed(self, *, timeout_s: float) -> int:  # noqa: ARG002 - a commit does not let anyone wait
        """See PublishChannel."""
        if self._count == self._reported and self._failure is not None:
            raise self._failure
        self._reported = self._count
        return self._count

    def close(self) -> None:
        """See PublishChannel."""
        if self._store is not None:
            self._store.close()
            self._store = None
            self._failure = self._failure or TransientError("embedded bus: the channel is closed")

    def _append(self, messages: Sequence[Message], envelopes: Sequence[bytes]) -> int:
        store = self._store
        assert store is not None
        store.execute("BEGIN IMMEDIATE")
        try:
            rows, entries = self._rows(store, messages, envelopes)
            store.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", rows)
            store.executemany("INSERT INTO entries VALUES (?, ?)", entries)
            store.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
                store.execute("ROLLBACK")
            raise
        return len(rows)

    def _rows(
        self, store: sqlite3.Connection, messages: Sequence[Message], envelopes: Sequence[bytes]
    ) -> tuple[list[tuple[int, int, str, str, bytes, bytes]], list[tuple[int, int]]]:
        """Rows of messages and entries, up to the first message that reaches no queue."""
        self._routes.refresh()
        last, latest = store.execute("SELECT max(position), max(published_ms) FROM messages").fetchone()
        position = -1 if last is None else last
        now_ms = max(time.time_ns() // 1_000_000, latest or 0)  # a clock set back does not reorder the journal
        rows: list[tuple[int, int, str, str, bytes, bytes]] = []
        entries: list[tuple[int, int]] = []
        for message, envelope in zip(messages, envelopes, strict=True):
            try:
                queues = self._routes.find(message.exchange, message.routing_key)
            except FatalError as error:
                self._failure = error
                break
            if not queues:
                self._failure = FatalError(
                    f"no queue is bound for routing key {message.routing_key!r}: a topology fault; "
                    "compare with `gateway topology show`"
                )
                break
            position += 1
            rows.append((position, now_ms, message.exchange, message.routing_key, envelope, message.body))
            entries += [(queue, position) for queue in queues]
        return rows, entries


class EmbeddedConsumeChannel:
    """ConsumeChannel on the file.

    A queue has one active consumer: the one that holds the lock on the queue's lease file. The kernel lets go of it
    when the channel is closed or its process dies, however it dies; the next consumer then continues with what was not
    acknowledged, in order. A consumer that waits receives nothing. Streams need no lease.
    """

    def __init__(self, path: Path, queue: str, *, prefetch: int, start: int | datetime | str | None) -> None:
        self._prefetch = prefetch
        self._decoder = Decoder()
        self._unacked: deque[int] = deque()
        self._lease_path = path.with_name(f"{path.name}-{queue.replace('/', '%2F')}.lease")
        self._lease: int | None = None
        self._version = -1
        self._last_tag = 0
        self._redelivered_to = self._handed_out = -1
        self._store: sqlite3.Connection | None = open_store(path, is_durable=False)
        try:
            self._queue, self._is_stream = self._find(queue)
            self._next = self._first_position(start)
            self._take_lease()
        except (FatalError, TransientError):
            self.close()
            raise

    def receive(self, max_messages: int, *, timeout_s: float) -> list[Delivery]:
        """See ConsumeChannel."""
        until = time.monotonic() + timeout_s
        while True:
            try:
                taken = self._take(min(max_messages, self._prefetch - len(self._unacked)))
            except sqlite3.Error as error:
                raise lost(error) from error
            left = until - time.monotonic()
            if taken or left <= 0:
                return taken
            time.sleep(min(_POLL_S, left))

    def ack(self, tag: int) -> None:
        """See ConsumeChannel; acknowledging again what was acknowledged does nothing.

        Raises:
            FatalError: `tag` was not handed out by `receive`.
            TransientError: the file is locked or unwritable.
        """
        if tag > self._last_tag:
            raise FatalError(f"ack of {tag}, but only {self._last_tag} was handed out")
        if not self._unacked or tag < self._unacked[0]:
            return
        if not self._is_stream:
            self._write("DELETE FROM entries WHERE queue = ? AND position <= ?", (self._queue, tag - 1))
        while self._unacked and self._unacked[0] <= tag:
            self._unacked.popleft()

    def reject(self, tag: int) -> None:
        """See ConsumeChannel: one transaction copies the message to the queues bound to the dead-letter exchange.

        Raises:
            FatalError: a stream, or `tag` is not unacknowledged here.
            TransientError: the file is locked or unwritable.
        """
        if self._is_stream:
            raise FatalError("a stream is append-only: nothing can be taken out of it")
        if tag not in self._unacked:
            raise FatalError(f"reject of {tag}, which is not unacknowledged here")
        store = self._open_store()
        try:
            store.execute("BEGIN IMMEDIATE")
            try:
                dead_letter(store, self._queue, tag - 1)
                store.execute("COMMIT")
            except sqlite3.Error:
                store.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise lost(error) from error
        self._unacked.remove(tag)

    def close(self) -> None:
        """See ConsumeChannel."""
        if self._store is not None:
            self._store.close()
            self._store = None
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def _open_store(self) -> sqlite3.Connection:
        if self._store is None:
            raise TransientError("embedded bus: the channel is closed")
        return self._store

    def _find(self, queue: str) -> tuple[int, bool]:
        try:
            row = self._open_store().execute("SELECT id, is_stream FROM queues WHERE name = ?", (queue,)).fetchone()
        except sqlite3.Error as error:
            raise lost(error) from error
        if row is None:
            raise FatalError(f"no queue {queue!r}: run `gateway topology apply`")
        return row[0], bool(row[1])

    def _first_position(self, start: int | datetime | str | None) -> int:
        """Where a stream begins; a queue begins with the oldest entry."""
        if not self._is_stream or start == "first":
            return 0
        if isinstance(start, int):
            return start
        statement = "SELECT max(position) FROM entries WHERE queue = :queue"
        if isinstance(start, datetime):
            statement = (
                "SELECT min(e.position) FROM messages m JOIN entries e ON e.position = m.position"
                " WHERE m.published_ms >= :since AND e.queue = :queue"
            )
        store = self._open_store()
        since = int(start.timestamp() * 1000) if isinstance(start, datetime) else 0
        (position,) = store.execute(statement, {"queue": self._queue, "since": since}).fetchone()
        if position is None or start in ("next", None):
            (end,) = store.execute("SELECT max(position) FROM messages").fetchone()
            return 0 if end is None else end + 1
        return int(position)

    def _take_lease(self) -> bool:
        """Become the active consumer if nobody is."""
        if self._lease is not None or self._is_stream:
            return True
        lease = os.open(self._lease_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lease)
            return False
        self._lease = lease
        row = self._open_store().execute("SELECT handed_out FROM queues WHERE id = ?", (self._queue,)).fetchone()
        self._redelivered_to = self._handed_out = -1 if row is None else row[0]
        return True

    def _take(self, limit: int) -> list[Delivery]:
        store = self._open_store()
        if limit <= 0 or not self._take_lease():
            return []
        (version,) = store.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return []
        rows = store.execute(
            "SELECT e.position, m.exchange, m.routing_key, m.envelope, m.body"
            " FROM entries e JOIN messages m ON m.position = e.position"
            " WHERE e.queue = ? AND e.position >= ? ORDER BY e.position LIMIT ?",
            (self._queue, self._next, limit),
        ).fetchall()
        if len(rows) < limit:
            self._version = version  # drained: nothing more until somebody commits
            self._raise_if_gone(store)
        if rows:
            self._remember(rows[-1][0], [row[0] + 1 for row in rows])
        return [self._delivery(*row) for row in rows]

    def _raise_if_gone(self, store: sqlite3.Connection) -> None:
        if store.execute("SELECT 1 FROM queues WHERE id = ?", (self._queue,)).fetchone() is None:
            raise TransientError("embedded bus: the broker ended the consumer: its queue is gone")

    def _remember(self, last: int, tags: list[int]) -> None:
        """Before anything is handed out, so that a successor knows what was."""
        if last > self._handed_out:
            if not self._is_stream:
                self._write("UPDATE queues SET handed_out = ? WHERE id = ?", (last, self._queue))
            self._handed_out = last
        self._next = last + 1
        self._last_tag = last + 1
        self._unacked.extend(tags)

    def _delivery(self, position: int, exchange: str, routing_key: str, envelope: bytes, body: bytes) -> Delivery:
        properties, headers, _ = self._decoder.decode(envelope, 0)
        message = Message(routing_key, properties, headers, body, exchange)
        is_again = not self._is_stream and position <= self._redelivered_to
        return Delivery(message, position + 1, is_again, position if self._is_stream else None)

    def _write(self, statement: str, arguments: tuple[int, int]) -> None:
        try:
            self._open_store().execute(statement, arguments)
        except sqlite3.Error as error:
            raise lost(error) from error
