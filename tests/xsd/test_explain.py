"""An invalid record comes back with every fault, each with place and advice."""

from __future__ import annotations

import pytest

from bus.message import NAMESPACE, Fault
from tests.xsd.samples import fields_of, payload_of
from xsd.explain import Explainer


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer()


def _codes(faults: tuple[Fault, ...]) -> list[tuple[str, str]]:
    return [(fault.code, fault.field) for fault in faults]


def test_all_faults_of_one_record_come_at_once(explainer: Explainer) -> None:
    fields = fields_of("SL", deptName="长" * 401, acceptStatus="5", acceptedAt="2010-03-01 09:30:00", receiptNo=None)
    fields |= {"limitValue": "二十", "deptOrgCode": "123", "handlerName": " \u3000"}
    payload = payload_of("SL", fields).replace(b"</acceptance>", b"<SLJTDD>x</SLJTDD><phone>1</phone></acceptance>")
    faults = explainer.explain(payload, kind="SL")
    assert sorted(_codes(faults)) == [
        ("XSD_BLANK", "handlerName"),
        ("XSD_CODE", "acceptStatus"),
        ("XSD_DUPLICATE", "phone"),
        ("XSD_LENGTH", "deptName"),
        ("XSD_MISSING", "receiptNo"),
        ("XSD_PATTERN", "deptOrgCode"),
        ("XSD_TYPE", "acceptedAt"),
        ("XSD_TYPE", "limitValue"),
        ("XSD_UNEXPECTED", "SLJTDD"),
    ]
    texts = {fault.code: (fault.zh, fault.en, fault.xpath, fault.rule) for fault in faults if fault.code != "XSD_TYPE"}
    assert texts["XSD_LENGTH"][0].startswith("“受理部门名称”（deptName）有 401 个字符，最多 400 个，超出 1 个")
    assert "1 受理、2 不受理" in texts["XSD_CODE"][0]
    assert "allowed: 1, 2" in texts["XSD_CODE"][1]
    assert "应写作 place（受理具体地点）" in texts["XSD_UNEXPECTED"][0]
    assert texts["XSD_DUPLICATE"][2] == "/acceptance/phone[2]"
    assert "HZBH" not in texts["XSD_MISSING"][0]
    assert "SLHZH" in texts["XSD_MISSING"][0]
    assert texts["XSD_LENGTH"][3] == "maxLength"


def test_a_time_without_zone_is_told_what_is_missing(explainer: Explainer) -> None:
    payload = payload_of("SL", fields_of("SL", acceptedAt="2010-03-01T09:30:00"))
    (fault,) = explainer.explain(payload, kind="SL")
    assert "必须以 +08:00 结尾" in fault.zh
    assert "has to end in +08:00" in fault.en


def test_lower_case_code_is_told_how_to_write_it(explainer: Explainer) -> None:
    (fault,) = explainer.explain(payload_of("SL", fields_of("SL", limitUnit="g")), kind="SL")
    assert "应写作 G" in fault.zh
    assert "write G" in fault.en


def test_order_is_explained_by_the_field_that_came_too_early(explainer: Explainer) -> None:
    fields = fields_of("SL")
    moved = {"acceptedAt": fields.pop("acceptedAt")}
    before = {name: fields[name] for name in list(fields)[:5]}
    payload = payload_of("SL", {**before, **moved, **fields})
    faults = explainer.explain(payload, kind="SL")
    assert ("XSD_ORDER", "deptName") in _codes(faults)
    assert "acceptedAt" in next(f.en for f in faults if f.field == "deptName")


def test_a_secret_is_never_repeated(explainer: Explainer) -> None:
    secret = "9" * 21
    (fault,) = explainer.explain(payload_of("SL", fields_of("SL", queryPassword=secret)), kind="SL")
    assert (fault.code, fault.field) == ("XSD_LENGTH", "queryPassword")
    assert "99" not in fault.zh + fault.en


def test_long_values_are_cut_in_the_text(explainer: Explainer) -> None:
    (fault,) = explainer.explain(payload_of("SL", fields_of("SL", limitValue="x" * 300)), kind="SL")
    assert "x" * 40 + "…" in fault.zh
    assert "x" * 41 not in fault.zh


