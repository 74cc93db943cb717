"""The catalogue says what the XSD says; xmlschema is the second reader."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import xmlschema
from lxml import etree

from bus.message import NAMESPACE, ROOTS
from xsd import catalogue


@pytest.fixture(scope="module")
def second_reader() -> Any:
    return xmlschema.XMLSchema10(catalogue.schema_bytes().decode().partition("\n")[2])


def test_kinds_are_those_of_the_bus_in_its_order() -> None:
    assert {kind: schema.root for kind, schema in catalogue.load().kinds.items()} == dict(ROOTS)
    assert {kind: schema.root for kind, schema in catalogue.load().side.items()} == {
        "SX": "itemCatalogue",
        "JCJG": "supervisionResult",
    }


@pytest.mark.parametrize("kind", [*ROOTS, "SX", "JCJG"])
def test_fields_agree_with_xmlschema(second_reader: Any, kind: str) -> None:
    loaded = catalogue.load()
    schema = loaded.kinds.get(kind) or loaded.side[kind]
    elements = [
        e for e in second_reader.elements[schema.root].type.content.iter_elements() if e.local_name != "quality"
    ]
    assert [e.local_name for e in elements] == [field.name for field in schema.fields]
    for element, field in zip(elements, schema.fields, strict=True):
        xs_type = element.type
        assert (element.min_occurs == 1) is field.is_required
        assert element.max_occurs == 1
        assert xs_type.local_name == field.type_name
        assert xs_type.max_length == field.max_length
        assert list(xs_type.enumeration or ()) == list(field.codes)
        assert list(xs_type.patterns.regexps if xs_type.patterns else [""]) == [field.pattern]
        built_in = xs_type.base_type.local_name
        assert built_in == ("string" if field.xs_type == "code" else field.xs_type)


def test_every_field_names_itself_in_chinese_english_and_by_an_abbreviation() -> None:
    for schema in [*catalogue.load().kinds.values(), *catalogue.load().side.values()]:
        assert schema.zh
        assert schema.aliases
        for field in schema.fields:
            assert field.abbreviations, field.name
            assert any("\u4e00" <= c <= "\u9fff" for c in field.zh), field.name
            assert field.en, field.name
            assert all(label for label in field.codes.values()), field.name


def test_limits_come_out_as_numbers() -> None:
    kinds = catalogue.load().kinds
    step = kinds["SPCL"].field("stepNo").facets
    assert (step.min_value, step.max_value) == (Decimal(0), Decimal(99999))
    fee = kinds["BJ"].field("fee").facets
    assert (fee.total_digits, fee.fraction_digits) == (16, 2)
    status = kinds["SL"].field("acceptStatus")
    assert dict(status.codes) == {"1": "受理", "2": "不受理"}
    assert kinds["SL"].field("receiptNo").max_length == 100
    assert kinds["SL"].field("acceptedAt").note == "办理时限由此起算"
    with pytest.raises(KeyError, match="nothing"):
        kinds["SL"].field("nothing")


def test_loading_twice_gives_the_same_values_that_cannot_be_changed() -> None:
    loaded = catalogue.load()
    assert loaded is catalogue.load()
    with pytest.raises(TypeError):
        loaded.kinds["SB"] = loaded.kinds["SL"]  # type: ignore[index]


def test_the_schema_is_closed() -> None:
    root = etree.fromstring(catalogue.schema_bytes())
    text = catalogue.schema_bytes().decode().partition("-->")[2]
    assert (root.get("blockDefault"), root.get("finalDefault")) == ("#all", "#all")
    assert root.get("targetNamespace") == NAMESPACE
    for forbidden in ("nillable", "xs:any", "xs:import", "xs:include", "xs:redefine", "default="):
        assert forbidden not in text


SIDE_DOCUMENTS = {
    "package": (
        "<package xmlns='{ns}' lengths='10 20' keys='a b' rows='c d' collectedAt='e'><head><packageId>P1</packageId>"
        "<senderDivision>440606</senderDivision><createdAt>2010-03-01T00:00:00+08:00</createdAt><count>1</count>"
        "<digest>{digest}</digest></head><body><supplementReceipt><applicationNo>1</applicationNo><itemCode>1</itemCode>"
        "<regionCode>440606</regionCode><seq>1</seq><handlerName>一</handlerName><materialList>图</materialList>"
        "<receivedAt>2010-03-01T00:00:00+08:00</receivedAt></supplementReceipt></body></package>"
    ),
    "notice": (
        "<notice xmlns='{ns}'><kind>conflict</kind><applicationNo>1</applicationNo><key>440604:SL:1</key>"
        "<dataVersion>1</dataVersion><detectedAt>2010-03-01T00:00:00+08:00</detectedAt><field><name>SLSJ</name>"
        "<before>a</before><after>b</after></field><field><name>BZ</name><after/></field></notice>"
    ),
    "supervisionResult": (
        "<supervisionResult xmlns='{ns}'><applicationNo>1</applicationNo><regionCode>440604</regionCode>"
        "<stageLimitValue>5</stageLimitValue><stageLimitUnit>G</stageLimitUnit><remainingDays>-3</remainingDays>"
        "<supervisionStatus>5</supervisionStatus><supervisedAt>2010-03-01T00:00:00+08:00</supervisedAt>"
        "</supervisionResult>"
    ),
    "itemCatalogue": (
        "<itemCatalogue xmlns='{ns}'><itemCode>1</itemCode><itemName>事项</itemName><regionCode>440600</regionCode>"
        "<deptOrgCode>006988574</deptOrgCode><statutoryLimitValue>20</statutoryLimitValue>"
        "<statutoryLimitUnit>G</statutoryLimitUnit></itemCatalogue>"
    ),
}


@pytest.mark.parametrize(
    ("root", "old", "new"),
    [
        ("package", "<count>1</count>", "<count>1001</count>"),
        ("package", "440606</senderDivision>", "4406</senderDivision>"),
        ("notice", "conflict", "deleted"),
        ("notice", "<name>SLSJ</name>", ""),
        ("supervisionResult", "<supervisionStatus>5", "<supervisionStatus>4"),
        ("itemCatalogue", "<itemName>事项</itemName>", ""),
    ],
)
def test_side_documents_hold_and_their_faults_do_not(second_reader: Any, root: str, old: str, new: str) -> None:
    text = SIDE_DOCUMENTS[root].format(ns=NAMESPACE, digest="0" * 64)
    schema = etree.XMLSchema(etree.fromstring(catalogue.schema_bytes()))
    broken = text.replace(old, new)
    assert broken != text
    assert [schema.validate(etree.fromstring(t)) for t in (text, broken)] == [True, False]
    assert [second_reader.is_valid(t) for t in (text, broken)] == [True, False]


def test_a_package_has_1_to_1000_records() -> None:
    schema = etree.XMLSchema(etree.fromstring(catalogue.schema_bytes()))
    record = SIDE_DOCUMENTS["package"].partition("<body>")[2].partition("</body>")[0]
    for count, is_valid in ((0, False), (1, True), (1000, True), (1001, False)):
        text = f"<package xmlns='{NAMESPACE}'><body>{record * count}</body></package>"
        assert schema.validate(etree.fromstring(text)) is is_valid, count
