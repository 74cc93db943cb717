"""The embedded broker beyond the contract: its file, its routing, its lease."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bus.errors import FatalError, TransientError
from bus.message import Message
from bus.topology import CORE, JOURNAL, Binding, Exchange, Queue, Topology, supervision
from bus.transport import embedded_store
from bus.transport.embedded import EmbeddedTransport
from bus.transport.embedded_store import Routes, open_store, topic_pattern


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus.db"


@pytest.fixture
def transport(path: Path) -> EmbeddedTransport:
    made = EmbeddedTransport(f"embedded:///{path}")
    made.declare(supervision())
    return made


def _message(seq: int) -> Message:
    return Message("approval.440604.SL", {}, {"x-seq": seq}, b"x")


@pytest.mark.parametrize(
    ("key", "matching", "other"),
    [
        ("approval.#", ["approval", "approval.440604", "approval.440604.SL"], ["approvals", "oa.approval", ""]),
        ("#", ["", "a", "a.b.c"], []),
        ("*.440604.*", ["approval.440604.SL"], ["approval.440604", "a.b.440604.c", ".440604."]),
        ("#.SL", ["SL", "a.SL", "a.b.SL"], ["aSL", "SL.a"]),
        ("a.#.z", ["a.z", "a.b.z", "a.b.c.z"], ["az", "a.bz", "a"]),
        ("#.#", ["", "a", "a.b"], []),
        ("a.*.#", ["a.b", "a.b.c"], ["a"]),
        ("市.*", ["市.区"], ["县.区"]),
        ("a+b.c", ["a+b.c"], ["aab.c", "a+bxc"]),
    ],
)
def test_topic_keys_match_as_in_amqp(key: str, matching: list[str], other: list[str]) -> None:
    pattern = topic_pattern(key)
    assert [each for each in matching if not pattern.fullmatch(each)] == []
    assert [each for each in other if pattern.fullmatch(each)] == []


def test_an_internal_exchange_routes_to_every_queue_bound_but_not_for_publishers(path: Path) -> None:
    fanout = Topology(
        (Exchange("all", "fanout"),),
        (Queue("one", {"x-queue-type": "quorum"}), Queue("two", {"x-queue-type": "quorum"})),
        (Binding("all", "one", ""), Binding("all", "two", ""), Binding("all", "two", "x")),
    )
    EmbeddedTransport(f"embedded:///{path}").declare(fanout)
    with closing(open_store(path, is_durable=True)) as store:
        routes = Routes(store)
        routes.refresh()
        assert routes.find("all", "any") == (1, 2)


def test_routes_are_looked_up_again_when_the_topology_changes(transport: EmbeddedTransport, path: Path) -> None:
    with closing(transport.publisher()) as publisher, closing(sqlite3.connect(path)) as store:
        publisher.publish([_message(1)])
        with store:
            store.execute("DELETE FROM bindings WHERE queue IN ('core', 'journal')")
        publisher.publish([_message(2)])
        assert publisher.confirmed(timeout_s=0) == 1
        with pytest.raises(FatalError, match="no queue is bound"):
            publisher.confirmed(timeout_s=0)


def test_routes_do_not_grow_for_ever(transport: EmbeddedTransport) -> None:
    with closing(transport.publisher()) as publisher:
        for start in range(0, 6000, 3000):
            publisher.publish(
                [_message(1)._replace(routing_key=f"approval.{seq}") for seq in range(start, start + 3000)]
            )
        publisher.publish([_message(1)])
        assert len(publisher._routes._known) == 1  # type: ignore[attr-defined]


def test_a_file_of_another_format_is_refused(transport: EmbeddedTransport, path: Path) -> None:
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA user_version = 7")
    with pytest.raises(FatalError, match="format 7, this program knows 1"):
        transport.publisher()


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(FatalError, match=f"embedded bus {path}: file is not a database"):
        EmbeddedTransport(f"embedded:///{path}").publisher()


def test_a_path_that_cannot_be_opened_is_transient(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="unable to open"):
        EmbeddedTransport(f"embedded:///{tmp_path}").differences(supervision())


def test_a_file_is_created_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_store, "_SCHEMA", embedded_store._SCHEMA + "CREATE TABLE exchanges (again TEXT);\n")
    with pytest.raises(TransientError, match="already exists"):
        open_store(path, is_durable=True)
    monkeypatch.undo()
    open_store(path, is_durable=True).close()


class _Slow(sqlite3.Connection):
    """Another process creates the file between this one's look and its lock."""

    path: Path

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "BEGIN IMMEDIATE":
            open_store(self.path, is_durable=True).close()
        return super().execute(sql, parameters)