_SL = payload_of("SL", fields_of("SL"))
_END = b"</acceptance>"


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        (_SL[:-1], "XML_MALFORMED", ""),
        (_SL.replace(b"<deptName>", b"<deptName>&"), "XML_MALFORMED", ""),
        (_SL.replace(b"<deptName>", b"<deptName>&nbsp;"), "XML_MALFORMED", ""),
        (_SL + _SL, "XML_MALFORMED", ""),
        (_SL.replace(b"<deptName>", b"<deptName>\x01"), "XML_CONTROL", "deptName"),
        (_SL.replace(b"<acceptance ", b"<acceptance \x02"), "XML_CONTROL", ""),
        (_SL.replace("测试单位".encode(), "测试单位".encode("gbk")), "XML_ENCODING", ""),
        (b"<!DOCTYPE a>" + _SL, "XML_MARKUP", ""),
        (_SL.replace(b"<deptName>", b"<deptName><!-- -->"), "XML_MARKUP", ""),
        (_SL.replace(b"<deptName>", b"<deptName><![CDATA[x]]>"), "XML_MARKUP", ""),
        (b'<?xml version="1.0"?>' + _SL, "XML_MARKUP", ""),
        (_SL.replace(b"acceptance", b"completion"), "XSD_ROOT", ""),
        (_SL.replace(NAMESPACE.encode(), b"urn:other"), "XSD_ROOT", ""),
        (_SL + b"\n", "XML_FRAME", ""),
        (_SL.replace(b" xmlns=", b"  xmlns="), "XML_FRAME", ""),
        (_SL.replace(b"<deptName>", b"stray<deptName>"), "XSD_TEXT", ""),
        (_SL.replace(_END, b"stray" + _END), "XSD_TEXT", ""),
        (_SL.replace(b"<deptName>", b'<deptName id="1">'), "XSD_ATTRIBUTE", "deptName"),
        (_SL.replace(b'v1">', b'v1" id="1">'), "XSD_ATTRIBUTE", ""),
        (_SL.replace(b"<deptName>", b"<deptName><b/>"), "XSD_CHILD", "deptName"),
        (_SL.replace(_END, b"<reason>x</reason>" + _END), "XSD_UNEXPECTED", "reason"),
        (_SL.replace(_END, b"<quality/>" + _END), "XSD_INVALID", "quality"),
        (_SL.replace(_END, b'<quality><fault code="A B" field=""/></quality>' + _END), "XSD_INVALID", "quality"),
        (_SL.replace(_END, b'<quality><fault code="AB"/></quality>' + _END), "XSD_INVALID", "quality"),
        (
            _SL.replace(_END, b'<quality><fault code="A" field=""/></quality><place>x</place>' + _END),
            "XSD_ORDER",
            "place",
        ),
    ],
)
def test_each_sort_of_fault_has_its_code(explainer: Explainer, payload: bytes, code: str, field: str) -> None:
    faults = explainer.explain(payload, kind="SL")
    assert (code, field) in _codes(faults)
    assert all(fault.severity == "reject" and fault.zh and fault.en and fault.rule for fault in faults)


def test_a_foreign_namespace_is_named(explainer: Explainer) -> None:
    payload = _SL.replace(b"<handlerNo>", b"").replace(_END, b'<x:place xmlns:x="urn:x">a</x:place>' + _END)
    (fault,) = explainer.explain(payload, kind="SL")
    assert (fault.code, fault.field) == ("XSD_UNEXPECTED", "place")
    assert "urn:x" in fault.zh
    assert "urn:x" in fault.en


def test_a_control_character_does_not_hide_other_faults(explainer: Explainer) -> None:
    payload = payload_of("SL", fields_of("SL", deptName="a\x0bb", acceptStatus="7"))
    assert _codes(explainer.explain(payload, kind="SL")) == [("XML_CONTROL", "deptName"), ("XSD_CODE", "acceptStatus")]


def test_line_and_path_lead_to_the_place(explainer: Explainer) -> None:
    payload = _SL.replace(b"<acceptStatus>1", b"\n\n<acceptStatus>9")
    (fault,) = explainer.explain(payload, kind="SL")
    assert (fault.line, fault.xpath, fault.rule) == (3, "/acceptance/acceptStatus", "enumeration")


def test_no_entity_is_resolved_and_no_file_read(explainer: Explainer) -> None:
    payload = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + _SL.replace(b"<deptName>", b"<deptName>&x;")
    faults = explainer.explain(payload, kind="SL")
    assert [fault.code for fault in faults] == ["XML_MARKUP"]


def test_what_only_libxml2_finds_is_still_told(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xsd.explain.value_faults", lambda *_: iter(()))
    payload = payload_of("SL", fields_of("SL", queryPassword="7" * 30, acceptStatus="7"))
    faults = explainer.explain(payload, kind="SL")
    assert _codes(faults) == [("XSD_INVALID", "acceptStatus"), ("XSD_INVALID", "queryPassword")]
    assert "777" not in faults[1].zh + faults[1].en
    assert NAMESPACE not in faults[0].en
