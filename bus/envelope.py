"""Envelope Wrapper: entries of the ledger become messages, and messages their members (docs/reference/stream.md §7).

`unwrap` checks everything that a message says twice; whether it is the right message in the right place is the
business of `bus.verify`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from bus import package
from bus.errors import RejectedError
from bus.message import Fault, Message, escape_key_part
from bus.seal import MAX_SEQ, is_stream_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.message import Entry, EntryType, Stream

CONTENT_TYPE: Final = "application/xml"
CHECKPOINT: Final = "CHECKPOINT"
PACKAGE: Final = "PACKAGE"
RESENT: Final = "x-resent"

_TYPE_PREFIX: Final = "foshan.supervision."
_SOURCE_PREFIX: Final = "urn:foshan:"
_OWN_WORDS: Final[dict[str, EntryType]] = {"notice": "notice", "manifest": "manifest", "epoch": "epoch"}
#: First words of routing keys of messages that are no entries of a stream.
_NO_ENTRIES: Final = frozenset({"receipt", "refill", "checkpoint"})
_HEADERS: Final = (
    "x-stream", "x-epoch", "x-seq", "x-digest", "x-head", "x-mapping", "cloudEvents_specversion", "cloudEvents_id",
    "cloudEvents_source", "cloudEvents_type", "cloudEvents_time", "cloudEvents_dataschema",
)  # fmt: skip
_PROPERTIES: Final = ("content_type", "message_id", "type", "app_id", "timestamp")
_HEX_WORDS: Final = frozenset({"x-row", "x-digest", "x-head"})
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_sha256 = hashlib.sha256


@lru_cache(maxsize=4096)
def seconds(collected_at: str) -> int:
    """Whole seconds since 1970 of a time in the stream's form. Raises ValueError when it is not in that form."""
    if not _TIME.fullmatch(collected_at):
        raise ValueError(f"not a time in UTC with milliseconds: {collected_at!r}")
    return int(datetime.fromisoformat(collected_at).timestamp())


class Wrapper:
    """Makes the messages of one stream; the same entry gives the same message at any time.

    Args:
        stream: its name, epoch, division, source and domain.
    """

    def __init__(self, stream: Stream) -> None:
        if not is_stream_name(stream.name) or stream.name.rpartition("/")[2] != stream.source:
            raise ValueError(f"a stream is named <group>/<source>: {stream.name!r}, source {stream.source!r}")
        self._stream = stream
        self._prefix = f"{stream.name}/e{stream.epoch}/"
        self._plans: dict[tuple[str, str, str], tuple[str, str, dict[str, Any]]] = {}

    def wrap(self, entry: Entry) -> Message:
        """Message of one entry."""
        plan = self._plans.get((entry.type, entry.kind, entry.topic))
        if plan is None:
            plan = self._plan(entry.type, entry.kind, entry.topic)
        routing_key, event_type, constant = plan
        ident = f"{self._prefix}{entry.seq}"
        at = entry.collected_at
        properties = {**constant, "message_id": ident, "timestamp": seconds(at)}
        if entry.type == "record" or entry.type == "notice":  # noqa: PLR1714 - twice as fast as a set on the hot path
            properties["correlation_id"] = entry.application_no
        headers = {
            "x-stream": self._stream.name,
            "x-epoch": self._stream.epoch,
            "x-seq": entry.seq,
            "x-key": entry.key,
            "x-row": entry.row_digest.hex(),
            "x-digest": entry.payload_digest.hex(),
            "x-head": entry.head.hex(),
            "x-mapping": entry.mapping_id,
            "cloudEvents_specversion": "1.0",
            "cloudEvents_id": ident,
            "cloudEvents_source": f"{_SOURCE_PREFIX}{self._stream.name}",
            "cloudEvents_type": event_type,
            "cloudEvents_time": at,
            "cloudEvents_dataschema": entry.schema_id,
        }
        return Message(routing_key, properties, headers, entry.payload)

    def wrap_package(self, entries: Sequence[Entry]) -> Message:
        """Message of a run of records.

        Raises:
            ValueError: none, not consecutive, not only records, not of one schema and one mapping: the caller's fault.
        """
        if not entries:
            raise ValueError("a package needs an entry")
        first = entries[0]
        for seq, entry in enumerate(entries, first.seq):
            if (entry.seq, entry.type) != (seq, "record"):
                raise ValueError(f"a package holds consecutive records; {entry.type} {entry.seq} stands at {seq}")
            if (entry.schema_id, entry.mapping_id) != (first.schema_id, first.mapping_id):
                raise ValueError(f"a package has one schema and one mapping; entry {seq} has others")
        parts = [package.Part(e.key, e.row_digest, e.payload, e.collected_at) for e in entries]
        body = package.build(f"{self._prefix}{first.seq}", self._stream.division, parts)
        lone = self.wrap(
            first._replace(kind=PACKAGE, topic=PACKAGE, payload=body, payload_digest=_sha256(body).digest())
        )
        left_out = ("x-key", "x-row")
        headers = {word: value for word, value in lone.headers.items() if word not in left_out}
        headers |= {"x-head": entries[-1].head.hex(), "x-count": len(entries)}
        properties = {word: value for word, value in lone.properties.items() if word != "correlation_id"}
        return lone._replace(headers=headers, properties=properties)

    def wrap_checkpoint(self, note: bytes) -> Message:
        """Message of a signed note (`bus.seal.checkpoint`)."""
        stream = self._stream
        properties = {"content_type": "text/plain", "delivery_mode": 2, "type": CHECKPOINT, "app_id": stream.source}
        headers = {"x-stream": stream.name, "x-epoch": stream.epoch}
        return Message(f"checkpoint.{stream.division}.{stream.source}", properties, headers, note)

    def _plan(self, type_: EntryType, kind: str, topic: str) -> tuple[str, str, dict[str, Any]]:
        domain = self._stream.domain if type_ == "record" else type_
        routing_key = f"{domain}.{self._stream.division}.{topic}"
        constant = {"content_type": CONTENT_TYPE, "delivery_mode": 2, "type": kind, "app_id": self._stream.source}
        plan = self._plans[type_, kind, topic] = (routing_key, f"{_TYPE_PREFIX}{kind}", constant)
        return plan