def test_two_processes_may_create_the_file_at_once(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, factory=_Slow)) as first:
        first.path = path
        first.execute("PRAGMA journal_mode = WAL")
        embedded_store._create(first)
        assert first.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_damaged_file_is_told_by_the_consumer(transport: EmbeddedTransport, path: Path) -> None:
    with closing(transport.consumer(CORE, prefetch=1)) as consumer, closing(sqlite3.connect(path)) as store:
        store.execute("DROP TABLE entries")
        store.execute("DROP TABLE queues")
        with pytest.raises(TransientError, match="embedded bus: no such table: entries"):
            consumer.receive(1, timeout_s=0)
        with pytest.raises(TransientError, match="embedded bus: no such table: queues"):
            transport.consumer(CORE, prefetch=1)


def test_prefetch_is_not_widened_by_the_second_look(transport: EmbeddedTransport) -> None:
    with closing(transport.publisher()) as publisher, closing(transport.consumer(CORE, prefetch=3)) as consumer:
        publisher.publish([_message(seq) for seq in range(5)])
        first = consumer.receive(2, timeout_s=0)
        assert len(consumer.receive(5, timeout_s=0)) == 1
        consumer.ack(first[0].tag)
        consumer.ack(first[0].tag)
        assert len(consumer.receive(5, timeout_s=0)) == 1


def test_a_locked_file_is_transient_and_ends_the_channel(
    transport: EmbeddedTransport, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_store, "BUSY_MS", 50)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        closing(transport.publisher()) as publisher,
        closing(transport.consumer(CORE, prefetch=10)) as consumer,
    ):
        publisher.publish([_message(1)])
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError, match="embedded bus: database is locked"):
            publisher.publish([_message(2)])
        with pytest.raises(TransientError, match="database is locked"):
            consumer.receive(1, timeout_s=0)
        with pytest.raises(TransientError, match="database is locked"):
            transport.declare(supervision())
        other.execute("ROLLBACK")
        assert publisher.confirmed(timeout_s=0) == 1
        with pytest.raises(TransientError, match="database is locked"):
            publisher.publish([_message(2)])
        (delivery,) = consumer.receive(5, timeout_s=1)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError, match="database is locked"):
            consumer.ack(delivery.tag)
        other.execute("ROLLBACK")
        consumer.ack(delivery.tag)


