"""The Transport port: what every transport promises, run against the embedded one and a real RabbitMQ."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bus.errors import FatalError, TransientError
from bus.message import Delivery, Message
from bus.topology import CORE, DEAD_LETTERS, JOURNAL, Queue, Topology, supervision
from bus.transport import connect
from bus.transport.capabilities import Capabilities
from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bus.ports import ConsumeChannel, PublishChannel
    from tests.contracts.conftest import BusUnderTest

KEY = "approval.440604.SL"


def _message(seq: int, *, key: str = KEY, body: bytes | None = None, headers: dict[str, Any] | None = None) -> Message:
    properties = {
        "content_type": "application/xml",
        "delivery_mode": 2,
        "message_id": f"foshan/chancheng/e1/{seq}",
        "correlation_id": f"申办{seq:06d}",
        "type": "SL",
        "app_id": "chancheng",
        "timestamp": 1_267_409_000 + seq % 1000,
    }
    text = f"<acceptance>申请人一 {seq}</acceptance>".encode()
    own = {"x-stream": "foshan/chancheng", "x-seq": seq}
    return Message(key, properties, own | (headers or {}), text if body is None else body)


def _publish(channel: PublishChannel, messages: Iterable[Message]) -> int:
    """Publish and wait for all confirms; the count of the channel."""
    batch = list(messages)
    count = channel.confirmed(timeout_s=0)
    channel.publish(batch)
    return _confirmed(channel, count + len(batch))


def _confirmed(channel: PublishChannel, count: int) -> int:
    until = time.monotonic() + 20
    while (now := channel.confirmed(timeout_s=1)) < count:
        assert time.monotonic() < until, f"{now} of {count} confirmed"
    return now


def _receive(channel: ConsumeChannel, count: int, *, timeout_s: float = 20) -> list[Delivery]:
    """Exactly `count` deliveries."""
    taken: list[Delivery] = []
    until = time.monotonic() + timeout_s
    while len(taken) < count:
        assert time.monotonic() < until, f"{len(taken)} of {count} received"
        taken += channel.receive(count - len(taken), timeout_s=1)
    return taken


def _seqs(deliveries: Iterable[Delivery]) -> list[int]:
    return [each.message.headers["x-seq"] for each in deliveries]


def _without_journal(topology: Topology) -> Topology:
    return replace(
        topology,
        queues=tuple(each for each in topology.queues if each.name != JOURNAL),
        bindings=tuple(each for each in topology.bindings if each.queue != JOURNAL),
    )


def test_confirmed_counts_from_the_first_message_on_the_channel(bus: BusUnderTest) -> None:
    channel = bus.publisher()
    assert channel.confirmed(timeout_s=0) == 0
    assert _publish(channel, [_message(seq) for seq in (1, 2, 3)]) == 3
    assert _publish(channel, [_message(4)]) == 4
    channel.publish([])
    assert channel.confirmed(timeout_s=0.2) == 4
    channel.close()
    channel.close()


def test_a_batch_beyond_the_window_arrives_complete_and_in_order(bus: BusUnderTest) -> None:
    channel = bus.publisher()
    assert _publish(channel, [_message(seq, body=b"x" * 1500) for seq in range(1, 2501)]) == 2500
    consumer = bus.consumer(CORE, prefetch=3000)
    assert _seqs(_receive(consumer, 2500)) == list(range(1, 2501))
    channel.close()
    consumer.close()


def test_a_message_without_a_queue_is_a_topology_fault(bus: BusUnderTest) -> None:
    bus.delete_queue(JOURNAL)
    channel = bus.publisher()
    _publish(channel, [_message(1)])
    with pytest.raises(FatalError, match=r"no queue is bound for routing key 'sms\.440604\.X'"):  # noqa: PT012
        channel.publish([_message(2), _message(3, key="sms.440604.X")])
        for _ in range(100):
            assert channel.confirmed(timeout_s=0.2) in (1, 2)
    with pytest.raises(FatalError, match="no queue is bound"):
        channel.publish([_message(4)])
    channel.close()


@pytest.mark.parametrize(
    "body",
    [b"", "<acceptance>佛山市</acceptance>".encode(), bytes(range(256)) * 12_288],
    ids=["empty", "chinese", "3MB"],
)
def test_body_properties_and_headers_arrive_as_they_were_published(bus: BusUnderTest, body: bytes) -> None:
    headers = {"x-key": "440604:SL:佛山 一%3A:1", "x-int": -1, "x-flag": True, "x-off": False}
    sent = _message((1 << 62) + 1, body=body, headers={**headers, "x-raw": b"\x00\xff", "x-empty": ""})
    sent = sent._replace(properties={**sent.properties, "content_encoding": "utf-8", "priority": 0, "reply_to": "甲"})
    publisher = bus.publisher()
    consumer = bus.consumer(CORE, prefetch=10)
    journal = bus.consumer(JOURNAL, prefetch=10, start="first")
    _publish(publisher, [sent])
    (core,), (kept,) = _receive(consumer, 1), _receive(journal, 1)
    assert core.message == kept.message == sent
    assert core.message.headers["x-flag"] is True
    assert (core.offset, core.redelivered, kept.offset) == (None, False, 0)
    for channel in (publisher, consumer, journal):
        channel.close()


def test_properties_say_persistent_even_when_the_sender_does_not(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    _publish(publisher, [Message(KEY, {}, {}, b"x")])
    consumer = bus.consumer(CORE, prefetch=1)
    (delivery,) = _receive(consumer, 1)
    assert delivery.message == Message(KEY, {"delivery_mode": 2}, {}, b"x")
    publisher.close()
    consumer.close()


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (_message(1)._replace(properties={"delivery_mode": 1}), "only persistent messages"),
        (_message(1)._replace(properties={"colour": "red"}), "unknown properties"),
        (_message(1)._replace(properties={"message_id": 7}), "message_id is int"),
        (_message(1)._replace(properties={"correlation_id": "甲" * 86}), "258 bytes"),
        (_message(1, headers={"x" * 256: 1}), "256 bytes"),
        (_message(1 << 63), "too large|format requires"),
        (_message(1, headers={"weight": 1.5}), "a header is float"),
        (_message(1, headers={"text": "x" * 140_000}), "do not fit"),
        (_message(1, key="k" * 256), "256 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_carried_is_refused_and_nothing_is_sent(bus: BusUnderTest, message: Message, why: str) -> None:
    publisher = bus.publisher()
    with pytest.raises(FatalError, match=why):
        publisher.publish([_message(7), message])
    _publish(publisher, [_message(8)])
    consumer = bus.consumer(CORE, prefetch=10)
    assert _seqs(_receive(consumer, 1)) == [8]
    publisher.close()
    consumer.close()


def test_an_unknown_or_internal_exchange_stops_the_publisher(bus: BusUnderTest) -> None:
    for exchange in ("nowhere", "supervision.dead"):
        publisher = bus.publisher()
        with pytest.raises(FatalError, match=exchange):  # noqa: PT012
            publisher.publish([_message(1)._replace(exchange=exchange)])
            for _ in range(100):
                assert publisher.confirmed(timeout_s=0.2) == 0
        publisher.close()


def test_the_default_exchange_reaches_a_queue_by_its_name(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    _publish(publisher, [_message(1, key=DEAD_LETTERS)._replace(exchange="")])
    consumer = bus.consumer(DEAD_LETTERS, prefetch=1)
    (delivery,) = _receive(consumer, 1)
    assert (delivery.message.exchange, delivery.message.routing_key) == ("", DEAD_LETTERS)
    publisher.close()
    consumer.close()


def test_two_queues_each_get_what_they_are_bound_to(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    core, control = bus.consumer(CORE, prefetch=10), bus.consumer("control", prefetch=10)
    _publish(
        publisher, [_message(1), _message(2, key="receipt.440604.chancheng"), _message(3, key="notice.440604.changed")]
    )
    assert _seqs(_receive(core, 2)) == [1, 3]
    assert _seqs(_receive(control, 1)) == [2]
    assert core.receive(10, timeout_s=0.1) == control.receive(10, timeout_s=0) == []
    for channel in (publisher, core, control):
        channel.close()


def test_what_is_not_acknowledged_comes_back_in_its_place(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    _publish(publisher, [_message(seq) for seq in range(1, 7)])
    first = bus.consumer(CORE, prefetch=4)
    taken = _receive(first, 4)
    assert [each.redelivered for each in taken] == [False] * 4
    assert [each.tag for each in taken] == sorted({each.tag for each in taken})
    first.ack(taken[1].tag)
    first.ack(taken[0].tag)
    first.close()
    first.close()
    second = bus.consumer(CORE, prefetch=10)
    _publish(publisher, [_message(7)])
    again = _receive(second, 5)
    assert _seqs(again) == [3, 4, 5, 6, 7]
    assert [each.redelivered for each in again][:2] == [True, True]
    assert again[-1].redelivered is False
    second.ack(again[-1].tag)
    second.ack(again[-1].tag)
    second.close()
    third = bus.consumer(CORE, prefetch=10)
    assert third.receive(10, timeout_s=0.3) == []
    third.close()
    publisher.close()


def test_no_more_than_the_prefetch_is_unacknowledged(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    _publish(publisher, [_message(seq) for seq in range(30)])
    consumer = bus.consumer(CORE, prefetch=10)
    taken = _receive(consumer, 10)
    assert consumer.receive(100, timeout_s=0.3) == []
    consumer.ack(taken[4].tag)
    assert _seqs(_receive(consumer, 5)) == list(range(10, 15))
    assert consumer.receive(100, timeout_s=0.3) == []
    with pytest.raises(FatalError, match="was handed out"):
        consumer.ack(taken[-1].tag + 1000)
    publisher.close()
    consumer.close()


def test_a_rejected_delivery_goes_to_the_dead_letters_and_the_rest_stays(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    _publish(publisher, [_message(seq) for seq in range(1, 6)])
    consumer = bus.consumer(CORE, prefetch=10)
    taken = _receive(consumer, 5)
    consumer.ack(taken[0].tag)
    consumer.reject(taken[1].tag)
    consumer.ack(taken[3].tag)
    with pytest.raises(FatalError, match="reject of"):
        consumer.reject(taken[-1].tag + 1000)
    consumer.close()
    (dead,) = _receive(bus.consumer(DEAD_LETTERS, prefetch=10), 1)
    original = taken[1].message
    assert (dead.message.body, dead.message.routing_key) == (original.body, original.routing_key)
    assert {word: dead.message.headers[word] for word in original.headers} == original.headers
    assert _seqs(_receive(bus.consumer(CORE, prefetch=10), 1)) == [5]
    publisher.close()


def test_nothing_can_be_taken_out_of_the_journal(bus: BusUnderTest) -> None:
    _publish(bus.publisher(), [_message(1)])
    journal = bus.consumer(JOURNAL, prefetch=10, start="first")
    (taken,) = _receive(journal, 1)
    with pytest.raises(FatalError, match="append-only"):
        journal.reject(taken.tag)


def test_a_queue_that_does_not_exist_cannot_be_consumed(bus: BusUnderTest) -> None:
    with pytest.raises(FatalError, match=r"nowhere.*topology apply"):
        bus.consumer("nowhere", prefetch=1)


def test_a_consumer_whose_queue_is_deleted_is_told(bus: BusUnderTest) -> None:
    consumer = bus.consumer(CORE, prefetch=1)
    bus.delete_queue(CORE)
    with pytest.raises(TransientError, match="its queue is gone"):  # noqa: PT012
        for _ in range(100):
            assert consumer.receive(1, timeout_s=0.2) == []
    consumer.close()


def test_the_journal_starts_where_it_is_asked_to(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    later = bus.consumer(JOURNAL, prefetch=100, start="next")
    assert later.receive(1, timeout_s=0.3) == []
    _publish(publisher, [_message(seq) for seq in range(5)])
    time.sleep(1.2)
    middle = datetime.now(UTC)
    time.sleep(1.2)
    _publish(publisher, [_message(seq) for seq in range(5, 8)])
    _publish(publisher, [_message(8)])
    assert _seqs(_receive(later, 9)) == list(range(9))
    starts: list[tuple[int | str | datetime, int]] = [("first", 0), (6, 6), ("last", 8), (middle, 5)]
    for start, earliest in starts:
        journal = bus.consumer(JOURNAL, prefetch=100, start=start)
        taken = _receive(journal, 1)
        while _seqs(taken)[-1] < 8:
            taken += _receive(journal, 1)
        seqs = _seqs(taken)
        assert seqs == list(range(seqs[0], 9))
        assert [each.offset for each in taken] == seqs
        # RabbitMQ begins with the chunk that holds the place
        assert seqs[0] == earliest if isinstance(start, int) or start == "first" else seqs[0] <= earliest
        journal.ack(taken[-1].tag)
        journal.close()
    publisher.close()
    later.close()


def test_the_journal_keeps_what_was_acknowledged_and_gives_credit(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    for seq in range(20):  # one by one: RabbitMQ hands out whole chunks of a stream
        _publish(publisher, [_message(seq)])
    for _ in range(2):
        journal = bus.consumer(JOURNAL, prefetch=4, start="first")
        taken = _receive(journal, 4)
        taken += journal.receive(100, timeout_s=0.2)
        assert len(taken) <= 8
        journal.ack(taken[-1].tag)
        taken += _receive(journal, 4)
        assert _seqs(taken) == list(range(len(taken)))
        journal.close()
    publisher.close()


def test_declaring_again_changes_nothing(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    _publish(publisher, [_message(1)])
    bus.transport.declare(bus.topology)
    assert bus.transport.differences(bus.topology) == []
    assert bus.transport.blind_spots() == []
    consumer = bus.consumer(CORE, prefetch=1)
    assert _seqs(_receive(consumer, 1)) == [1]
    publisher.close()
    consumer.close()


def test_declaring_something_else_under_the_same_name_is_refused(bus: BusUnderTest) -> None:
    other = Queue(CORE, {**bus.topology.queues[0].arguments, "x-delivery-limit": 5})
    changed = replace(bus.topology, queues=(other, *bus.topology.queues[1:]))
    with pytest.raises(FatalError, match=r"queue core.*x-delivery-limit"):
        bus.transport.declare(changed)
    (text,) = bus.transport.differences(changed)
    assert text == "queue core: argument x-delivery-limit is 1000, the model says 5"
    assert bus.transport.differences(bus.topology) == []


def test_differences_are_named_one_by_one(bus: BusUnderTest) -> None:
    bus.delete_queue("control")
    bus.unbind(CORE, "approval.#")
    bus.bind(CORE, "receipt.#")
    bus.delete_exchange("supervision.dead")
    assert sorted(bus.transport.differences(bus.topology)) == [
        "binding supervision → control by 'receipt.#': missing",
        "binding supervision → control by 'refill.#': missing",
        "binding supervision → core by 'approval.#': missing",
        "binding supervision → core by 'receipt.#': not in the model",
        "binding supervision.dead → dead-letters by '': missing",
        "exchange supervision.dead: missing",
        "queue control: missing",
    ]
    bus.unbind(CORE, "receipt.#")
    bus.transport.declare(bus.topology)
    assert bus.transport.differences(bus.topology) == []


def test_a_queue_that_lost_its_binding_gets_nothing_while_the_journal_hides_it(bus: BusUnderTest) -> None:
    """Why services compare bindings: the publish is confirmed and not returned."""
    bus.unbind(CORE, "approval.#")
    publisher = bus.publisher()
    assert _publish(publisher, [_message(1)]) == 1
    consumer = bus.consumer(CORE, prefetch=1)
    assert consumer.receive(1, timeout_s=0.3) == []
    assert bus.transport.differences(bus.topology) == ["binding supervision → core by 'approval.#': missing"]
    publisher.close()
    consumer.close()


_FIRST_CONSUMER = """
import sys, time
from bus.transport import connect
consumer = connect(sys.argv[1]).consumer("core", prefetch=5)
taken = []
while len(taken) < 5:
    taken += consumer.receive(5 - len(taken), timeout_s=1)
