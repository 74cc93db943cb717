"""The core's consumer: handled once, in one transaction with the high-water mark, whatever the handler does."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, event, insert, select

from bus import outbound
from bus.errors import TransientError
from bus.inbox import attempts, findings, streams
from bus.ledger.ledger import Ledger
from bus.outbound import Consumer, ConsumerOptions, Received
from bus.topology import supervision
from bus.transport.embedded import EmbeddedTransport
from bus.trust import Trust
from tests.bus.parts import KEY_HASH, row
from tests.bus.test_intake import Source
from tests.bus.test_relay import QUICK, SIGNER, confirmed
from tests.bus.test_relay import run as run_relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from bus.findings import Finding
    from bus.message import Message

TRUST = Trust(KEY_HASH, (("foshan/*", SIGNER.verify_key),))
QUICK_CONSUMER = ConsumerOptions(prefetch=100, pause_s=0.001, longest_wait_s=0.02)
metadata = MetaData()
handled = Table(
    "handled", metadata, Column("id", Integer, primary_key=True), Column("key", Text), Column("state", Text)
)


@dataclass
class Core:
    """A core with a handler that can be told to fail."""

    transport: EmbeddedTransport
    engine: Engine
    failing: dict[str, int] = field(default_factory=dict)
    away: int = 0
    found: list[Finding] = field(default_factory=list)
    options: ConsumerOptions = field(default=QUICK_CONSUMER)
    queue_name: str = "core"

    def handle(self, connection: Connection, received: Received) -> None:
        key = received.member.key
        connection.execute(insert(handled).values(key=key))
        if self.away:
            self.away -= 1
            raise TransientError("the core's own database is away")
        if self.failing.get(key, 0):
            self.failing[key] -= 1
            raise ValueError(f"cannot use {key}")

    def consume(self, until: Callable[[], bool]) -> Consumer:
        consumer = Consumer(
            self.transport,
            trust=TRUST,
            engine=self.engine,
            handle=self.handle,
            options=self.options,
            queue=self.queue_name,
            on_finding=self.found.append,
        )
        stop, errors = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                consumer.run(stop)
            except Exception as error:  # noqa: BLE001 - a test thread hands its error over
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        deadline = time.monotonic() + 5
        while not until() and not errors and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.set()
        thread.join()
        assert not errors, errors
        assert until(), consumer.last_error
        return consumer

    @property
    def keys(self) -> list[str]:
        with self.engine.connect() as connection:
            return [key.split(":", 2)[2] for key in connection.scalars(select(handled.c.key).order_by(handled.c.id))]

    def queue(self, name: str) -> list[Message]:
        channel = self.transport.consumer(name, prefetch=1000)
        got = [delivery.message for delivery in channel.receive(1000, timeout_s=0.3)]
        channel.close()
        return got


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    transport = EmbeddedTransport(f"embedded:///{tmp_path}/bus.db")
    transport.declare(supervision())
    engine = create_engine(f"sqlite:///{tmp_path}/core.db")

    @event.listens_for(engine, "connect")
    def _wait_for_locks(dbapi_connection: object, _record: object) -> None:
        dbapi_connection.execute("PRAGMA busy_timeout=5000")  # type: ignore[attr-defined]

    metadata.create_all(engine)
    yield Core(transport, engine)
    engine.dispose()


@pytest.fixture
def publish(core: Core, tmp_path: Path) -> Iterator[Callable[..., None]]:
    ledger = Ledger(f"sqlite:///{tmp_path}/gateway.db", key_hash=KEY_HASH)
    source = Source(ledger)

    def publish(*numbers: int, package_of: int = 0) -> None:
        source.take(*(row(str(number)) for number in numbers))
        seq = source.parts.intake.seq
        run_relay(source, core.transport, confirmed(source, seq), replace(QUICK, package_of=package_of, package_from=2))

    yield publish
    ledger.close()


def expect(*numbers: int) -> list[str]:
    return [f"{number}:1" for number in numbers]


def test_records_are_handled_in_order_and_remembered(core: Core, publish: Callable[..., None]) -> None:
    publish(*range(20))
    consumer = core.consume(lambda: len(core.keys) == 20)
    assert core.keys == expect(*range(20))
    assert consumer.handled == 20
    with core.engine.connect() as connection:
        assert connection.execute(select(streams.c.stream, streams.c.epoch, streams.c.seq)).all() == [
            ("foshan/chancheng", 1, 20)
        ]
    assert core.queue("core") == []


def test_a_second_consumer_goes_on_where_the_first_stopped(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2)
    core.consume(lambda: len(core.keys) == 2)
    publish(3)
    core.consume(lambda: len(core.keys) == 3)
    assert core.keys == expect(1, 2, 3)
    assert core.found == []


def test_what_is_delivered_again_is_not_handled_again(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2, 3)
    messages = core.queue("core")
    core.consume(lambda: len(core.keys) == 3)
    publisher = core.transport.publisher()
    publisher.publish([m._replace(headers={**m.headers, "x-resent": True}) for m in messages if "x-seq" in m.headers])
    publisher.close()
    core.consume(lambda: core.queue("core") == [])
    assert core.keys == expect(1, 2, 3)
    assert core.found == []


def test_packages_are_handled_record_by_record(core: Core, publish: Callable[..., None]) -> None:
    publish(*range(10), package_of=4)
    core.consume(lambda: len(core.keys) == 10)
    assert core.keys == expect(*range(10))


def test_a_handler_that_fails_now_and_then_handles_everything_once(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2, 3)
    core.failing = {"440604:SL:2:1": 3}
    core.consume(lambda: len(core.keys) == 3)
    assert core.keys == expect(1, 2, 3)
    with core.engine.connect() as connection:
        assert connection.execute(select(attempts)).all() == []


def test_poison_is_refused_after_five_failures_and_the_rest_flows(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2, 3)
    core.failing = {"440604:SL:2:1": 99}
    core.consume(lambda: len(core.keys) == 2)
    assert core.keys == expect(1, 3)
    assert [m.headers["x-seq"] for m in core.queue("dead-letters")] == [2]
    with core.engine.connect() as connection:
        found = connection.execute(
            select(attempts.c.seq, attempts.c["count"], attempts.c.is_refused, attempts.c.reason)
        )
        assert found.all() == [(2, 5, 1, "ValueError: cannot use 440604:SL:2:1")]


def test_poison_in_a_package_is_refused_alone(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2, 3, 4, package_of=4)
    core.failing = {"440604:SL:3:1": 99}
    core.consume(lambda: len(core.keys) == 3)
    assert core.keys == expect(1, 2, 4)
    assert [m.headers["x-count"] for m in core.queue("dead-letters")] == [4]


def test_an_entry_that_kills_its_consumer_is_refused_in_the_end(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2)
    for _ in range(6):
        channel = core.transport.consumer("core", prefetch=10)
        deliveries = channel.receive(10, timeout_s=1)
        consumer = Consumer(core.transport, trust=TRUST, engine=core.engine, handle=core.handle)
        if deliveries[0].redelivered:
            consumer._deadly(deliveries[0])
        channel.close()
    core.consume(lambda: len(core.keys) == 1)
    assert core.keys == expect(2)
    assert [m.headers["x-seq"] for m in core.queue("dead-letters")] == [1]


def test_while_the_handlers_services_are_away_everything_waits(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2)
    core.away = 3
    core.consume(lambda: len(core.keys) == 2)
    assert core.keys == expect(1, 2)
    assert core.queue("dead-letters") == []


def test_an_altered_record_is_found_kept_apart_and_never_handled(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2, 3)
    channel = core.transport.consumer("core", prefetch=100)
    deliveries = channel.receive(100, timeout_s=1)
    messages = [d.message for d in deliveries]
    channel.ack(deliveries[-1].tag)
    channel.close()
    messages[1] = messages[1]._replace(body=messages[1].body + b" ")
    publisher = core.transport.publisher()
    publisher.publish(messages)
    publisher.close()
    core.consume(lambda: len(core.keys) == 2)
    assert core.keys == expect(1, 3)
    assert core.found[0].kind == "altered"
    assert [m.headers["x-seq"] for m in core.queue("dead-letters")] == [2]
    with core.engine.connect() as connection:
        assert connection.scalars(select(findings.c.kind)).first() == "altered"


def test_a_missing_record_is_found_by_its_number(core: Core, publish: Callable[..., None]) -> None:
    publish(1, 2, 3)
    channel = core.transport.consumer("core", prefetch=100)
    deliveries = channel.receive(100, timeout_s=1)
    channel.ack(deliveries[-1].tag)
    channel.close()
    publisher = core.transport.publisher()
    publisher.publish([d.message for d in deliveries if d.message.headers.get("x-seq") != 2])
    publisher.close()
    core.consume(lambda: len(core.keys) == 2)
    assert [(f.kind, f.first_seq, f.last_seq) for f in core.found] == [("gap", 2, 2)]


def test_findings_are_logged_when_nobody_asks_for_them(
    core: Core, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Sequence[object]] = []
    monkeypatch.setattr(outbound._log, "error", lambda *words, **more: said.append((*words, more["kind"])))
    publish(1)
    consumer = Consumer(core.transport, trust=TRUST, engine=core.engine, handle=core.handle)
    finding = consumer._made_of(()).feed(core.queue("core")[0]._replace(routing_key="a.b.c", headers={})).findings[0]
    consumer._on_finding(finding)
    assert said == [("finding", "forged")]


@pytest.mark.parametrize(
    ("start", "numbers"),
    [("first", [1, 2, 3, 4]), (3, [3, 4]), (datetime(2000, 1, 1, tzinfo=UTC), [1, 2, 3, 4])],
)
def test_the_journal_is_read_from_where_it_is_asked(
    core: Core, publish: Callable[..., None], start: str | int | datetime, numbers: list[int]
) -> None:
    for number in (1, 2, 3, 4):
        publish(number)
    core.options = replace(core.options, is_whole=False, start=start)
    core.queue_name = "journal"
    core.consume(lambda: core.keys[-1:] == expect(4))
    assert core.keys == expect(*numbers)
    core.consume(lambda: True)
    assert core.keys == expect(*numbers)


def test_a_bad_message_stays_in_the_journal(core: Core, publish: Callable[..., None]) -> None:
    publish(1)
    core.failing = {"440604:SL:1:1": 99}
    core.options = replace(core.options, start="first")
    core.queue_name = "journal"
    core.consume(lambda: core.failing["440604:SL:1:1"] <= 93)
    publish(2)
    core.consume(lambda: core.keys == expect(2))


def test_stopping_while_the_broker_is_away_is_no_error(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise TransientError("the broker is away")

    monkeypatch.setattr(core.transport, "consumer", away)
    consumer = Consumer(core.transport, trust=TRUST, engine=core.engine, handle=core.handle, options=core.options)
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=[stop])
    thread.start()
    deadline = time.monotonic() + 5
    while consumer.last_error is None and time.monotonic() < deadline:
        time.sleep(0.005)
    stop.set()
    thread.join()
    assert consumer.last_error == "the broker is away"


def test_stopping_while_an_entry_fails_leaves_it_in_the_queue(core: Core, publish: Callable[..., None]) -> None:
    publish(1)
    core.failing = {"440604:SL:1:1": 99}
    core.options = replace(core.options, pause_s=60)
    core.consume(lambda: core.failing["440604:SL:1:1"] <= 97)
    assert core.keys == []
    assert [m.headers["x-seq"] for m in core.queue("core") if "x-seq" in m.headers] == [1]


def test_a_bug_of_our_own_stops_the_consumer_and_keeps_the_message(
    core: Core, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bus.outbound.Verifier.feed", broken)
    consumer = Consumer(core.transport, trust=TRUST, engine=core.engine, handle=core.handle, options=core.options)
    with pytest.raises(ZeroDivisionError):
        consumer.run(threading.Event())
    assert [m.headers["x-seq"] for m in core.queue("core") if "x-seq" in m.headers] == [1]