def mark_resent(message: Message) -> Message:
    """The same message, marked as one that may have been sent before; the mark is no part of its identity."""
    return message._replace(headers={**message.headers, RESENT: True})


class Member(NamedTuple):
    """One entry as a receiver has it.

    Attributes:
        stream, epoch, seq: its place.
        type: record, notice, manifest or epoch.
        kind: KIND, or NOTICE, MANIFEST, EPOCH, RESULT.
        topic: the third word of the routing key.
        key: as in the leaf; division, application_no (not encoded) and version come from it.
        row_digest, payload_digest: 32 bytes each.
        payload: exact bytes.
        collected_at, schema_id, mapping_id: as in the leaf.
    """

    stream: str
    epoch: int
    seq: int
    type: EntryType
    kind: str
    topic: str
    key: str
    division: str
    application_no: str
    version: int
    row_digest: bytes
    payload_digest: bytes
    payload: bytes
    collected_at: str
    schema_id: str
    mapping_id: str

    @property
    def message_id(self) -> str:
        """`<stream>/e<epoch>/<seq>`, also of a member of a package."""
        return f"{self.stream}/e{self.epoch}/{self.seq}"


class Run(NamedTuple):
    """A message opened.

    Attributes:
        members: consecutive, at least one.
        head: of the chain after the last, as the message claims.
        is_resent: the sender has marked it.
    """

    members: tuple[Member, ...]
    head: bytes
    is_resent: bool


def unwrap(message: Message) -> tuple[Member, ...]:
    """Members of a message: one, or those of a package.

    Raises:
        RejectedError: with every fault found: `ENVELOPE_MISSING`, `ENVELOPE_FORM`, `ENVELOPE_CONTRADICTION`.
    """
    return open_message(message).members


def open_message(message: Message) -> Run:
    """As `unwrap`, with what a verifier needs besides. Raises RejectedError."""
    try:
        run = _package(message) if message.properties["type"] == PACKAGE else _single(message)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError):
        run = None
    if run is None:
        faults = _faults(message)
        raise RejectedError("; ".join(f"{fault.field}: {fault.en}" for fault in faults), faults=faults)
    return run


class _Place(NamedTuple):
    prefix: str
    source: str
    event_source: str


@lru_cache(maxsize=1024)
def _place(stream: str, epoch: int) -> _Place:
    """What all messages of one epoch repeat. Raises ValueError."""
    if not is_stream_name(stream) or not 1 <= epoch <= MAX_SEQ:
        raise ValueError("not a stream")
    return _Place(f"{stream}/e{epoch}/", stream.rpartition("/")[2], f"{_SOURCE_PREFIX}{stream}")