def test_a_failed_commit_stores_nothing(transport: EmbeddedTransport, path: Path) -> None:
    with closing(transport.publisher()) as publisher, closing(sqlite3.connect(path)) as store:
        with store:
            store.execute("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        with pytest.raises(FatalError, match="disk full"):
            publisher.publish([_message(1)])
        assert store.execute("SELECT count(*) FROM messages").fetchone() == (0,)


def test_a_closed_channel_says_so(transport: EmbeddedTransport) -> None:
    publisher, consumer = transport.publisher(), transport.consumer(CORE, prefetch=1)
    publisher.close()
    consumer.close()
    with pytest.raises(TransientError, match="the channel is closed"):
        publisher.publish([_message(1)])
    with pytest.raises(TransientError, match="the channel is closed"):
        consumer.receive(1, timeout_s=0)


def test_the_lease_passes_on_when_the_active_consumer_closes(transport: EmbeddedTransport) -> None:
    with closing(transport.publisher()) as publisher:
        publisher.publish([_message(seq) for seq in range(4)])
    first, second = transport.consumer(CORE, prefetch=2), transport.consumer(CORE, prefetch=10)
    assert len(first.receive(10, timeout_s=0)) == 2
    assert second.receive(10, timeout_s=0.05) == []
    first.close()
    taken = second.receive(1, timeout_s=0) + second.receive(10, timeout_s=0)
    second.close()
    assert [(each.message.headers["x-seq"], each.redelivered) for each in taken] == [
        (0, True),
        (1, True),
        (2, False),
        (3, False),
    ]


def test_a_consumer_refused_leaves_nothing_open(transport: EmbeddedTransport) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(FatalError, match="no queue 'none'"):
            transport.consumer("none", prefetch=1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_idle_consumer_costs_almost_nothing(transport: EmbeddedTransport) -> None:
    with closing(transport.consumer(CORE, prefetch=1)) as consumer:
        assert consumer.receive(1, timeout_s=0) == []
        began = time.process_time()
        assert consumer.receive(1, timeout_s=1) == []
        assert time.process_time() - began < 0.1


def test_the_journal_s_time_never_goes_back(transport: EmbeddedTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(transport.publisher()) as publisher:
        publisher.publish([_message(0)])
        monkeypatch.setattr(time, "time_ns", lambda: 1_000_000)
        publisher.publish([_message(1)])
    monkeypatch.undo()
    with closing(open_store(transport._path, is_durable=True)) as store:
        first, second = store.execute("SELECT published_ms FROM messages ORDER BY position").fetchall()
    assert first == second


def test_a_stream_starts_at_its_end_unless_told(transport: EmbeddedTransport) -> None:
    with closing(transport.publisher()) as publisher, closing(transport.consumer(JOURNAL, prefetch=5)) as empty:
        publisher.publish([_message(0)])
        with closing(transport.consumer(JOURNAL, prefetch=5)) as later:
            publisher.publish([_message(1)])
            assert [each.offset for each in later.receive(5, timeout_s=0)] == [1]
        assert [each.offset for each in empty.receive(5, timeout_s=0)] == [0, 1]


def test_a_commit_of_the_publisher_is_on_the_disk_and_readers_do_not_wait_for_it(path: Path) -> None:
    for is_durable, level in ((True, 2), (False, 1)):
        with closing(open_store(path, is_durable=is_durable)) as store:
            assert store.execute("PRAGMA synchronous").fetchone() == (level,)
            assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_publisher_flushes_once_a_batch(transport: EmbeddedTransport, path: Path) -> None:
    code = (
        "import sys; from bus.message import Message; from bus.transport import connect\n"
        "publisher = connect(sys.argv[1]).publisher()\n"
        "for _ in range(5): publisher.publish([Message('approval.x', {}, {}, b'x')] * 20)\n"
    )
    log = path.with_suffix(".strace")
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(log), sys.executable, "-c", code]
    subprocess.run([*command, f"embedded:///{path}"], check=True)
    flushes = log.read_text().count("sync(")
    assert 5 <= flushes <= 10


def test_a_rejected_message_of_a_queue_without_dead_letters_is_taken_off(tmp_path: Path) -> None:
    transport = EmbeddedTransport(f"embedded:///{tmp_path}/bus.db")
    queue = Queue("plain", {"x-queue-type": "quorum"})
    transport.declare(Topology((Exchange("supervision", "topic"),), (queue,), (Binding("supervision", "plain", "#"),)))
    publisher = transport.publisher()
    publisher.publish([Message("a.b.c", {"type": "SL"}, {}, b"x")])
    publisher.close()
    consumer = transport.consumer("plain", prefetch=1)
    (delivery,) = consumer.receive(1, timeout_s=1)
    consumer.reject(delivery.tag)
    with pytest.raises(FatalError, match="not unacknowledged here"):
        consumer.reject(delivery.tag)
    consumer.close()
    again = transport.consumer("plain", prefetch=1)
    assert again.receive(1, timeout_s=0.1) == []
    again.close()


def test_a_file_that_cannot_be_written_leaves_the_rejected_message_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = EmbeddedTransport(f"embedded:///{tmp_path}/bus.db")
    transport.declare(supervision())
    publisher = transport.publisher()
    publisher.publish([Message("approval.440604.SL", {"type": "SL"}, {}, b"x")])
    publisher.close()
    consumer = transport.consumer("core", prefetch=1)
    (delivery,) = consumer.receive(1, timeout_s=1)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("bus.transport.embedded_channels.dead_letter", full)
    with pytest.raises(TransientError):
        consumer.reject(delivery.tag)
    consumer.close()
    again = transport.consumer("core", prefetch=1)
    assert len(again.receive(1, timeout_s=1)) == 1
    again.close()
