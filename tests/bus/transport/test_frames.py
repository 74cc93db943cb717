"""Our frames are pika's frames, byte for byte, and both decoders read the same."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec
from pika.compat import long

from bus.errors import FatalError
from bus.message import Message
from bus.transport.frames import Decoder, Encoder, encode_ack

_SHORT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_TEXTS = (
    *("content_type", "content_encoding", "correlation_id", "reply_to", "expiration", "message_id"),
    *("type", "user_id", "app_id", "cluster_id"),
)
_PROPERTIES = st.fixed_dictionaries(
    {"delivery_mode": st.just(2)},
    optional=dict.fromkeys(_TEXTS, _SHORT)
    | {"priority": st.integers(0, 255), "timestamp": st.integers(0, (1 << 64) - 1)},
)
_VALUES = st.one_of(_SHORT, st.integers(-(1 << 63), (1 << 63) - 1), st.booleans(), st.binary(max_size=300))
_HEADERS = st.dictionaries(_SHORT, st.one_of(_VALUES, st.text("市x", min_size=250, max_size=600)), max_size=14)
_MESSAGES = st.builds(Message, _SHORT, _PROPERTIES, _HEADERS, st.binary(max_size=10_000), _SHORT)


def _by_pika(message: Message, *, channel: int, frame_max: int) -> bytes:
    """As pika's channel would send it; whole numbers marked as 64 bits wide."""
    headers: dict[str, Any] = {
        name: long(value) if type(value) is int else value for name, value in message.headers.items()
    }
    properties = spec.BasicProperties(headers=headers, **message.properties)
    method = spec.Basic.Publish(exchange=message.exchange, routing_key=message.routing_key, mandatory=True)
    frames = [frame.Method(channel, method), frame.Header(channel, len(message.body), properties)]
    limit = frame_max - 8
    bodies = [message.body[start : start + limit] for start in range(0, len(message.body), limit)]
    return b"".join(each.marshal() for each in [*frames, *(frame.Body(channel, body) for body in bodies)])


@given(st.lists(_MESSAGES, max_size=4))
def test_encoded_messages_equal_those_of_pika(messages: list[Message]) -> None:
    encoder = Encoder(7, frame_max=4096 * 4)
    for _ in range(2):  # the second time from the caches
        expected = b"".join(_by_pika(message, channel=7, frame_max=4096 * 4) for message in messages)
        assert b"".join(encoder.encode(messages)) == expected


@given(_MESSAGES)
def test_decoded_properties_equal_those_of_pika(message: Message) -> None:
    envelope = b"\x00\x3c" + Encoder(1, frame_max=1 << 20).envelope(message)
    theirs: Any = spec.BasicProperties()
    theirs.decode(envelope, 2)
    decoder = Decoder()
    for _ in range(2):
        properties, headers, end = decoder.decode(envelope, 2)
        assert properties == message.properties
        assert headers == message.headers == theirs.headers
        assert all(getattr(theirs, name) == value for name, value in properties.items())
        assert end == len(envelope)


def test_types_that_only_others_send_are_read_as_pika_reads_them() -> None:
    table = {"table": {"a": [1, "b"]}, "void": None, "old": 5, "text": "市"}
    properties: Any = spec.BasicProperties(headers=table, app_id="甲")
    envelope = b"".join(properties.encode())
    assert Decoder().decode(envelope, 0) == ({"app_id": "甲"}, table, len(envelope))


def test_text_that_is_no_utf_8_stays_bytes_as_with_pika() -> None:
    name = b"\x04name" + b"S" + struct.pack(">I", 1) + b"\xff"
    envelope = struct.pack(">H", 0x2008) + struct.pack(">I", len(name)) + name + b"\x02ok"
    assert Decoder().decode(envelope, 0)[:2] == ({"app_id": "ok"}, {"name": b"\xff"})


def test_a_batch_is_joined_into_few_chunks() -> None:
    messages = [Message("a.b.c", {}, {}, b"x" * 1500)] * 500
    chunks = Encoder(1, frame_max=131_072).encode(messages)
    assert 8 <= len(chunks) <= 16
    assert (
        b"".join(chunks)
        == _by_pika(messages[0]._replace(properties={"delivery_mode": 2}), channel=1, frame_max=131_072) * 500
    )


def test_caches_do_not_grow_for_ever() -> None:
    encoder, decoder = Encoder(1, frame_max=131_072), Decoder()
    for number in range(5000):
        message = Message(f"a.b.{number}", {"app_id": f"s{number}"}, {f"x-{number}": "1"}, b"")
        encoder.encode([message])
        decoder.decode(encoder.envelope(message), 0)
    caches = (encoder._methods, encoder._names, encoder._short_texts, encoder._last, decoder._names)
    assert [len(each) <= 4096 for each in caches] == [True] * 5


def test_ack_equals_that_of_pika() -> None:
    assert encode_ack(1, 77) == frame.Method(1, spec.Basic.Ack(77, multiple=True)).marshal()


@pytest.mark.parametrize("value", [None, 1.5, ["list"]])
def test_a_header_of_another_type_is_refused_with_the_name_of_the_message(value: object) -> None:
    message = Message("a.b.c", {"message_id": "s/e1/5"}, {"x-odd": value}, b"")
    with pytest.raises(FatalError, match=r"'s/e1/5' to 'a\.b\.c' cannot be published over AMQP: a header is"):
        Encoder(1, frame_max=4096).encode([message])


def test_values_of_a_subclass_are_encoded_as_their_base() -> None:
    class Name(str):
        __slots__ = ()

    class Number(IntEnum):
        FIVE = 5

    plain = Encoder(1, frame_max=4096).envelope(Message("a", {}, {"x": "市", "n": 5}, b""))
    derived = Message("a", {}, {"x": Name("市"), "n": Number.FIVE}, b"")
    assert Encoder(1, frame_max=4096).envelope(derived) == plain
