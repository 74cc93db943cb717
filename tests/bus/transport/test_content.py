"""Frames from the broker become deliveries, confirms and returns, however the bytes are cut."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec
from pika.exceptions import InvalidFrameError

from bus.message import Delivery, Message
from bus.transport.content import ContentReader


class _Confirms:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def on_confirm(self, tag: int, *, multiple: bool, is_ack: bool) -> None:
        self.calls.append((tag, multiple, is_ack))

    def on_return(self, code: int, text: str, routing_key: str) -> None:
        self.calls.append((code, text, routing_key))


def _content(method: Any, body: bytes, *, headers: dict[str, Any] | None = None) -> bytes:
    properties = spec.BasicProperties(headers=headers or {}, app_id="chancheng")
    frames = [frame.Method(1, method), frame.Header(1, len(body), properties)]
    bodies = [frame.Body(1, body[start : start + 5]) for start in range(0, len(body), 5)]
    return b"".join(each.marshal() for each in [*frames, *bodies])


def _deliver(tag: int, body: bytes, *, redelivered: bool = False, headers: dict[str, Any] | None = None) -> bytes:
    method = spec.Basic.Deliver("ctag1.甲", tag, redelivered, "supervision", "approval.440604.SL")
    return _content(method, body, headers=headers)


def _feed(data: bytes, cuts: list[int]) -> tuple[ContentReader, _Confirms, list[bytes]]:
    others: list[bytes] = []
    confirms = _Confirms()
    reader = ContentReader(1, others=others.append, confirms=confirms)
    places = sorted({0, *(cut % len(data) for cut in cuts), len(data)})
    for start, end in itertools.pairwise(places):
        reader.feed(data[start:end])
    return reader, confirms, others


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_the_way_the_bytes_are_cut_does_not_matter(cuts: list[int]) -> None:
    heartbeat = frame.Heartbeat().marshal()
    flow = frame.Method(1, spec.Channel.Flow(active=True)).marshal()
    elsewhere = frame.Method(2, spec.Basic.Ack(1)).marshal()
    returned = spec.Basic.Return(312, "NO_ROUTE", "supervision", "sms.x")
    data = b"".join(
        [
            _deliver(1, b"", headers={"x-seq": 1}),
            heartbeat,
            _deliver(2, b"123456789012", redelivered=True, headers={"x-stream-offset": 40, "x-delivery-count": 1}),
            flow,
            frame.Method(1, spec.Basic.Ack(3, multiple=True)).marshal(),
            _content(returned, b"lost body"),
            elsewhere,
            frame.Method(1, spec.Basic.Nack(4)).marshal(),
            _deliver(3, b"123"),
        ]
    )
    reader, confirms, others = _feed(data, cuts)
    plain = Message("approval.440604.SL", {"app_id": "chancheng"}, {}, b"", "supervision")
    assert list(reader.deliveries) == [
        Delivery(plain._replace(headers={"x-seq": 1}), 1),
        Delivery(plain._replace(body=b"123456789012"), 2, redelivered=True, offset=40),
        Delivery(plain._replace(body=b"123"), 3),
    ]
    assert confirms.calls == [(3, True, True), (312, "NO_ROUTE", "sms.x"), (4, False, False)]
    assert others == [heartbeat, flow, elsewhere]


def test_a_frame_without_its_end_is_an_error() -> None:
    with pytest.raises(InvalidFrameError, match="without its end"):
        _feed(_deliver(1, b"x")[:-1] + b"\x00", [])


def test_a_refused_protocol_version_is_left_to_pika() -> None:
    _, _, others = _feed(b"AMQP\x00\x00\x09\x01", [])
    assert others == [b"AMQP\x00\x00\x09\x01"]


def test_a_consumer_leaves_confirms_to_pika_and_drops_returns() -> None:
    others: list[bytes] = []
    reader = ContentReader(1, others=others.append)
    ack = frame.Method(1, spec.Basic.Ack(1)).marshal()
    heartbeat = frame.Heartbeat().marshal()[:1] + b"\x00\x01" + frame.Heartbeat().marshal()[3:]
    reader.feed(ack + heartbeat + _content(spec.Basic.Return(312, "NO_ROUTE", "x", "y"), b"z"))
    assert others == [ack, heartbeat]
    assert not reader.deliveries


def test_targets_are_kept_but_not_for_ever() -> None:
    reader = ContentReader(1, others=lambda _: None)
    for number in range(5000):
        reader.feed(_content(spec.Basic.Deliver("c", number, False, "x", f"a.{number}"), b""))
    assert len(reader._targets) <= 4096
    assert reader.deliveries[4999].message.routing_key == "a.4999"
