"""The relay: go-back-N with the same bytes, whatever happens to the channel."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bus import relay as relay_module
from bus.errors import FatalError, TransientError
from bus.relay import Relay, RelayOptions
from bus.seal import read_checkpoint
from bus.topology import supervision
from bus.transport.embedded import EmbeddedTransport
from bus.trust import Signer
from tests.bus.parts import row
from tests.bus.test_intake import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bus.ledger.ledger import Ledger
    from bus.message import Message
    from bus.ports import PublishChannel, Transport

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(b"s" * 32), name="foshan")
QUICK = RelayOptions(idle_s=0.02, longest_wait_s=0.05, patience_s=0.3)
TOPOLOGY = supervision()


@dataclass
class Broker:
    """A scripted broker: remembers what arrived, fails where told."""

    seen: list[Message] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    silent_after: int | None = None
    channels: int = 0

    def differences(self, _topology: object) -> list[str]:
        return self.different

    def publisher(self) -> PublishChannel:
        self.channels += 1
        return Channel(self)

    def seqs(self, *, resent: bool | None = None) -> list[int]:
        return [
            m.headers["x-seq"]
            for m in self.seen
            if "x-seq" in m.headers and (resent is None or m.headers.get("x-resent", False) is resent)
        ]


class Channel:
    """Its channel: counts everything as confirmed unless the script says otherwise."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.count = 0

    def publish(self, messages: Sequence[Message]) -> None:
        self.broker.seen += messages
        self.count += len(messages)

    def confirmed(self, *, timeout_s: float) -> int:
        time.sleep(min(timeout_s, 0.01))
        if self.broker.faults:
            raise self.broker.faults.pop(0)
        if self.broker.silent_after is not None:
            return min(self.count, self.broker.silent_after)
        return self.count

    def close(self) -> None:
        pass


@pytest.fixture
def source(ledger: Ledger) -> Source:
    return Source(ledger)


def run(
    source: Source, transport: object, until: Callable[[], bool], options: RelayOptions = QUICK
) -> tuple[Relay, list[BaseException]]:
    stop, errors = threading.Event(), list[BaseException]()
    as_transport: Transport = transport  # type: ignore[assignment]
    relay = Relay(
        as_transport,
        topology=TOPOLOGY,
        open_ledger=source.open,
        signer=SIGNER,
        options=options,
        wake=threading.Event(),
    )

    def work() -> None:
        try:
            relay.run(stop)
        except Exception as error:  # noqa: BLE001 - a test thread hands its error over
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 4
    while not until() and not errors and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert errors or until(), relay.last_error
    return relay, errors


def confirmed(source: Source, seq: int) -> Callable[[], bool]:
    return lambda: source.parts.outbox.progress().confirmed == seq


def test_records_go_out_in_order_with_a_checkpoint_and_are_counted(source: Source) -> None:
    source.take(*(row(str(n)) for n in range(5)))
    broker = Broker()
    run(source, broker, confirmed(source, 5))
    assert broker.seqs() == [1, 2, 3, 4, 5]
    note = read_checkpoint(broker.seen[-1].body)
    assert (note.stream, note.epoch, note.size) == ("foshan/chancheng", 1, 5)
    assert note.head == source.parts.intake.head
    assert (source.equation.published, source.equation.pending) == (5, 0)


def test_notices_are_confirmed_but_are_no_published_records(source: Source) -> None:
    source.take(row("1"))
    source.take(row("1", text="b", changed_at="t2"))
    run(source, Broker(), confirmed(source, 2))
    assert source.equation.published == 1


@pytest.mark.parametrize(
    "fault", [TransientError("nack"), TransientError("connection lost"), FatalError("returned: no queue is bound")]
)
def test_after_a_fault_everything_unconfirmed_is_sent_again_alike_and_marked(
    source: Source, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "COMPARE_S", 0.05)
    source.take(*(row(str(n)) for n in range(3)))
    broker = Broker(faults=[fault])
    run(source, broker, confirmed(source, 3))
    assert broker.seqs(resent=False) == [1, 2, 3]
    assert broker.seqs(resent=True) == [1, 2, 3]
    first = [m for m in broker.seen if "x-seq" in m.headers]
    for once, again in zip(first[:3], first[3:], strict=True):
        assert {**once.headers, "x-resent": True} == again.headers
        assert (once.body, once.properties, once.routing_key) == (again.body, again.properties, again.routing_key)


def test_a_gateway_killed_before_the_confirm_marks_what_it_may_have_sent(source: Source) -> None:
    source.take(row("1"), row("2"))
    source.parts.outbox.mark_sent(1, former=0)
    broker = Broker()
    run(source, broker, confirmed(source, 2))
    assert (broker.seqs(resent=True), broker.seqs(resent=False)) == ([1], [2])


def test_a_broker_that_says_nothing_is_asked_again(source: Source) -> None:
    source.take(row("1"), row("2"))
    broker = Broker(silent_after=1)
    run(source, broker, lambda: broker.channels >= 2)
    assert source.parts.outbox.progress().confirmed >= 1


