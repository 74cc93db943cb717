"""The embedded broker's file: one SQLite database that several processes share.

* `messages` is append-only and is the journal: `position` counts from 0 without a hole, over everything published.
  Messages that every queue has acknowledged stay.
* `entries` names, queue by queue, the positions that a queue holds; an acknowledgement deletes from it. A queue of type
  stream keeps its entries.
* `queues.handed_out` is the highest position that a consumer of the queue was ever given: what lies at or below it
  and is still an entry has been delivered before.

WAL with synchronous=FULL: a commit is on the disk when it returns. The file must lie on a local file system.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from bus.errors import FatalError, TransientError
from bus.private import make_private
from bus.transport.error_map import from_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_MS: Final = 10_000
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE exchanges (name TEXT PRIMARY KEY, type TEXT NOT NULL, is_internal INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE queues (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, arguments TEXT NOT NULL, is_stream INTEGER NOT NULL,
    handed_out INTEGER NOT NULL DEFAULT -1
);
CREATE TABLE bindings (
    exchange TEXT NOT NULL REFERENCES exchanges (name) ON DELETE CASCADE,
    queue TEXT NOT NULL REFERENCES queues (name) ON DELETE CASCADE, key TEXT NOT NULL,
    PRIMARY KEY (exchange, queue, key)
) WITHOUT ROWID;
CREATE TABLE messages (
    position INTEGER PRIMARY KEY, published_ms INTEGER NOT NULL, exchange TEXT NOT NULL, routing_key TEXT NOT NULL,
    envelope BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX messages_by_time ON messages (published_ms);
CREATE TABLE entries (
    queue INTEGER NOT NULL REFERENCES queues (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    PRIMARY KEY (queue, position)
) WITHOUT ROWID;
CREATE TABLE topology (version INTEGER NOT NULL);
INSERT INTO topology VALUES (0);
CREATE TRIGGER bound AFTER INSERT ON bindings BEGIN UPDATE topology SET version = version + 1; END;
CREATE TRIGGER unbound AFTER DELETE ON bindings BEGIN UPDATE topology SET version = version + 1; END;
CREATE TRIGGER exchanged AFTER INSERT ON exchanges BEGIN UPDATE topology SET version = version + 1; END;
CREATE TRIGGER unexchanged AFTER DELETE ON exchanges BEGIN UPDATE topology SET version = version + 1; END;
CREATE TRIGGER queued AFTER INSERT ON queues BEGIN UPDATE topology SET version = version + 1; END;
CREATE TRIGGER unqueued AFTER DELETE ON queues BEGIN UPDATE topology SET version = version + 1; END;
"""


def open_store(path: Path, *, is_durable: bool) -> sqlite3.Connection:
    """Open the file, creating it and its tables when missing.

    Args:
        path: of the database.
        is_durable: each commit is flushed to the disk before it returns. A consumer does without: an acknowledgement
            lost with the power only means a redelivery.

    Raises:
        TransientError: locked or unreadable now.
        FatalError: not a database of ours, or of another version.
    """
    try:
        make_private(path)
    except OSError as error:
        raise TransientError(f"embedded bus {path}: cannot be made: {error.strerror}") from error
    try:
        store = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise from_sqlite(error, what=f"embedded bus {path}") from error
    try:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = FULL" if is_durable else "PRAGMA synchronous = NORMAL")
        store.execute("PRAGMA foreign_keys = ON")
        _create(store)
    except sqlite3.Error as error:
        store.close()
        raise from_sqlite(error, what=f"embedded bus {path}") from error
    (version,) = store.execute("PRAGMA user_version").fetchone()
    if version != _VERSION:
        store.close()
        raise FatalError(f"embedded bus {path}: format {version}, this program knows {_VERSION}")
    return store


def _create(store: sqlite3.Connection) -> None:
    if store.execute("PRAGMA user_version").fetchone()[0] != 0:
        return
    store.execute("BEGIN IMMEDIATE")
    try:
        if store.execute("PRAGMA user_version").fetchone()[0] == 0:  # nobody was quicker
            for statement in _statements():
                store.execute(statement)
            store.execute(f"PRAGMA user_version = {_VERSION}")
        store.execute("COMMIT")
    except sqlite3.Error:
        store.execute("ROLLBACK")
        raise


