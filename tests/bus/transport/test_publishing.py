"""Confirms are counted without a hole, and a broker that refuses or blocks is told apart from one that is slow."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bus.errors import FatalError, TransientError
from bus.message import Message
from bus.topology import Binding, Exchange, Queue, Topology
from bus.transport import connect
from bus.transport.publishing import WINDOW_BYTES, WINDOW_MESSAGES, _Tally
from bus.transport.wire import Wire

if TYPE_CHECKING:
    from tests.conftest import Vhost

_QUEUE = Queue("core", {"x-queue-type": "quorum"})
_TOPOLOGY = Topology((Exchange("supervision", "topic"),), (_QUEUE,), (Binding("supervision", "core", "approval.#"),))


def _message(body: bytes = b"x" * 1500) -> Message:
    return Message("approval.440604.SL", {}, {}, body)


def _sent(count: int, *, size: int = 10) -> _Tally:
    tally = _Tally()
    tally.sent([size] * count)
    return tally


def test_confirms_out_of_order_count_only_up_to_the_first_hole() -> None:
    tally = _sent(6)
    counts = []
    for tag, multiple in ((2, False), (4, False), (1, False), (3, True), (6, False), (5, False)):
        tally.on_confirm(tag, multiple=multiple, is_ack=True)
        counts.append(tally.count)
    assert counts == [0, 0, 2, 4, 4, 6]
    assert not tally.sizes


def test_a_confirm_of_many_counts_them_all_and_once() -> None:
    tally = _sent(5)
    tally.on_confirm(4, multiple=True, is_ack=True)
    tally.on_confirm(2, multiple=True, is_ack=True)
    assert (tally.count, len(tally.sizes)) == (4, 1)


def test_nothing_after_a_nack_or_return_is_counted() -> None:
    refused = _sent(3)
    refused.on_confirm(1, multiple=False, is_ack=True)
    refused.on_confirm(2, multiple=False, is_ack=False)
    refused.on_confirm(3, multiple=True, is_ack=True)
    refused.on_return(312, "NO_ROUTE", "a.b")
    assert refused.count == 1
    assert isinstance(refused.failure, TransientError)
    returned = _sent(2)
    returned.on_return(312, "NO_ROUTE", "a.b")
    returned.on_confirm(2, multiple=True, is_ack=True)
    assert returned.count == 0
    assert isinstance(returned.failure, FatalError)


def test_the_window_is_bounded_by_messages_and_by_bytes() -> None:
    small = [_message(b"")] * 2500
    assert _sent(0).fit(small, 0) == WINDOW_MESSAGES
    assert _sent(400).fit(small, 100) == 100 + WINDOW_MESSAGES - 400
    assert _sent(WINDOW_MESSAGES - 1).has_room(1)
    assert not _sent(WINDOW_MESSAGES).has_room(1)
    large = [_message(b"x" * (WINDOW_BYTES // 4))] * 10
    assert _sent(0).fit(large, 0) == 4
    assert _sent(1, size=WINDOW_BYTES // 2).fit(large, 3) == 5
    assert not _sent(1).has_room(WINDOW_BYTES)
    assert _sent(0).has_room(WINDOW_BYTES * 2)
    assert _sent(0).fit([_message(b"x" * (WINDOW_BYTES + 1))], 0) == 1


@pytest.mark.services
def test_a_full_queue_refuses_and_the_channel_ends(vhost: Vhost) -> None:
    transport = connect(f"{vhost.url}?management=none")
    full = Queue("core", {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length": 5})
    transport.declare(Topology(_TOPOLOGY.exchanges, (full,), _TOPOLOGY.bindings))
    with closing(transport.publisher()) as channel:
        with pytest.raises(TransientError, match=r"refused message \d+ of this channel \(nack\)"):  # noqa: PT012
            for _ in range(200):
                channel.publish([_message()])
                channel.confirmed(timeout_s=0.2)
        with pytest.raises(TransientError, match="nack"):
            channel.publish([_message()])
        with pytest.raises(TransientError, match="nack"):
            channel.confirmed(timeout_s=0)


@pytest.mark.services
def test_a_broker_that_blocks_publishing_is_borne_for_a_while_and_told(vhost: Vhost) -> None:
    transport = connect(f"{vhost.url}?management=none&patience_s=1")
    transport.declare(_TOPOLOGY)
    with closing(transport.publisher()) as channel:
        channel.publish([_message()])
        assert channel.confirmed(timeout_s=5) == 1
        vhost.broker.memory_alarm(is_on=True)
        try:
            with pytest.raises(TransientError, match="blocks publishing: low on memory"):  # noqa: PT012
                channel.publish([_message()])
                for _ in range(100):
                    assert channel.confirmed(timeout_s=0.2) == 1
            with pytest.raises(TransientError, match="blocks publishing"):
                channel.publish([_message()])
        finally:
            vhost.broker.memory_alarm(is_on=False)
        # what was not counted was UNKNOWN, and came through
        until = time.monotonic() + 20
        wire: Wire = channel._wire  # type: ignore[attr-defined]
        while wire.blocked_at is not None:
            wire.pump(0.2)
            assert time.monotonic() < until
        while channel.confirmed(timeout_s=1) < 2:
            assert time.monotonic() < until
        channel.publish([_message()])
        while channel.confirmed(timeout_s=1) < 3:
            assert time.monotonic() < until


@pytest.mark.services
def test_a_broker_that_confirms_nothing_is_borne_for_a_while(vhost: Vhost) -> None:
    transport = connect(f"{vhost.url}?management=none&patience_s=1")
    transport.declare(_TOPOLOGY)
    with closing(transport.publisher()) as channel:
        vhost.broker.pause()
        try:
            with pytest.raises(TransientError, match="confirmed nothing for 1 s; window full"):
                channel.publish([_message(b"x" * 10)] * (WINDOW_MESSAGES + 1))
        finally:
            vhost.broker.resume()


@pytest.mark.services
def test_a_broker_that_takes_no_data_is_borne_for_a_while(vhost: Vhost) -> None:
    transport = connect(f"{vhost.url}?management=none&patience_s=1")
    transport.declare(_TOPOLOGY)
    with closing(transport.publisher()) as channel:
        vhost.broker.pause()
        try:
            with pytest.raises(TransientError, match="takes no data for 1 s"):
                channel.publish([_message(b"x" * 30_000_000)])
        finally:
            vhost.broker.resume()


@pytest.mark.services
def test_a_window_that_fills_makes_publish_wait_for_confirms(vhost: Vhost) -> None:
    transport = connect(f"{vhost.url}?management=none")
    transport.declare(_TOPOLOGY)
    with closing(transport.publisher()) as channel:
        for _ in range(3):
            channel.publish([_message(b"x" * 1_500_000)] * 3)
        vhost.broker.pause()
        resumed = threading.Timer(0.6, vhost.broker.resume)
        resumed.start()
        channel.publish([_message(b"x" * 30_000_000)])
        resumed.join()
        until = time.monotonic() + 20
        while channel.confirmed(timeout_s=1) < 10:
            assert time.monotonic() < until


@pytest.mark.services
def test_a_return_while_publish_waits_is_raised_by_publish(vhost: Vhost) -> None:
    transport = connect(f"{vhost.url}?management=none")
    transport.declare(_TOPOLOGY)
    lost = _message()._replace(routing_key="sms.440604.X")
    with closing(transport.publisher()) as channel, pytest.raises(FatalError, match="no queue is bound"):
        channel.publish([lost] * (WINDOW_MESSAGES * 2))


@pytest.mark.services
def test_a_channel_that_cannot_be_opened_leaves_no_connection_behind(
    vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Wire) -> None:
        raise TransientError("no channel")

    def note(self: Wire) -> None:
        closed.append(self)
        close(self)

    closed: list[Wire] = []
    close = Wire.close
    monkeypatch.setattr(Wire, "channel", refuse)
    monkeypatch.setattr(Wire, "close", note)
    with pytest.raises(TransientError, match="no channel"):
        connect(vhost.url).publisher()
    assert len(closed) == 1


@pytest.mark.services
def test_an_account_that_may_not_publish_is_told(vhost: Vhost) -> None:
    vhost.broker.account("nobody", vhost.name, ("^$", "^$", "^$"))
    transport = connect(vhost.broker.url(vhost.name, user="nobody", password="nobody"))
    with closing(transport.publisher()) as channel, pytest.raises(FatalError, match=r"ACCESS_REFUSED.*permission"):  # noqa: PT012
        channel.publish([_message()])
        for _ in range(100):
            channel.confirmed(timeout_s=0.2)