def _agrees(message: Message, digest: bytes) -> bool:
    """Whether what every message says twice agrees; `digest` is that of the body."""
    h, p = message.headers, message.properties
    seq, epoch = h["x-seq"], h["x-epoch"]
    place = _place(h["x-stream"], epoch)
    ident = f"{place.prefix}{seq}"
    return (
        type(seq) is int
        and type(epoch) is int
        and 1 <= seq <= MAX_SEQ
        and p["message_id"] == ident
        and h["cloudEvents_id"] == ident
        and p["app_id"] == place.source
        and h["cloudEvents_source"] == place.event_source
        and h["cloudEvents_type"] == f"{_TYPE_PREFIX}{p['type']}"
        and h["cloudEvents_specversion"] == "1.0"
        and p["content_type"] == CONTENT_TYPE
        and p["timestamp"] == seconds(h["cloudEvents_time"])
        and h["x-digest"] == digest.hex()
        and h["x-mapping"].__class__ is str
        and h["cloudEvents_dataschema"].__class__ is str
    )


def _single(message: Message) -> Run | None:
    h, p, body = message.headers, message.properties, message.body
    digest = _sha256(body).digest()
    if not _agrees(message, digest) or "x-count" in h:
        return None
    row, head = h["x-row"], h["x-head"]
    row_digest, head_digest = bytes.fromhex(row), bytes.fromhex(head)
    if not (row_digest.hex() == row and head_digest.hex() == head and len(row) == len(head) == 64):
        return None
    key, kind, case = h["x-key"], p["type"], p.get("correlation_id")
    word, division, topic = message.routing_key.split(".", 2)
    parts = key.split(":")
    type_ = _OWN_WORDS.get(word, "record")
    if division != parts[0] or not _fits(type_, kind, topic, parts, case) or word in _NO_ENTRIES:
        return None
    if (type_ == "manifest" or type_ == "epoch") and topic != p["app_id"]:  # noqa: PLR1714 - on the hot path
        return None
    version = int(parts[-1]) if parts[-1].isdigit() else 0
    member = Member(
        h["x-stream"], h["x-epoch"], h["x-seq"], type_, kind, topic, key, division, case or "", version,
        row_digest, digest, body, h["cloudEvents_time"], h["cloudEvents_dataschema"], h["x-mapping"],
    )  # fmt: skip
    return Run((member,), head_digest, h.get(RESENT) is True)


def _fits(type_: EntryType, kind: str, topic: str, parts: list[str], case: str | None) -> bool:
    """Whether type, routing key, key and correlation id agree (§7)."""
    if type_ == "record":
        if kind != topic or kind != parts[1]:
            return False
    elif type_ == "notice":
        if kind != "NOTICE":
            return False
    else:
        return kind == type_.upper() and case is None
    if case is None or not 4 <= len(parts) <= 5 or not parts[-1].isdigit():
        return False
    return (case == parts[2] and "%" not in case) or escape_key_part(case) == parts[2]


def _package(message: Message) -> Run | None:
    h, p, body = message.headers, message.properties, message.body
    if not _agrees(message, _sha256(body).digest()) or {"x-key", "x-row"} & h.keys() or "correlation_id" in p:
        return None
    stream, epoch, first, head = h["x-stream"], h["x-epoch"], h["x-seq"], bytes.fromhex(h["x-head"])
    word, division, topic = message.routing_key.split(".", 2)
    parts = package.cut(body, p["message_id"], division)
    if head.hex() != h["x-head"] or len(head) != 32 or topic != PACKAGE or word in {*_OWN_WORDS, *_NO_ENTRIES}:
        return None
    if type(h["x-count"]) is not int or h["x-count"] != len(parts) or parts[0].collected_at != h["cloudEvents_time"]:
        return None
    members = []
    for seq, part in enumerate(parts, first):
        words = part.key.split(":")
        case = unquote(words[2])
        seconds(part.collected_at)
        if words[0] != division or len(part.row_digest) != 32 or not _fits("record", words[1], words[1], words, case):
            return None
        member = Member(
            stream, epoch, seq, "record", words[1], words[1], part.key, division, case, int(words[-1]),
            part.row_digest, _sha256(part.payload).digest(), part.payload, part.collected_at,
            h["cloudEvents_dataschema"], h["x-mapping"],
        )  # fmt: skip
        members.append(member)
    return Run(tuple(members), head, h.get(RESENT) is True)


