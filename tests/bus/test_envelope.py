"""Envelopes: what the wrapper writes, and everything that `unwrap` refuses."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import unquote

import pytest
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from bus.envelope import RESENT, Member, Wrapper, mark_resent, open_message, seconds, unwrap
from bus.errors import RejectedError
from bus.message import Message, Stream, escape_key_part
from tests.bus.journals import STREAM, new_entry, signed, write

ENTRIES = write(
    [
        new_entry(1, case="甲:1 %"),
        new_entry(2, type_="notice"),
        new_entry(3, type_="manifest"),
        new_entry(4),
        new_entry(5),
    ]
).entries
WRAPPER = Wrapper(STREAM)
RECORD, NOTICE, MANIFEST = (WRAPPER.wrap(entry) for entry in ENTRIES[:3])
PACKAGE = WRAPPER.wrap_package(ENTRIES[3:])
GONE = object()


def changed(message: Message, word: str, value: object) -> Message:
    """A copy with one property, header or field set to another value, or taken away."""
    whole: dict[str, Any] = message._asdict()
    if word in whole:
        return Message(**whole | {word: value})
    values = dict(whole["headers" if word.startswith(("x-", "cloudEvents_")) else "properties"])
    values[word] = value
    if value is GONE:
        del values[word]
    if word.startswith(("x-", "cloudEvents_")):
        return message._replace(headers=values)
    return message._replace(properties=values)


def test_a_member_is_what_the_entry_was() -> None:
    for entry, message in zip(ENTRIES, [RECORD, NOTICE, MANIFEST, PACKAGE, PACKAGE], strict=True):
        member = next(m for m in unwrap(message) if m.seq == entry.seq)
        is_about_a_case = entry.type in {"record", "notice"}
        assert member == Member(
            STREAM.name, 1, entry.seq, entry.type, entry.kind, entry.topic, entry.key, "440604",
            entry.application_no if is_about_a_case else "", 1, entry.row_digest, entry.payload_digest, entry.payload,
            entry.collected_at, entry.schema_id, entry.mapping_id,
        )  # fmt: skip
        assert member.message_id == f"foshan/chancheng/e1/{entry.seq}"


def test_an_opened_message_has_its_head_and_its_mark() -> None:
    assert open_message(RECORD)[1:] == (ENTRIES[0].head, False)
    assert open_message(mark_resent(PACKAGE))[1:] == (ENTRIES[-1].head, True)
    assert mark_resent(RECORD).headers == {**RECORD.headers, RESENT: True}
    assert RESENT not in RECORD.headers


def test_routing_keys_name_domain_division_and_kind() -> None:
    keys = [message.routing_key for message in (RECORD, NOTICE, MANIFEST, PACKAGE, signed(write(ENTRIES), 5))]
    assert keys == [
        "approval.440604.SL", "notice.440604.changed", "manifest.440604.chancheng", "approval.440604.PACKAGE",
        "checkpoint.440604.chancheng",
    ]  # fmt: skip


def test_the_wrapped_message_is_a_cloud_event_for_the_sdk() -> None:
    headers = {word.replace("cloudEvents_", "ce-"): value for word, value in RECORD.headers.items()}
    message = RabbitMQMessage(headers=headers, body=RECORD.body, content_type="application/xml")
    event = from_binary(message, JSONFormat(), CloudEvent)
    assert event.get_id() == "foshan/chancheng/e1/1"
    assert event.get_source() == "urn:foshan:foshan/chancheng"
    assert event.get_type() == "foshan.supervision.SL"
    assert event.get_dataschema() == "urn:schema"
    time = event.get_time()
    assert time is not None
    assert time.isoformat() == "2010-03-01T02:00:01.125000+00:00"


def test_a_package_holds_consecutive_records_of_one_schema_and_mapping() -> None:
    with pytest.raises(ValueError, match="needs an entry"):
        WRAPPER.wrap_package([])
    with pytest.raises(ValueError, match="record 5 stands at 2"):
        WRAPPER.wrap_package([ENTRIES[0], ENTRIES[4]])
    with pytest.raises(ValueError, match="notice 2 stands at 2"):
        WRAPPER.wrap_package(ENTRIES[:2])
    for other in (ENTRIES[4]._replace(schema_id="other"), ENTRIES[4]._replace(mapping_id="other")):
        with pytest.raises(ValueError, match="entry 5 has others"):
            WRAPPER.wrap_package([ENTRIES[3], other])


def test_a_stream_is_named_after_its_source() -> None:
    for name in ("foshan", "foshan/other", "foshan/chan cheng"):
        with pytest.raises(ValueError, match="<group>/<source>"):
            Wrapper(Stream(name, 1, "440604", "chancheng"))


def test_seconds_are_those_of_utc() -> None:
    assert seconds("1970-01-02T00:00:01.999Z") == 86401
    for text in ("1970-01-02T00:00:01Z", "1970-01-02T00:00:01.999+08:00", "1970-13-02T00:00:01.999Z", "", "１970"):
        with pytest.raises(ValueError, match=r"."):
            seconds(text)


BAD = [
    *[(message, word, GONE) for message in (RECORD, PACKAGE) for word in (*message.headers, "message_id")],
    *[(RECORD, word, GONE) for word in RECORD.properties if word != "delivery_mode"],
    *[(m, w, 7) for m in (RECORD, NOTICE, MANIFEST, PACKAGE) for w in (*m.headers, *m.properties)
      if w not in {"x-seq", "x-epoch", "delivery_mode"}],
    *[(m, w, "7") for m in (RECORD, PACKAGE) for w in m.headers if w not in {"x-mapping", "cloudEvents_dataschema"}],
    *[(m, "x-seq", value) for m in (RECORD, PACKAGE) for value in (0, True, 1.0, 2**63, None, 9)],
    *[(RECORD, "x-epoch", value) for value in (0, True, 1.0, 2**63, 2)],
    (RECORD, "x-head", RECORD.headers["x-head"].upper()),
    (RECORD, "x-row", RECORD.headers["x-row"][:62]),
    (PACKAGE, "x-head", PACKAGE.headers["x-head"][:62]),
    (PACKAGE, "x-head", PACKAGE.headers["x-head"].upper()),
    (RECORD, "x-key", RECORD.headers["x-key"].replace("440604", "440605")),
    (RECORD, "x-key", RECORD.headers["x-key"].replace(":SL:", ":BJ:")),
    (RECORD, "x-key", RECORD.headers["x-key"] + ":1:1"),
    (RECORD, "x-key", "440604:SL:甲%3A1%20%25"),
    (RECORD, "x-key", RECORD.headers["x-key"] + "x"),
    (RECORD, "x-count", 1),
    (RECORD, "correlation_id", "甲%3A1%20%25"),
    (RECORD, "timestamp", 1267408802),
    (RECORD, "body", RECORD.body + b" "),
    (RECORD, "routing_key", "approval.440604.BJ"),
    (RECORD, "routing_key", "approval.440604"),
    (RECORD, "routing_key", ""),
    (RECORD, "routing_key", "receipt.440604.SL"),
    (RECORD, "routing_key", "notice.440604.SL"),
    (RECORD, "routing_key", "manifest.440604.SL"),
    (NOTICE, "routing_key", "approval.440604.changed"),
    (NOTICE, "routing_key", "notice.440605.changed"),
    (NOTICE, "type", "SL"),
    (MANIFEST, "routing_key", "epoch.440604.chancheng"),
    (MANIFEST, "routing_key", "manifest.440604.nanhai"),
    (MANIFEST, "correlation_id", "1"),
    (PACKAGE, "routing_key", "approval.440605.PACKAGE"),
    (PACKAGE, "routing_key", "approval.440604.SL"),
    (PACKAGE, "routing_key", "notice.440604.PACKAGE"),
    (PACKAGE, "routing_key", "refill.440604.PACKAGE"),
    (PACKAGE, "correlation_id", "1"),
    (PACKAGE, "x-key", "1"),
    (PACKAGE, "x-row", "1"),
    (PACKAGE, "x-count", 3),
    (PACKAGE, "x-count", 2.0),
    (PACKAGE, "cloudEvents_time", "2010-03-01T02:00:04.126Z"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "word", "value"), BAD, ids=lambda value: str(value)[:24])
def test_what_does_not_agree_with_itself_is_refused(message: Message, word: str, value: object) -> None:
    with pytest.raises(RejectedError) as caught:
        unwrap(changed(message, word, value))
    faults = caught.value.faults
    assert faults
    assert {fault.severity for fault in faults} == {"reject"}
    assert {fault.code for fault in faults} <= {"ENVELOPE_MISSING", "ENVELOPE_CONTRADICTION", "ENVELOPE_FORM"}
    assert all(fault.zh and fault.en and fault.field for fault in faults)


def test_every_fault_is_listed_with_what_was_expected() -> None:
    message = changed(changed(RECORD, "app_id", "nanhai"), "x-row", "AB")
    with pytest.raises(RejectedError) as caught:
        unwrap(message)
    assert [(fault.code, fault.field, fault.en) for fault in caught.value.faults] == [
        ("ENVELOPE_CONTRADICTION", "app_id", "is 'nanhai', expected 'chancheng'"),
        ("ENVELOPE_FORM", "x-row", "64 lower-case hexadecimal digits are expected"),
    ]
    assert str(caught.value).startswith("app_id: is 'nanhai', expected 'chancheng'; x-row: ")
    with pytest.raises(RejectedError) as caught:
        unwrap(changed(changed(RECORD, "app_id", GONE), "x-row", GONE))
    assert [(fault.code, fault.field) for fault in caught.value.faults] == [
        ("ENVELOPE_MISSING", "x-row"),
        ("ENVELOPE_MISSING", "app_id"),
    ]


def test_a_package_whose_records_are_of_another_division_is_refused() -> None:
    entries = [entry._replace(key=entry.key.replace("440604", "440605")) for entry in ENTRIES[3:]]
    with pytest.raises(RejectedError, match="body, keys and envelope do not agree"):
        unwrap(WRAPPER.wrap_package(entries))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_part_of_a_key_is_escaped_without_loss(text: str) -> None:
    part = escape_key_part(text)
    assert unquote(part) == text
    assert ":" not in part
    assert part.split() == ([part] if text else [])


def test_headers_that_nobody_names_are_ignored() -> None:
    assert unwrap(changed(RECORD, "x-death", [1])) == unwrap(RECORD)
    assert unwrap(changed(RECORD, "delivery_mode", 1)) == unwrap(RECORD)
    assert unwrap(changed(RECORD, "exchange", "other")) == unwrap(RECORD)


@pytest.mark.parametrize("time", ["2010-13-01T00:00:00.000Z", "2010-02-30T00:00:00.000Z", "0000-01-01T00:00:00.000Z"])
def test_a_time_that_no_calendar_has_is_a_fault(time: str) -> None:
    with pytest.raises(RejectedError, match="cloudEvents_time"):
        unwrap(changed(RECORD, "cloudEvents_time", time))


def test_a_package_of_the_last_hour_of_all_time_is_refused() -> None:
    time = "9999-12-31T23:59:59.999Z"
    body = re.sub(rb'collectedAt="[^"]*"', f'collectedAt="{time}"'.encode(), PACKAGE.body)
    message = changed(changed(PACKAGE, "timestamp", 253402300799), "cloudEvents_time", time)
    message = changed(changed(message, "x-digest", hashlib.sha256(body).hexdigest()), "body", body)
    with pytest.raises(RejectedError, match="body"):
        unwrap(message)
