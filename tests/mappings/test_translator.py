"""The translator: payload, escaping, faults, shapes of content, stand-ins, branches."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bus.errors import ConfigurationError
from bus.message import NAMESPACE, Fault, Translation
from mappings import translator as module
from mappings.explain import explain_record
from mappings.outcome import BLANKS
from mappings.translator import MappingTranslator
from tests.mappings.builders import HEAD, record, write_platform
from xsd.catalogue import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bus.message import Record

CONTENT = {"A": "经办人一", "B": "图纸", "C": None, "D": "440604", "T": "2010-03-01"}
SL_TEXTS = {"deptName": "SLJGMC", "handlerName": "BLRXM", "itemName": "SPSXMC", "remark": "BZ", "phone": "SQDWLXDH"}


@cache
def cgs() -> MappingTranslator:
    return MappingTranslator.load("cgs")


def demo(tmp_path: Path, lines: str = "  place: C\n", tables: Mapping[str, str] | None = None) -> MappingTranslator:
    write_platform(tmp_path, HEAD + lines, tables=tables)
    return MappingTranslator.load("demo", directory=tmp_path)


def one(translator: MappingTranslator, content: Mapping[str, Any], **fields: Any) -> Translation:
    (translation,) = translator.translate([record(content, **fields)])
    return translation


def codes(translation: Translation) -> list[tuple[str, str, str]]:
    return [(fault.code, fault.field, fault.severity) for fault in translation.faults]


def elements(payload: bytes) -> dict[str, str]:
    root = etree.fromstring(payload)
    return {str(etree.QName(child).localname): child.text or "" for child in root}


def test_a_record_becomes_a_payload_in_the_order_of_the_schema(tmp_path: Path) -> None:
    translation = one(demo(tmp_path), CONTENT | {"C": "二号窗口"})
    assert translation.payload.decode() == (
        f'<supplementReceipt xmlns="{NAMESPACE}"><applicationNo>440604-1</applicationNo><itemCode>ITEM</itemCode>'
        "<regionCode>440604</regionCode><seq>1</seq><handlerName>经办人一</handlerName>"
        "<materialList>图纸</materialList><receivedAt>2010-03-01T00:00:00+08:00</receivedAt>"
        "<place>二号窗口</place></supplementReceipt>"
    )
    assert translation.kind == "BZSL"
    assert translation.faults == ()
    assert elements(translation.payload) == translation.fields


def test_every_kind_has_its_root_and_its_fields_in_schema_order() -> None:
    for kind, schema in load().kinds.items():
        if kind not in cgs().plans:
            continue
        plan = cgs().plans[kind]
        order = [field.name for field in schema.fields]
        assert plan.schema.root == schema.root
        assert [order.index(target.field.name) for target in plan.targets] == sorted(
            order.index(target.field.name) for target in plan.targets
        )


def test_batches_keep_their_order_and_mix_kinds(tmp_path: Path) -> None:
    translator = demo(tmp_path)
    records = [record(CONTENT), record({}, kind="LQDJ"), record(CONTENT | {"A": "经办人二"})]
    found = translator.translate(records)
    assert [translation.kind for translation in found] == ["BZSL", "LQDJ", "BZSL"]
    assert found[2].fields["handlerName"] == "经办人二"
    assert codes(found[1]) == [("MAP_KIND", "", "reject")]
    assert found[1].payload == b""
    assert translator.translate([]) == []


def test_faults_of_the_adapter_come_first(tmp_path: Path) -> None:
    own = Fault("REPAIRED_AMPERSAND", "", "flag", "已修复", "repaired")
    flagged = record(CONTENT | {"D": "440602"})._replace(faults=(own,))
    clean = record(CONTENT)._replace(faults=(own,))
    first, second = demo(tmp_path).translate([flagged, clean])
    assert codes(first) == [("REPAIRED_AMPERSAND", "", "flag"), ("MAP_REGION_RETIRED", "regionCode", "flag")]
    assert codes(second) == [("REPAIRED_AMPERSAND", "", "flag")]
    assert first.payload
    assert second.payload


def test_all_faults_of_a_record_are_listed_and_nothing_is_published(tmp_path: Path) -> None:
    translation = one(demo(tmp_path), {"A": "甲\x01", "B": "\ud800", "C": 1.5, "D": "x", "T": "x"})
    assert codes(translation) == [
        ("MAP_REGION", "regionCode", "reject"),
        ("MAP_DATE", "receivedAt", "reject"),
        ("MAP_TYPE", "place", "reject"),
        ("MAP_CONTROL_CHARACTER", "handlerName", "reject"),
        ("MAP_UNDECODABLE", "materialList", "reject"),
    ]
    assert translation.payload == b""
    assert translation.is_rejected
    control = translation.faults[3]
    assert control.zh == "A 的值「甲\\x01」：含有 XML 不允许的控制字符（第 2 个字符 U+0001）"
    assert control.en == "A has '甲\\x01': has a character that XML does not allow (U+0001)"
    assert "\\ud800" in translation.faults[4].en


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x0c", "\x1c", "\x1f", "\ufffe", "\uffff"])
def test_a_character_that_xml_forbids_rejects_wherever_it_stands(tmp_path: Path, character: str) -> None:
    translator = demo(tmp_path)
    for text in (character, f"{character}甲", f"甲{character}", f"甲{character}&"):
        translation = one(translator, CONTENT | {"C": text})
        assert codes(translation) == [("MAP_CONTROL_CHARACTER", "place", "reject")]
        assert translation.payload == b""


@pytest.mark.parametrize(
    "value", [b"\xff", bytearray(b"\xff"), memoryview(b"\xff"), 1.5, True, object(), [1], Decimal("NaN")]
)
def test_a_value_that_is_no_text_rejects_in_every_chain(tmp_path: Path, value: object) -> None:
    translator = demo(tmp_path)
    translation = one(translator, dict.fromkeys("ABCDT", value))
    fields = {fault.field for fault in translation.faults}
    assert fields == {"regionCode", "handlerName", "materialList", "receivedAt", "place"}
    assert translation.is_rejected


def test_memory_does_not_take_true_for_one(tmp_path: Path) -> None:
    translator = demo(tmp_path, "  place: C\n  dataVersion: {from: C, do: [integer]}\n")
    assert one(translator, CONTENT | {"C": 1}).fields["dataVersion"] == "1"
    for value in (True, 1.0):
        assert ("MAP_TYPE", "dataVersion", "reject") in codes(one(translator, CONTENT | {"C": value}))
    assert one(translator, CONTENT | {"C": "1"}).fields["dataVersion"] == "1"


def test_markup_and_carriage_returns_round_trip() -> None:
    text = "<a href='x'>&amp; ]]> \r\n\t\"乙\"\r甲"
    translation = one(cgs(), {"SLJGMC": text}, kind="SL")
    assert elements(translation.payload)["deptName"] == text
    assert b"&#13;" in translation.payload


_TEXT = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("<>&\r\n\t \u3000\ufffe\x00\x1f镕喆堃㛃䶮𠮷")
    | st.characters(categories=["Cs"]),
    max_size=40,
)


@given(st.dictionaries(st.sampled_from(sorted(SL_TEXTS.values())), _TEXT | st.none()))
def test_any_text_round_trips_exactly_or_rejects(content: dict[str, str | None]) -> None:
    translation = one(cgs(), content, kind="SL")
    assert set(translation.fields) >= {"applicationNo", "dataVersion", "regionCode"}
    for element, column in SL_TEXTS.items():
        given_text = (content.get(column) or "").strip(BLANKS)
        is_stand_in = element not in ("deptName", "handlerName") and given_text in cgs().plans["SL"].document.absent
        assert translation.fields.get(element, "") == ("" if is_stand_in else given_text)
    assert bool(translation.payload) is not translation.is_rejected
    if translation.payload:
        assert elements(translation.payload) == translation.fields
        assert b"<?xml" not in translation.payload
        built = etree.Element("acceptance", nsmap={None: NAMESPACE})
        for name, text in translation.fields.items():
            etree.SubElement(built, name).text = text
        assert etree.tostring(built, method="c14n") == translation.payload.replace(b"&#13;", b"&#xD;")


_CELL = st.one_of(
    st.none(),
    _TEXT,
    st.sampled_from(["0", "1", "无", "1900-01-01", "440602", "440604000000", "G", "1,234.5", "2010-3-1", "申请；图纸"]),
    st.integers(-5, 10**9),
    st.decimals(allow_nan=True),
    st.datetimes(),
    st.dates(),
    st.binary(max_size=4),
    st.floats(),
    st.booleans(),
)


@given(st.sampled_from(["SL", "BJ", "TBCXSQ", "SPCL"]), st.data())
def test_no_content_raises_and_explain_says_the_same(kind: str, data: st.DataObject) -> None:
    columns = sorted(cgs().plans[kind].document.columns)
    content = data.draw(st.dictionaries(st.sampled_from(columns), _CELL))
    translation = one(cgs(), content, kind=kind)
    explained = explain_record(cgs(), record(content, kind=kind))
    assert {trace.name: trace.text for trace in explained.targets if trace.text} == translation.fields
    for trace in explained.targets:
        if trace.functions and not trace.is_default:
            assert trace.functions[-1].text == trace.text
    plan = cgs().plans[kind]
    for field in plan.schema.fields:
        if field.codes and field.name in translation.fields:
            assert translation.fields[field.name] in field.codes, "an unknown code is never published"


@given(st.sampled_from(["SL", "BJ", "TBCXSQ", "SPCL"]), st.text(max_size=6))
def test_an_unknown_code_is_never_published(kind: str, text: str) -> None:
    plan = cgs().plans[kind]
    content = dict.fromkeys(plan.document.columns, text)
    translation = one(cgs(), content, kind=kind)
    for field in plan.schema.fields:
        if field.codes:
            assert translation.fields.get(field.name, next(iter(field.codes))) in field.codes


def test_column_names_compare_without_letter_case_and_shapes_are_learnt(tmp_path: Path) -> None:
    translator = demo(tmp_path)
    upper = one(translator, CONTENT)
    lower = one(translator, {name.lower(): value for name, value in CONTENT.items()})
    reverse = one(translator, dict(reversed(CONTENT.items())))
    more = one(translator, MappingProxyType(CONTENT | {"UNKNOWN": "x", "a": "经办人二"}))
    assert upper == lower == reverse == more


def test_missing_columns_are_absent(tmp_path: Path) -> None:
    translator = demo(tmp_path)
    assert one(translator, {}, division="440608").fields == {
        "applicationNo": "440604-1",
        "itemCode": "ITEM",
        "regionCode": "440608",
        "seq": "1",
    }
    assert one(translator, {"A": "经办人一"}).fields["handlerName"] == "经办人一"


def test_version_none_is_absent_and_a_version_is_its_number() -> None:
    assert "dataVersion" not in one(cgs(), {}, kind="SL", version=None).fields
    assert one(cgs(), {}, kind="SL", version=12).fields["dataVersion"] == "12"


def test_the_first_column_that_has_something_wins(tmp_path: Path) -> None:
    translator = demo(tmp_path, "  place: {from: [C, A]}\n")
    for value in (None, "", "  ", "无", " / "):
        assert one(translator, CONTENT | {"C": value}).fields["place"] == "经办人一"
    assert one(translator, CONTENT | {"C": "窗口"}).fields["place"] == "窗口"
    assert one(translator, CONTENT | {"C": 5}).fields["place"] == "5"
    assert one(translator, CONTENT | {"D": "无"}, division="440605").fields["regionCode"] == "440605"


def test_a_required_text_keeps_its_stand_in_and_an_optional_one_does_not(tmp_path: Path) -> None:
    translator = demo(tmp_path, "  place: C\n  remark: {from: [C, A]}\n  queueNo: {from: C, default: 缺}\n")
    translation = one(translator, CONTENT | {"A": "无", "C": "无"})
    assert translation.fields["handlerName"] == "无"
    assert "place" not in translation.fields
    assert "remark" not in translation.fields
    assert translation.fields["queueNo"] == "缺"


def test_a_stand_in_is_kept_when_no_other_column_of_a_required_text_has_anything(tmp_path: Path) -> None:
    text = (HEAD + "  place: C\n").replace("handlerName: A", "handlerName: {from: [A, C]}")
    write_platform(tmp_path, text)
    translator = MappingTranslator.load("demo", directory=tmp_path)
    assert one(translator, CONTENT | {"A": "无", "C": "/"}).fields["handlerName"] == "无"
    assert one(translator, CONTENT | {"A": "无", "C": "甲"}).fields["handlerName"] == "甲"


def test_concat_joins_what_is_there(tmp_path: Path) -> None:
    translator = demo(tmp_path, '  place: {concat: [A, C, T], separator: "-", do: [upper]}\n')
    day = date(2010, 3, 1)
    assert one(translator, CONTENT | {"C": " x ", "T": day}).fields["place"] == "经办人一-X-2010-03-01"
    assert one(translator, CONTENT | {"C": "无", "T": day}).fields["place"] == "经办人一-2010-03-01"
    assert ("MAP_TYPE", "place", "reject") in codes(one(translator, CONTENT | {"C": 1.5}))


def test_when_takes_the_first_branch_that_holds(tmp_path: Path) -> None:
    translator = demo(
        tmp_path,
        "  place:\n    from: A\n    when:\n"
        '      - {column: C, equals: "1", value: 一}\n'
        '      - {column: C, in: ["2", "3"], from: B, do: [upper]}\n'
        "      - {column: C, empty: true, concat: [A, B]}\n"
        "  remark: {when: [{column: C, present: true, value: 有}]}\n",
    )

    def made(value: object) -> tuple[str | None, str | None]:
        fields = one(translator, CONTENT | {"B": "ab", "C": value}).fields
        return fields.get("place"), fields.get("remark")

    assert made("1 ") == ("一", "有")
    assert made(1) == ("一", "有")
    assert made("3") == ("AB", "有")
    assert made("无") == ("经办人一ab", None)
    assert made(None) == ("经办人一ab", None)
    assert made("9") == ("经办人一", "有")
    assert made(b"\xff") == ("经办人一", "有"), "a value that is no text is present and equals nothing"


def test_a_default_stands_for_absent_and_keeps_flags(tmp_path: Path) -> None:
    lines = (
        '  place: {from: C, do: [{table: {name: t, unknown: flag}}], default: "0"}\n'
        "  remark: {default: 备注}\n  queueNo: {from: E, default: 无号}\n"
    )
    text = (HEAD + lines).replace("[A, B, C, D, T]", "[A, B, C, D, E, T]")
    write_platform(tmp_path, text, tables={"t": "source,target,note\na,1,\n"})
    translator = MappingTranslator.load("demo", directory=tmp_path)
    assert one(translator, CONTENT | {"C": "a"}).fields["place"] == "1"
    absent = one(translator, CONTENT | {"C": None})
    assert (absent.fields["place"], absent.fields["remark"], absent.fields["queueNo"]) == ("0", "备注", "无号")
    flagged = one(translator, CONTENT | {"C": "z"})
    assert flagged.fields["place"] == "0"
    assert codes(flagged) == [("MAP_CODE_UNKNOWN", "place", "flag")]
    assert one(translator, CONTENT | {"C": 1.5}).is_rejected


def test_flags_of_several_functions_are_all_kept(tmp_path: Path) -> None:
    tables = {"t": "source,target,note\n440604,x,\n"}
    lines = "  place: {from: C, do: [region, {table: {name: t, unknown: flag}}, upper]}\n"
    translator = demo(tmp_path, lines, tables)
    ok = one(translator, CONTENT | {"C": "440602"})
    assert ok.fields["place"] == "X"
    assert codes(ok) == [("MAP_REGION_RETIRED", "place", "flag")]
    both = one(translator, CONTENT | {"C": "440681"})
    assert codes(both) == [("MAP_REGION_RETIRED", "place", "flag"), ("MAP_CODE_UNKNOWN", "place", "flag")]
    assert "place" not in both.fields


def test_native_values_reach_the_first_function(tmp_path: Path) -> None:
    translator = demo(tmp_path, "  place: C\n  reservedD: {from: C, do: [date]}\n")
    moment = datetime(2010, 3, 1)  # noqa: DTZ001 - as drivers give it
    fields = one(translator, CONTENT | {"C": moment, "T": moment}).fields
    assert fields["receivedAt"] == "2010-03-01T00:00:00+08:00"
    assert fields["reservedD"] == "2010-03-01"
    assert fields["place"] == "2010-03-01 00:00:00"
    assert one(translator, CONTENT | {"C": date(2010, 3, 2)}).fields["reservedD"] == "2010-03-02"


def test_caches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHAPES", 2)
    monkeypatch.setattr(module, "_TEMPLATES", 2)
    monkeypatch.setattr("mappings.compiler._REMEMBERED", 2)
    translator = demo(tmp_path)
    kind = translator._kinds["BZSL"]
    for number in range(5):
        content = dict(list(CONTENT.items())[number:]) | {
            "B": f"图纸{number}",
            "C": None if number % 2 else "窗口",
            f"X{number}": "x",
        }
        assert one(translator, content).fields["materialList"] == f"图纸{number}"
        assert len(kind._shapes) <= 2
        assert len(kind._templates) <= 2


def test_a_long_text_is_translated_without_being_remembered(tmp_path: Path) -> None:
    text = "图" * 3000 + "；"
    assert one(demo(tmp_path), CONTENT | {"B": text}).fields["materialList"] == "图" * 3000, "never shortened"


def test_an_error_of_the_lint_stops_loading_and_a_warning_does_not(tmp_path: Path) -> None:
    assert demo(tmp_path, "").id.startswith("demo/")
    with pytest.raises(ConfigurationError) as caught:
        demo(tmp_path, "  window: C\n  place: E\n")
    assert [problem.removeprefix(f"{tmp_path}/demo/") for problem in caught.value.problems] == [
        "BZSL.yaml:14:3: window: supplementReceipt has no such element",
        "BZSL.yaml:15:10: E: not a declared column: add it to columns or correct it",
    ]


def test_a_translator_fulfils_the_port() -> None:
    def accepts(translator: MappingTranslator, records: list[Record]) -> list[Translation]:
        return translator.translate(records)

    assert accepts(cgs(), []) == []
    assert cgs().id == f"cgs/{cgs().platform.digest}"