def test_a_checkpoint_stands_after_at_most_256_entries(source: Source) -> None:
    source.take(*(row(str(n)) for n in range(600)))
    broker = Broker()
    run(source, broker, confirmed(source, 600), replace(QUICK, package_of=0))
    sizes = [read_checkpoint(m.body).size for m in broker.seen if m.properties["type"] == "CHECKPOINT"]
    assert sizes == [256, 512, 600]
    assert source.equation.published == 600


def test_what_was_confirmed_before_a_fault_is_noted(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "NOTE_S", float("inf"))
    source.take(row("1"), row("2"))
    broker = Broker(silent_after=1)
    run(source, broker, lambda: len(broker.seqs()) >= 3)
    assert broker.seqs()[:3] == [1, 2, 2]


def test_what_travelled_as_a_package_travels_so_again(source: Source) -> None:
    source.take(*(row(str(n)) for n in range(25)))
    options = replace(QUICK, package_of=10)
    broker = Broker(faults=[TransientError("lost")])
    run(source, broker, confirmed(source, 25), options)
    counts = [(m.headers["x-seq"], m.headers.get("x-count", 1)) for m in broker.seen if "x-seq" in m.headers]
    assert counts[:3] == [(1, 10), (11, 10), (21, 5)]
    assert counts[3:6] == counts[:3]
    assert source.parts.outbox.packages(after=0) == {}


def test_packages_of_a_killed_gateway_are_sent_again_with_other_options(source: Source) -> None:
    source.take(*(row(str(n)) for n in range(7)))
    source.parts.outbox.mark_sent(5, former=0, packages=[(2, 3)])
    broker = Broker()
    run(source, broker, confirmed(source, 7), replace(QUICK, package_of=0))
    counts = [(m.headers["x-seq"], m.headers.get("x-count", 1)) for m in broker.seen if "x-seq" in m.headers]
    assert counts == [(1, 1), (2, 3), (5, 1), (6, 1), (7, 1)]


def test_a_broker_that_differs_from_the_model_gets_nothing(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "COMPARE_S", 0.02)
    source.take(row("1"))
    broker = Broker(different=["queue core: missing"])
    relay = run_until_error(source, broker)
    assert broker.seen == []
    assert relay.last_error is not None
    assert "queue core: missing" in relay.last_error
    assert "gateway topology apply" in relay.last_error


def run_until_error(source: Source, broker: Broker) -> Relay:
    found: list[Relay] = []
    stop = threading.Event()
    as_transport: Transport = broker  # type: ignore[assignment]
    relay = Relay(
        as_transport, topology=TOPOLOGY, open_ledger=source.open, signer=SIGNER, options=QUICK, wake=threading.Event()
    )
    found.append(relay)
    thread = threading.Thread(target=relay.run, args=[stop])
    thread.start()
    deadline = time.monotonic() + 5
    while relay.last_error is None and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join()
    return found[0]


def test_the_topology_is_compared_while_publishing(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "COMPARE_S", 0.02)
    source.take(row("1"))
    broker = Broker()

    def spoil() -> bool:
        if source.parts.outbox.progress().confirmed == 1:
            broker.different = ["binding approval.# of core: missing"]
        return bool(broker.different)

    relay, _ = run(source, broker, spoil)
    time.sleep(0.05)
    assert relay.last_error is None or "binding" in relay.last_error


def test_an_idle_stream_repeats_its_checkpoint(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "HEARTBEAT_S", 0.05)
    source.take(row("1"))
    broker = Broker()
    run(source, broker, lambda: sum("x-seq" not in m.headers for m in broker.seen) >= 3)
    notes = {m.body for m in broker.seen if "x-seq" not in m.headers}
    assert len(notes) == 1


def test_two_relays_of_one_stream_are_noticed(source: Source) -> None:
    source.take(row("1"), row("2"))
    source.parts.outbox.mark_confirmed(2, former=0, records=2, at="2010-03-01T00:00:00.000Z")
    with pytest.raises(FatalError, match="another gateway publishes this stream"):
        source.parts.outbox.mark_confirmed(2, former=0, records=2, at="2010-03-01T00:00:00.000Z")


def test_a_relay_that_slept_counts_nothing_twice(source: Source) -> None:
    source.take(*(row(str(number)) for number in range(10)))
    at = "2010-03-01T00:00:00.000Z"
    source.parts.outbox.mark_confirmed(4, former=0, records=4, at=at)
    with pytest.raises(FatalError, match="another gateway publishes this stream"):  # it knew of more than the other one
        source.parts.outbox.mark_confirmed(8, former=0, records=8, at=at)
    with pytest.raises(FatalError, match="another gateway publishes this stream"):
        source.parts.outbox.mark_sent(8, former=3)
    assert (source.equation.published, source.equation.pending) == (4, 6)


def test_over_the_embedded_broker(source: Source, tmp_path: Path) -> None:
    transport = EmbeddedTransport(f"embedded:///{tmp_path}/bus.db")
    transport.declare(TOPOLOGY)
    source.take(*(row(str(n)) for n in range(300)))
    run(source, transport, confirmed(source, 300), replace(QUICK, package_of=0))
    consumer = transport.consumer("core", prefetch=1000)
    got = [d.message for d in consumer.receive(1000, timeout_s=1)]
    consumer.close()
    assert [m.headers["x-seq"] for m in got if "x-seq" in m.headers] == list(range(1, 301))
    assert sum(m.properties["type"] == "CHECKPOINT" for m in got) == 2
