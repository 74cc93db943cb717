"""The validator: rules, quality, and libxml2's verdict in two tiers that cannot be fooled by what a payload holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from bus.errors import ConfigurationError
from bus.message import NAMESPACE, ROOTS, Fault, Translation
from tests.xsd.samples import NOW, fields_of, payload_of, translation_of
from xsd import catalogue
from xsd import validator as module
from xsd.validator import Validator, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    import bus.ports


@pytest.fixture(scope="module")
def validator() -> Iterator[Validator]:
    made = Validator()
    yield made
    made.close()
    made.close()


def quality_of(translation: Translation) -> list[tuple[str | None, str | None]]:
    root = etree.fromstring(translation.payload)
    if root[-1].tag != f"{{{NAMESPACE}}}quality":
        return []
    return [(fault.get("code"), fault.get("field")) for fault in root[-1]]


def test_it_is_the_port_and_names_its_schema(validator: Validator) -> None:
    port: bus.ports.Validator = validator
    assert port.id == "urn:foshan:supervision:exchange:v1/exchange.xsd"


def test_clean_records_come_back_unchanged_in_order(validator: Validator) -> None:
    given = [translation_of(kind) for kind in ROOTS] * 11
    assert validator.validate(given, now=NOW) == given
    assert validator.validate([], now=NOW) == []


def test_flags_are_written_as_the_last_child_and_the_result_is_valid(validator: Validator) -> None:
    own = Fault("MAP_CODE_ALIAS", "SLZTDM", "flag", "别名", "alias")
    given = translation_of("SL", deptOrgCode="006988575", phone="1")._replace(faults=(own, own))
    (result,) = validator.validate([given], now=NOW, order_gaps=frozenset({0}))
    expected = [
        ("MAP_CODE_ALIAS", "SLZTDM"),
        ("RULE_ORG_CODE", "deptOrgCode"),
        ("RULE_PHONE", "phone"),
        ("gap", ""),
    ]
    assert quality_of(result) == expected
    assert [fault.code for fault in result.faults] == ["MAP_CODE_ALIAS", *(code for code, _ in expected)]
    assert not result.is_rejected
    assert result.fields == given.fields
    assert result.payload.startswith(given.payload.removesuffix(b"</acceptance>"))
    assert Verdict().all([("SL", result.payload)])


def test_gaps_are_those_indexes_only(validator: Validator) -> None:
    given = [translation_of("SL")] * 130
    results = validator.validate(given, now=NOW, order_gaps=frozenset({3, 129}))
    assert [i for i, result in enumerate(results) if quality_of(result) == [("gap", "")]] == [3, 129]


@pytest.mark.parametrize("field", ["a" * 300, "列&<\"'>", "控\x01制", ""])
def test_any_source_column_can_be_named_in_quality(validator: Validator, field: str) -> None:
    given = translation_of("SL")._replace(faults=(Fault("X", field, "flag", "", ""),))
    (result,) = validator.validate([given], now=NOW)
    assert not result.is_rejected
    assert quality_of(result) == [("X", field[:200].replace("\x01", " "))]


def test_a_rejected_translation_passes_through_untouched(validator: Validator) -> None:
    fault = Fault("MAP_DATE", "SLSJ", "reject", "", "")
    given = Translation("SL", b"", {}, (fault,))
    assert validator.validate([given], now=NOW, order_gaps=frozenset({0})) == [given]


def test_a_rule_that_rejects_keeps_the_payload_and_the_schema_still_speaks(validator: Validator) -> None:
    given = translation_of(
        "SL", acceptedAt="2030-01-01T00:00:00+08:00", promisedDueDate=None, limitUnit="q", phone=None
    )
    (result,) = validator.validate([given], now=NOW)
    assert [(f.code, f.severity) for f in result.faults] == [
        ("RULE_FUTURE_DATE", "reject"),
        ("RULE_CONTACT", "flag"),
        ("XSD_CODE", "reject"),
    ]
    assert result.payload == given.payload


def test_only_the_invalid_records_of_a_large_batch_are_rejected(validator: Validator) -> None:
    given = [translation_of("SL") for _ in range(250)]
    bad = {0: "deptName", 99: "receiptNo", 100: "handlerName", 249: "itemCode"}
    for i, name in bad.items():
        given[i] = translation_of("SL", **{name: None})
    given[120] = given[120]._replace(payload=given[120].payload[:-3])
    results = validator.validate(given, now=NOW)
    assert {i: r.faults[0].field for i, r in enumerate(results) if r.is_rejected} == {**bad, 120: ""}
    assert results[120].faults[0].code in ("XML_MALFORMED", "XML_FRAME")


def test_a_flagged_record_that_is_cut_off_keeps_its_bytes(validator: Validator) -> None:
    given = translation_of("SL", phone="1")
    given = given._replace(payload=given.payload[:-20])
    (result,) = validator.validate([given], now=NOW)
    assert result.payload == given.payload
    assert [fault.code for fault in result.faults][:2] == ["RULE_PHONE", "XML_MALFORMED"]


def test_profile_and_division_reach_the_rules() -> None:
    made = Validator({"PHONE": "reject"}, division="440604")
    phone, division = made.validate(
        [translation_of("SL", phone="1"), translation_of("SL", regionCode="440605")], now=NOW
    )
    made.close()
    assert [f.code for f in phone.faults if f.severity == "reject"] == ["RULE_PHONE"]
    assert [f.code for f in division.faults if f.severity == "reject"] == ["RULE_DIVISION"]
    with pytest.raises(ConfigurationError, match="unknown rule"):
        Validator({"NOPE": "off"})


def test_small_batches_stay_in_the_calling_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Validator()
    sizes: list[int] = []
    submit = made._worker.submit

    def counted(function: Any, records: Any) -> Any:
        sizes.append(len(records))
        return submit(function, records)

    monkeypatch.setattr(made._worker, "submit", counted)
    made.validate([translation_of("SL")] * (module.SHARED_RECORDS - 1), now=NOW)
    assert sizes == []
    made.validate([translation_of("SL")] * 200, now=NOW)
    made.close()
    assert sizes == [100]


_GOOD = payload_of("SL", fields_of("SL"))
_BEGIN, _, _REST = _GOOD.partition(b">")
_CLOSE = b"</acceptance>"
_INNER = _GOOD[len(_BEGIN) + 1 : -len(_CLOSE)]

# Payloads that are no record by themselves, in groups that together could look like as many records as there are.
INJECTIONS = {
    "two in one, none in the other": [_GOOD + _GOOD, b""],
    "two in one, blank in the other": [_GOOD + _GOOD, b" "],
    "three in one, open comment around the others": [_GOOD * 3 + b"<!--", b"-->"],
    "comment from one to the next": [_BEGIN + b">" + _INNER + b"<!--" + _CLOSE, _BEGIN + b">-->" + _CLOSE + _GOOD],
    "instruction from one to the next": [_BEGIN + b">" + _INNER + b"<?x " + _CLOSE, _BEGIN + b">?>" + _CLOSE + _GOOD],
    "CDATA from one to the next": [
        _GOOD.replace(b"<limitValue>", b"<projectName><![CDATA[") + b"</acceptance>",
        _BEGIN + b">]]></projectName><limitValue>" + _INNER.partition(b"<limitValue>")[2] + _CLOSE + _GOOD,
    ],
    "a comment in a record": [_GOOD.replace(b"<phone>", b"<phone><!-- 0757-8 -->")],
    "half and half": [_GOOD[:200], _GOOD[200:] + _GOOD],
    "half and half, framed": [
        _GOOD[:200] + _CLOSE,
        _BEGIN + b">" + _GOOD[200:],
    ],
    "nested": [_BEGIN + b">" + _GOOD, _GOOD + _CLOSE, _GOOD],
    "out of the body": [_GOOD + b"</body></package>" + _CLOSE, _GOOD],
    "a second body": [_GOOD + b"</body><body>" + _GOOD, _GOOD],
    "a second package": [_GOOD + b"</body></package><package><body>" + _GOOD, _GOOD],
    "attribute from one to the next": [_BEGIN + b" a='>" + _CLOSE, _BEGIN + b"'>" + _INNER + _CLOSE],
    "text between": [_GOOD + b"x", _GOOD],
    "byte order mark": [b"\xef\xbb\xbf" + _GOOD, _GOOD],
    "other root": [payload_of("BJ", fields_of("BJ")), _GOOD],
    "no namespace of its own": [_GOOD.replace(b' xmlns="' + NAMESPACE.encode() + b'"', b""), _GOOD],
    "prefix": [_GOOD.replace(b"<acceptance xmlns=", b"<x:acceptance xmlns:x="), _GOOD],
}


@pytest.mark.parametrize("name", INJECTIONS)
def test_no_payload_borrows_validity_from_its_neighbours(validator: Validator, name: str) -> None:
    payloads = INJECTIONS[name]
    records = [("SL", payload) for payload in payloads]
    verdict = Verdict()
    assert not verdict.all(records)
    fields = fields_of("SL")
    results = validator.validate([Translation("SL", payload, fields) for payload in payloads], now=NOW)
    for payload, result in zip(payloads, results, strict=True):
        assert result.is_rejected is (payload != _GOOD)


@pytest.mark.parametrize("name", ["half and half", "comment from one to the next", "instruction from one to the next"])
def test_together_they_are_valid_and_as_many_as_expected_so_only_the_guard_stops_them(name: str) -> None:
    joined = b"".join(INJECTIONS[name])
    root = etree.fromstring(f'<package xmlns="{NAMESPACE}"><body>'.encode() + joined + b"</body></package>")
    assert etree.XMLSchema(etree.fromstring(catalogue.schema_bytes())).validate(root)
    assert len(root[0]) == len(INJECTIONS[name])


def test_hostile_documents_are_refused_quickly(validator: Validator) -> None:
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "x">{entities}]>'.encode() + _GOOD.replace(b"<deptName>", b"<deptName>&a11;")
    deep = _BEGIN + b">" + b"<a>" * 100_000 + b"</a>" * 100_000 + _CLOSE
    fields = fields_of("SL")
    results = validator.validate([Translation("SL", p, fields) for p in (bomb, deep, _GOOD)], now=NOW)
    assert [result.is_rejected for result in results] == [True, True, False]


def test_schema_location_hints_are_not_followed(validator: Validator) -> None:
    hint = b'<remark xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:x file:///nowhere.xsd">'
    payload = _GOOD.replace(b"<deptName>", hint + b"a</remark><deptName>")
    (result,) = validator.validate([Translation("SL", payload, fields_of("SL"))], now=NOW)
    assert not any("nowhere" in fault.en for fault in result.faults if fault.code == "XSD_INVALID")