def _faults(message: Message) -> list[Fault]:
    """Everything wrong with a message that cannot be opened; slow, and never empty."""
    faults = [_fault("ENVELOPE_MISSING", word, "缺少", "missing") for word in _missing(message)]
    if not faults:
        for word, found, expected in _comparisons(message):
            if found != expected or type(found) is not type(expected):
                zh = f"值为 {found!r}，应为 {expected!r}"
                faults.append(_fault("ENVELOPE_CONTRADICTION", word, zh, f"is {found!r}, expected {expected!r}"))
        bad = [word for word in sorted(_HEX_WORDS & message.headers.keys()) if not _is_hex(message.headers[word])]
        zh, en = "应为 64 位小写十六进制", "64 lower-case hexadecimal digits are expected"
        faults += [_fault("ENVELOPE_FORM", word, zh, en) for word in bad]
    if not faults:
        zh, en = "正文、业务键与信封不一致", "body, keys and envelope do not agree"
        faults.append(_fault("ENVELOPE_FORM", "body", zh, en))
    return faults


def _missing(message: Message) -> list[str]:
    is_package = message.properties.get("type") == PACKAGE
    headers = _HEADERS + (("x-count",) if is_package else ("x-key", "x-row"))
    missing = [word for word in headers if word not in message.headers]
    return missing + [word for word in _PROPERTIES if word not in message.properties]


def _comparisons(message: Message) -> list[tuple[str, object, object]]:
    h, p = message.headers, message.properties
    stream, ident, kind = str(h["x-stream"]), f"{h['x-stream']}/e{h['x-epoch']}/{h['x-seq']}", p["type"]
    word, division, topic = (*message.routing_key.split(".", 2), "", "")[:3]
    at = str(h["cloudEvents_time"])
    found = [
        ("x-stream", is_stream_name(stream), True),
        ("x-epoch", _is_number(h["x-epoch"]), True),
        ("x-seq", _is_number(h["x-seq"]), True),
        ("message_id", p["message_id"], ident),
        ("cloudEvents_id", h["cloudEvents_id"], ident),
        ("app_id", p["app_id"], stream.rpartition("/")[2]),
        ("cloudEvents_source", h["cloudEvents_source"], f"{_SOURCE_PREFIX}{stream}"),
        ("cloudEvents_type", h["cloudEvents_type"], f"{_TYPE_PREFIX}{kind}"),
        ("cloudEvents_specversion", h["cloudEvents_specversion"], "1.0"),
        ("content_type", p["content_type"], CONTENT_TYPE),
        ("x-digest", h["x-digest"], _sha256(message.body).hexdigest()),
        ("cloudEvents_time", _is_time(at), True),
        ("x-mapping", type(h["x-mapping"]).__name__, "str"),
        ("cloudEvents_dataschema", type(h["cloudEvents_dataschema"]).__name__, "str"),
        ("routing_key", word in _NO_ENTRIES, False),
    ]
    if _is_time(at):
        found.append(("timestamp", p["timestamp"], seconds(at)))
    if kind == PACKAGE:
        return [*found, ("routing_key", topic, PACKAGE), ("correlation_id", p.get("correlation_id"), None)]
    return found + _key_comparisons(message, word, division, topic)


def _key_comparisons(message: Message, word: str, division: str, topic: str) -> list[tuple[str, object, object]]:
    kind, case = message.properties["type"], message.properties.get("correlation_id")
    parts = [*str(message.headers["x-key"]).split(":"), "", ""]
    found: list[tuple[str, object, object]] = [("routing_key", division, parts[0])]
    type_ = _OWN_WORDS.get(word, "record")
    if type_ in {"manifest", "epoch"}:
        found += [("type", kind, type_.upper()), ("routing_key", topic, message.properties["app_id"])]
        return [*found, ("correlation_id", case, None)]
    found.append(("correlation_id", case, unquote(parts[2])))
    if type_ == "notice":
        return [*found, ("type", kind, "NOTICE")]
    return [*found, ("type", kind, parts[1]), ("routing_key", topic, parts[1])]


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_time(text: str) -> bool:
    try:
        seconds(text)
    except ValueError:
        return False
    return True


def _is_number(value: object) -> bool:
    return type(value) is int and 1 <= value <= MAX_SEQ


def _fault(code: str, word: str, zh: str, en: str) -> Fault:
    return Fault(code, word, "reject", zh, en)
