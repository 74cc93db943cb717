"""Notices: valid against the schema, and honest about what differs."""

from __future__ import annotations

import pytest
from lxml import etree

from bus.message import NAMESPACE
from xsd.catalogue import schema_bytes
from xsd.notice import NoticeWriter

WRITER = NoticeWriter()
SCHEMA = etree.XMLSchema(etree.fromstring(schema_bytes()))
SPACE = {"e": NAMESPACE}


def write(kind: str = "conflict", *fields: tuple[str, str, str]) -> etree._Element:
    body = WRITER.write(
        kind,
        key="440604:SL:甲%3A1",
        application_no="甲:1",
        version=3,
        detected_at="2010-03-01T02:03:04.567Z",
        fields=fields,
    )
    root = etree.fromstring(body)
    SCHEMA.assertValid(root)
    return root


@pytest.mark.parametrize("kind", ["conflict", "changed", "vanished"])
def test_every_kind_is_valid_and_in_local_time(kind: str) -> None:
    root = write(kind, ("remark", "旧 <&>", "新\r\n"), ("place", "", "窗口一"), ("phone", "0757-1", ""))
    assert root.findtext("e:detectedAt", namespaces=SPACE) == "2010-03-01T10:03:04.567+08:00"
    assert root.findtext("e:key", namespaces=SPACE) == "440604:SL:甲%3A1"
    found = [[child.text for child in field] for field in root.iterfind("e:field", SPACE)]
    assert found == [["remark", "旧 <&>", "新\r\n"], ["place", "窗口一"], ["phone", "0757-1"]]


def test_what_xml_cannot_hold_is_marked() -> None:
    root = write("changed", ("remark", "a\x0bb", "\ud800"))
    assert root.xpath("string(//e:before)", namespaces=SPACE) == "a�b"
    assert root.xpath("string(//e:after)", namespaces=SPACE) == "�"


def test_differences_follow_the_published_record_then_what_is_new() -> None:
    before = (
        f'<acceptance xmlns="{NAMESPACE}"><dataVersion>1</dataVersion><place>甲</place><remark>乙</remark></acceptance>'
    )
    found = WRITER.differences(before.encode(), {"dataVersion": "2", "remark": "丙", "queueNo": "7"})
    assert found == [("place", "甲", ""), ("remark", "乙", "丙"), ("queueNo", "", "7")]
