"""The core's consumer against rivals, hostile messages, a database that is away, and handlers that break the rules."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert, select, text

from bus.envelope import Wrapper
from bus.errors import FatalError, TransientError
from bus.inbox import Inbox
from bus.message import Delivery, Message, Stream
from bus.outbound import Consumer, ConsumerOptions, Received
from tests.bus.journals import STREAM, TRUST, new_entry, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

ALONE = [Wrapper(STREAM).wrap(entry) for entry in write([new_entry(seq) for seq in range(1, 11)]).entries]
QUICK = ConsumerOptions(pause_s=0.001, longest_wait_s=0.02)
metadata = MetaData()
handled = Table("handled", metadata, Column("id", Integer, primary_key=True), Column("key", Text))


@dataclass
class Channel:
    """A queue with these deliveries; what is not acknowledged when it is closed comes again, marked."""

    deliveries: list[Delivery]
    acked: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    taken: list[Delivery] = field(default_factory=list)

    def receive(self, max_messages: int, *, timeout_s: float) -> list[Delivery]:
        if not self.deliveries:
            time.sleep(min(timeout_s, 0.01))
        got, self.deliveries = self.deliveries[:max_messages], self.deliveries[max_messages:]
        self.taken += got
        return got

    def ack(self, tag: int) -> None:
        self.acked.append(tag)
        self.taken = [delivery for delivery in self.taken if delivery.tag > tag]

    def reject(self, tag: int) -> None:
        self.rejected.append(tag)
        self.taken = [delivery for delivery in self.taken if delivery.tag != tag]

    def close(self) -> None:
        self.deliveries = [each._replace(redelivered=True) for each in self.taken] + self.deliveries
        self.taken = []


class Bus:
    """A transport that has one queue."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def consumer(self, *_: object, **__: object) -> Channel:
        return self.channel


def deliveries(messages: list[Message]) -> list[Delivery]:
    return [Delivery(message, tag) for tag, message in enumerate(messages, 1)]


def handle(connection: Connection, received: Received) -> None:
    connection.execute(insert(handled).values(key=received.member.key))


def consumer(engine: Engine, channel: Channel, **arguments: Any) -> Consumer:
    return Consumer(
        Bus(channel),  # type: ignore[arg-type]
        trust=TRUST,
        engine=engine,
        **{"handle": handle, "options": QUICK, **arguments},
    )


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(handled)).all())


def consume(consumer: Consumer, *, until: Any) -> None:
    """Run until a condition holds; what the consumer raises is raised here."""
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
        time.sleep(0.005)
    stop.set()
    thread.join()
    if errors:
        raise errors[0]
    assert until(), consumer.last_error


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path}/core.db", connect_args={"timeout": 0.05})
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.mark.parametrize("first", [0, 3])
def test_a_consumer_that_slept_while_another_one_took_over_handles_nothing_again(engine: Engine, first: int) -> None:
    both = Channel([])
    sleeper, rival = consumer(engine, both), consumer(engine, both)
    stop = threading.Event()
    for each in (sleeper, rival):
        each._begin_again()
    if first:
        rival._take(both, deliveries(ALONE[:first]), stop)
        sleeper._begin_again()
    received = deliveries(ALONE[first:8])
    rival._take(both, received, stop)
    try:
        sleeper._take(both, received, stop)
    except TransientError as error:
        assert "another consumer has handled foshan/chancheng/e1 meanwhile" in str(error)  # noqa: PT017 - one of two ways
    assert count(engine) == 8
    sleeper._begin_again()
    sleeper._take(both, deliveries(ALONE[8:]), stop)
    assert count(engine) == 10


def test_a_consumer_does_not_set_back_the_streams_of_another_one(engine: Engine) -> None:
    stop, both = threading.Event(), Channel([])
    one, other = consumer(engine, both), consumer(engine, both)
    one._begin_again()
    one._take(both, deliveries(ALONE[:3]), stop)
    other._begin_again()
    one._take(both, deliveries(ALONE[3:8]), stop)
    stream = Stream("foshan/gaoming", 1, "440604", "gaoming")
    messages = [Wrapper(stream).wrap(e) for e in write([new_entry(1, source="gaoming")], stream).entries]
    other._take(both, deliveries(messages), stop)
    kept = Inbox(engine).kept().values()
    assert {(each.state.stream, each.state.seq) for each in kept} == {("foshan/chancheng", 8), ("foshan/gaoming", 1)}


@pytest.mark.parametrize(
    "headers",
    [
        {"cloudEvents_time": "2010-13-45T99:99:99.000Z"},
        {"x-seq": 2**63 - 1, "x-count": 2**63 - 1},
        {"x-stream": "foshan/\x00"},
        {"x-stream": "foshan/" + "x" * 300},
        {"x-seq": "first"},
    ],
)
def test_no_message_stops_the_consumer(engine: Engine, headers: dict[str, Any]) -> None:
    bad = ALONE[0]._replace(headers={**ALONE[0].headers, **headers})
    channel = Channel(deliveries([bad, *ALONE[:3]]))
    consume(consumer(engine, channel, on_finding=lambda _: None), until=lambda: count(engine) == 3)
    assert channel.rejected == [1]


def test_while_the_cores_database_is_locked_everything_waits(engine: Engine) -> None:
    channel = Channel(deliveries(ALONE[:3]))
    at_work = consumer(engine, channel)
    with engine.connect() as rival:
        rival.execute(text("BEGIN IMMEDIATE"))
        consume(at_work, until=lambda: at_work.last_error is not None)
        assert at_work.last_error == "the core's database: database is locked"
        rival.rollback()
    consume(at_work, until=lambda: count(engine) == 3)
    assert channel.rejected == []


@pytest.mark.parametrize("is_redelivered", [False, True])
def test_a_handler_that_commits_by_itself_stops_the_consumer(engine: Engine, *, is_redelivered: bool) -> None:
    def commit(connection: Connection, received: Received) -> None:
        handle(connection, received)
        connection.commit()

    channel = Channel([each._replace(redelivered=is_redelivered) for each in deliveries(ALONE[:3])])
    with pytest.raises(FatalError, match="the handler has committed"):
        consume(consumer(engine, channel, handle=commit), until=lambda: False)
    assert count(engine) == 1
    assert channel.acked == channel.rejected == []


def test_what_lies_before_the_start_is_passed_over_when_a_batch_fails_too(engine: Engine) -> None:
    failures = [ValueError("once")]

    def fail_once(connection: Connection, received: Received) -> None:
        if failures:
            raise failures.pop()
        handle(connection, received)

    options = ConsumerOptions(start=6, is_whole=False, pause_s=0.001)
    channel = Channel(deliveries(ALONE))
    consume(consumer(engine, channel, handle=fail_once, options=options), until=lambda: channel.acked[-1:] == [10])
    assert count(engine) == 5