def _statements() -> Iterator[str]:
    statement = ""
    for line in _SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def topic_pattern(key: str) -> re.Pattern[str]:
    """Binding key of a topic exchange as a pattern: `*` is one word, `#` any number of words, also none."""
    words = [("(?:[^.]+)" if word == "*" else word if word == "#" else re.escape(word)) for word in key.split(".")]
    pattern = "\\.".join(words)
    # a `#` also swallows the dot beside it
    pattern = pattern.replace("\\.#", "(?:\\.[^.]+)*").replace("#\\.", "(?:[^.]+\\.)*")
    return re.compile(pattern.replace("#", "(?:[^.]+(?:\\.[^.]+)*)?"))


def dead_letter(store: sqlite3.Connection, queue: int, position: int) -> None:
    """Take an entry off its queue and put a copy of its message where the queue's dead letters go; in a transaction.

    The copy is a message of its own, at the end: a queue is read by rising position.
    """
    (arguments,) = store.execute("SELECT arguments FROM queues WHERE id = ?", (queue,)).fetchone()
    exchange = json.loads(arguments).get("x-dead-letter-exchange")
    store.execute("DELETE FROM entries WHERE queue = ? AND position = ?", (queue, position))
    bound = store.execute(
        "SELECT DISTINCT q.id FROM bindings b JOIN queues q ON q.name = b.queue WHERE b.exchange = ?", (exchange,)
    ).fetchall()
    if not bound:
        return
    (last,) = store.execute("SELECT max(position) FROM messages").fetchone()
    store.execute(
        "INSERT INTO messages SELECT ?, max(?, published_ms), ?, routing_key, envelope, body FROM messages"
        " WHERE position = ?",
        (last + 1, time.time_ns() // 1_000_000, exchange, position),
    )
    store.executemany("INSERT INTO entries VALUES (?, ?)", [(id_, last + 1) for (id_,) in bound])


class Routes:
    """Which queues a message reaches: looked up once a routing key, until the topology changes."""

    def __init__(self, store: sqlite3.Connection) -> None:
        self._store = store
        self._version = -1
        self._known: dict[tuple[str, str], tuple[int, ...]] = {}

    def refresh(self) -> None:
        """Forget what was looked up if the topology has changed; call inside the publishing transaction."""
        (version,) = self._store.execute("SELECT version FROM topology").fetchone()
        if version != self._version or len(self._known) > 4096:
            self._version = version
            self._known.clear()

    def find(self, exchange: str, routing_key: str) -> tuple[int, ...]:
        """Ids of the queues; () when no queue is bound.

        Raises:
            FatalError: no such exchange, or an internal one.
        """
        known = self._known.get((exchange, routing_key))
        if known is None:
            known = self._known[exchange, routing_key] = self._look_up(exchange, routing_key)
        return known

    def _look_up(self, exchange: str, routing_key: str) -> tuple[int, ...]:
        if not exchange:  # the default exchange: the key is a queue's name
            return tuple(id_ for (id_,) in self._store.execute("SELECT id FROM queues WHERE name = ?", (routing_key,)))
        row = self._store.execute("SELECT type, is_internal FROM exchanges WHERE name = ?", (exchange,)).fetchone()
        if row is None:
            raise FatalError(f"no exchange {exchange!r}: run `gateway topology apply`")
        if row[1]:
            raise FatalError(f"exchange {exchange!r} is internal: nothing is published to it")
        bound = self._store.execute(
            "SELECT DISTINCT q.id, b.key FROM bindings b JOIN queues q ON q.name = b.queue WHERE b.exchange = ?"
            " ORDER BY q.id",
            (exchange,),
        )
        is_fanout = row[0] == "fanout"
        ids = [id_ for id_, key in bound if is_fanout or topic_pattern(key).fullmatch(routing_key)]
        return tuple(dict.fromkeys(ids))


def lost(error: sqlite3.Error) -> FatalError | TransientError:
    """Our error for one of SQLite's on an open channel."""
    return from_sqlite(error, what="embedded bus")
