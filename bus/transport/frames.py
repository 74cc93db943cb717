"""AMQP 0-9-1 content frames: our encoder and decoder for the hot path, equal to pika's byte for byte.

A message travels as a method frame (basic.publish), a header frame (properties with the headers table) and body frames
of at most `frame_max`. Whole numbers in the headers table are always 64 bits wide (`l`), so that the type of `x-seq`
does not change with its value. The embedded transport keeps envelopes in the same encoding.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pika import data as pika_data
from pika import spec

from bus.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bus.message import Message

FRAME_OVERHEAD: Final = 8
_FRAME_END: Final = b"\xce"
_PERSISTENT: Final = 2
_CHUNK_BYTES: Final = 1 << 16
_CACHE_SIZE: Final = 4096

_FRAME: Final = struct.Struct(">BHI")
_HEADER_FRAME: Final = struct.Struct(">BHIHHQ")
_SHORT: Final = struct.Struct(">H")
_LONG: Final = struct.Struct(">I")
_NUMBER: Final = struct.Struct(">cq")
_STAMP: Final = struct.Struct(">Q")
_ACK: Final = struct.Struct(">BHIHHQBB")
_REJECT: Final = struct.Struct(">BHIHHQBB")

_LENGTHS: Final = tuple(_LONG.pack(size) for size in range(256))

_TEXT, _TABLE, _OCTET, _TIME = range(4)
#: Basic properties in the order of the wire: name, flag, form.
_PROPERTIES: Final = (
    ("content_type", 0x8000, _TEXT),
    ("content_encoding", 0x4000, _TEXT),
    ("headers", 0x2000, _TABLE),
    ("delivery_mode", 0x1000, _OCTET),
    ("priority", 0x0800, _OCTET),
    ("correlation_id", 0x0400, _TEXT),
    ("reply_to", 0x0200, _TEXT),
    ("expiration", 0x0100, _TEXT),
    ("message_id", 0x0080, _TEXT),
    ("timestamp", 0x0040, _TIME),
    ("type", 0x0020, _TEXT),
    ("user_id", 0x0010, _TEXT),
    ("app_id", 0x0008, _TEXT),
    ("cluster_id", 0x0004, _TEXT),
)
_NAMES: Final = frozenset(name for name, _, _ in _PROPERTIES) - {"headers"}


class Envelope(NamedTuple):
    """Decoded properties and headers, and where they ended."""

    properties: dict[str, Any]
    headers: dict[str, Any]
    end: int


def encode_ack(channel: int, tag: int) -> bytes:
    """Frame of basic.ack for everything up to and including `tag`."""
    return _ACK.pack(1, channel, 13, 60, 80, tag, 1, 0xCE)


def encode_reject(channel: int, tag: int) -> bytes:
    """Frame of basic.reject for `tag`, which is not put back into its queue."""
    return _REJECT.pack(1, channel, 13, 60, 90, tag, 0, 0xCE)


class Encoder:
    """Encodes messages for one channel: persistent and mandatory, always.

    Args:
        channel: its number.
        frame_max: negotiated limit of a frame, in bytes, its 8 bytes of frame around the payload included.
    """

    def __init__(self, channel: int, *, frame_max: int) -> None:
        self._channel = channel
        self._payload_max = frame_max - FRAME_OVERHEAD
        self._methods: dict[tuple[str, str], bytes] = {}
        self._short_texts: dict[str, bytes] = {}
        self._names: dict[str, bytes] = {}
        self._last: dict[str, tuple[str, bytes]] = {}
        self._plans: dict[tuple[str, ...], tuple[bytes, tuple[tuple[str, int], ...]]] = {}

    def encode(self, messages: Sequence[Message]) -> list[bytes]:
        """All frames of `messages`, in order, joined into chunks of about 64 KB: one write to the socket each.

        Raises:
            FatalError: a message that AMQP cannot carry: an unknown property, a value of a wrong type, a short string
                of more than 255 bytes, a number beyond 64 bits, headers that do not fit into a frame.
        """
        chunks: list[bytes] = []
        pieces: list[bytes] = []
        size = 0
        for message in messages:
            envelope = self.envelope(message)
            body = message.body
            pieces += (
                self.method(message),
                _HEADER_FRAME.pack(2, self._channel, 12 + len(envelope), 60, 0, len(body)),
                envelope,
            )
            if 0 < len(body) <= self._payload_max:
                pieces += (_FRAME_END, _FRAME.pack(3, self._channel, len(body)), body, _FRAME_END)
            else:
                self._append_split(pieces, body)
            size += len(body) + len(envelope) + 100
            if size >= _CHUNK_BYTES:
                chunks.append(b"".join(pieces))
                pieces.clear()
                size = 0
        if pieces:
            chunks.append(b"".join(pieces))
        return chunks

    def envelope(self, message: Message) -> bytes:
        """Property flags, properties and headers table of `message` as they stand in the header frame.

        Raises:
            FatalError: as `encode`.
        """
        try:
            envelope = self._envelope(message.properties, message.headers)
        except (struct.error, AttributeError, TypeError, ValueError) as error:
            raise _unencodable(message, str(error)) from error
        if len(envelope) + 12 > self._payload_max:
            raise _unencodable(message, f"headers of {len(envelope)} bytes do not fit into one frame")
        return envelope

    def _envelope(self, properties: Mapping[str, Any], headers: Mapping[str, Any]) -> bytes:
        """CLEVER, and the only clever encoder. Benchmark: publishing 1.5 KB with 14 headers and 7 properties.

        All frames of a message take 7 µs against 19 to 24 µs with pika's encoder (CPython 3.11), of which this is 5.
        It wins by caching the bytes of names, of short texts that repeat, and per name the last text (the constant
        headers of a stream), by one plan a set of properties, and by joining once.
        """
        plan = self._plans.get(tuple(properties)) or self._plan(properties)
        pieces: list[bytes] = [plan[0]]
        last = self._last
        for name, form in plan[1]:
            if form == _TEXT:
                value = properties[name]
                pieces.append(self._short_texts.get(value) or self._short_text(name, value))
            elif form == _TABLE:
                table_at = len(pieces)
                pieces.append(b"")
                for key, value in headers.items():
                    if type(value) is str:
                        known = last.get(key)
                        if known is None or known[0] != value:
                            text = value.encode()
                            size = len(text)
                            length = _LENGTHS[size] if size < 256 else _LONG.pack(size)
                            known = (value, (self._names.get(key) or self._name(key)) + b"S" + length + text)
                            last[key] = known
                        pieces.append(known[1])
                    elif type(value) is int:
                        pieces.append((self._names.get(key) or self._name(key)) + _NUMBER.pack(b"l", value))
                    else:
                        pieces.append((self._names.get(key) or self._name(key)) + _encode_value(value))
                table = b"".join(pieces[table_at + 1 :])
                pieces[table_at:] = (_LONG.pack(len(table)), table)
            elif form == _TIME:
                pieces.append(_STAMP.pack(properties[name]))
            else:
                pieces.append(_octet(name, properties.get(name, _PERSISTENT)))
        return b"".join(pieces)

    def _plan(self, properties: Mapping[str, Any]) -> tuple[bytes, tuple[tuple[str, int], ...]]:
        """What to do for messages with these properties: their flags and forms, in the order of the wire."""
        if not properties.keys() <= _NAMES:
            raise ValueError(f"unknown properties {sorted(set(properties) - _NAMES)}")
        present = {*properties, "headers", "delivery_mode"}
        flags = sum(flag for name, flag, _ in _PROPERTIES if name in present)
        forms = tuple((name, form) for name, _, form in _PROPERTIES if name in present)
        plan = self._plans[tuple(properties)] = (_SHORT.pack(flags), forms)
        return plan

    def _append_split(self, pieces: list[bytes], body: bytes) -> None:
        """End the header frame, then as many body frames as it takes: none for an empty body."""
        pieces.append(_FRAME_END)
        for start in range(0, len(body), self._payload_max):
            part = body[start : start + self._payload_max]
            pieces += (_FRAME.pack(3, self._channel, len(part)), part, _FRAME_END)

    def method(self, message: Message) -> bytes:
        """Frame of basic.publish, mandatory; the few that a channel uses are kept.

        Raises:
            FatalError: as `encode`.
        """
        known = self._methods.get((message.exchange, message.routing_key))
        if known is not None:
            return known
        try:
            target = _short(message.exchange) + _short(message.routing_key)
        except ValueError as error:
            raise _unencodable(message, str(error)) from error
        payload = b"\x00\x3c\x00\x28\x00\x00" + target + b"\x01"
        frame = _FRAME.pack(1, self._channel, len(payload)) + payload + _FRAME_END
        return _keep(self._methods, (message.exchange, message.routing_key), frame)

    def _name(self, name: str) -> bytes:
        if len(self._names) >= _CACHE_SIZE:
            self._last.clear()  # it has no more names than the cache of names
        return _keep(self._names, name, _short(name))

    def _short_text(self, name: str, value: str) -> bytes:
        """Encode a short string; keep those of properties that repeat from message to message."""
        if type(value) is not str:
            raise TypeError(f"{name} is {type(value).__name__}, not str")
        encoded = _short(value)
        if name in ("message_id", "correlation_id"):
            return encoded
        return _keep(self._short_texts, value, encoded)


def _keep(cache: dict[Any, bytes], key: object, value: bytes) -> bytes:
    if len(cache) >= _CACHE_SIZE:
        cache.clear()
    cache[key] = value
    return value


def _short(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 255:
        raise ValueError(f"{text[:40]}… has {len(encoded)} bytes; a short string has at most 255")
    return bytes((len(encoded),)) + encoded


def _octet(name: str, value: int) -> bytes:
    if name == "delivery_mode" and value != _PERSISTENT:
        raise ValueError(f"delivery_mode is {value}; only persistent messages (2) are published")
    return bytes((value,))


def _encode_value(value: object) -> bytes:
    """A header value that is no text."""
    if isinstance(value, bool):
        return b"t\x01" if value else b"t\x00"
    if isinstance(value, int):
        return _NUMBER.pack(b"l", value)
    if isinstance(value, bytes):
        return b"x" + _LONG.pack(len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return b"S" + _LONG.pack(len(text)) + text
    raise TypeError(f"a header is {type(value).__name__}; str, int, bool and bytes are carried")


def _unencodable(message: Message, why: str) -> FatalError:
    name = message.properties.get("message_id", "")
    return FatalError(f"message {name!r} to {message.routing_key!r} cannot be published over AMQP: {why}")


class Decoder:
    """Decodes properties and headers; keeps the names it has seen."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._plans: dict[int, tuple[tuple[str, int], ...]] = {}

    def decode(self, frame: bytes, at: int) -> Envelope:
        """Decode from the property flags at `at`; equal to pika's decoding, except that it is quicker."""
        try:
            return self._decode(frame, at)
        except UnicodeDecodeError:
            return _decode_by_pika(frame, at)

    def _decode(self, frame: bytes, at: int) -> Envelope:
        """CLEVER, and the only clever decoder. Benchmark: consuming 1.5 KB with 14 headers and 7 properties.

        7 µs a message against 20 µs with pika's decoder (CPython 3.11). It wins by looking names up by their bytes, by
        one plan a set of flags, and by leaving rare types to pika.
        """
        (flags,) = _SHORT.unpack_from(frame, at)
        plan = self._plans.get(flags) or self._plan(flags)
        at += 2
        properties: dict[str, Any] = {}
        headers: dict[str, Any] = {}
        names = self._names
        unpack_long: Callable[[bytes, int], tuple[int]] = _LONG.unpack_from
        for name, form in plan:
            if form == _TEXT:
                size = frame[at]
                at += 1
                properties[name] = frame[at : at + size].decode()
                at += size
            elif form == _TABLE:
                end = at + 4 + unpack_long(frame, at)[0]
                at += 4
                while at < end:
                    start = at + 1
                    at = start + frame[at]
                    raw = frame[start:at]
                    key = names.get(raw) or self._name(raw)
                    kind = frame[at]
                    if kind == 0x53:
                        start = at + 5
                        at = start + unpack_long(frame, at + 1)[0]
                        headers[key] = frame[start:at].decode()
                    elif kind == 0x6C:
                        (headers[key],) = _STAMP_SIGNED.unpack_from(frame, at + 1)
                        at += 9
                    else:
                        headers[key], at = pika_data.decode_value(frame, at)
            elif form == _OCTET:
                properties[name] = frame[at]
                at += 1
            else:
                (properties[name],) = _STAMP.unpack_from(frame, at)
                at += 8
        return Envelope(properties, headers, at)

    def _name(self, raw: bytes) -> str:
        if len(self._names) >= _CACHE_SIZE:
            self._names.clear()
        name = self._names[raw] = raw.decode()
        return name

    def _plan(self, flags: int) -> tuple[tuple[str, int], ...]:
        plan = self._plans[flags] = tuple((name, form) for name, flag, form in _PROPERTIES if flags & flag)
        return plan


_STAMP_SIGNED: Final = struct.Struct(">q")


def _decode_by_pika(frame: bytes, at: int) -> Envelope:
    decoded: Any = spec.BasicProperties()
    decoded.decode(frame, at)
    properties = {name: value for name in _NAMES if (value := getattr(decoded, name)) is not None}
    return Envelope(properties, decoded.headers or {}, len(frame))