consumer.ack(taken[1].tag)
while consumer.receive(5, timeout_s=0.1):
    pass
print("ready", flush=True)
time.sleep(60)
"""


def test_the_next_consumer_continues_in_order_when_the_active_one_is_killed(bus: BusUnderTest) -> None:
    publisher = bus.publisher()
    _publish(publisher, [_message(seq) for seq in range(20)])
    first = subprocess.Popen([sys.executable, "-c", _FIRST_CONSUMER, bus.url], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "ready\n"
    second = bus.consumer(CORE, prefetch=100)
    assert second.receive(10, timeout_s=0.5) == []
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    taken = _receive(second, 18)
    assert _seqs(taken) == list(range(2, 20))
    assert [each.redelivered for each in taken[:3]] == [True] * 3
    assert taken[-1].redelivered is False
    publisher.close()
    second.close()


_PUBLISHER = """
import sys, time
from bus.message import Message
from bus.transport import connect
publisher = connect(sys.argv[1]).publisher()
for seq in range(30):
    publisher.publish([Message("approval.440604.SL", {}, {"x-seq": seq, "x-ns": time.time_ns()}, b"x" * 1500)])
    while publisher.confirmed(timeout_s=1) <= seq:
        pass
    time.sleep(0.01)
publisher.close()
"""


def test_another_process_sees_a_message_within_50_ms(bus: BusUnderTest) -> None:
    consumer = bus.consumer(CORE, prefetch=100)
    other = subprocess.Popen([sys.executable, "-c", _PUBLISHER, bus.url])
    lags_ms: list[float] = []
    until = time.monotonic() + 30
    while len(lags_ms) < 30:
        assert time.monotonic() < until
        for delivery in consumer.receive(10, timeout_s=1):
            assert delivery.message.headers["x-seq"] == len(lags_ms)
            lags_ms.append((time.time_ns() - delivery.message.headers["x-ns"]) / 1e6)
            consumer.ack(delivery.tag)
    assert other.wait() == 0
    assert statistics.median(lags_ms) < 50
    consumer.close()


def test_abilities_beyond_the_port_are_declared(bus: BusUnderTest) -> None:
    is_rabbit = bus.url.startswith("amqp")
    assert bus.transport.capabilities == Capabilities(is_rabbit, is_rabbit, is_rabbit)


@pytest.mark.services
def test_a_broker_killed_and_started_again_gives_transient_errors_and_keeps_what_it_confirmed() -> None:
    """For transports with `has_server`; without one there is nothing to kill but the processes themselves."""
    with services.rabbitmq() as broker:
        transport = connect(broker.url(broker.vhost()))
        assert transport.capabilities.has_server
        topology = _without_journal(supervision())
        transport.declare(topology)
        broker.settle()
        publisher, consumer = transport.publisher(), transport.consumer(CORE, prefetch=10)
        assert _publish(publisher, [_message(seq) for seq in range(100)]) == 100
        assert len(_receive(consumer, 10)) == 10
        broker.kill()
        _raises_transient(lambda: publisher.publish([_message(100)]), lambda: publisher.confirmed(timeout_s=0.1))
        _raises_transient(lambda: consumer.receive(1, timeout_s=0.1))
        _raises_transient(lambda: consumer.ack(10))
        for refused in (transport.publisher, lambda: transport.differences(topology)):
            with pytest.raises(TransientError, match="connecting"):
                refused()
        publisher.close()
        consumer.close()
        broker.start()
        publisher, consumer = transport.publisher(), transport.consumer(CORE, prefetch=1000)
        assert _publish(publisher, [_message(100)]) == 1
        assert _seqs(_receive(consumer, 101)) == list(range(101))
        publisher.close()
        consumer.close()


def _raises_transient(*calls: Any) -> None:
    with pytest.raises(TransientError, match="broker 127"):  # noqa: PT012
        for _ in range(100):
            for call in calls:
                call()
