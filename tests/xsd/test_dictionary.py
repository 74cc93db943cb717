"""The data dictionary holds everything the schema says, on one page that needs nothing else."""

from __future__ import annotations

from lxml import html

from xsd import catalogue
from xsd.dictionary import render
from xsd.rules import RULES

PAGE = html.fromstring(render())


def rows_of(kind: str) -> list[list[str]]:
    rows = PAGE.xpath(f"//section[@id='{kind}']//tbody/tr[not(@class='group')]")
    return [[cell.text_content() for cell in row] for row in rows]


def test_every_field_of_every_kind_has_its_row_in_schema_order() -> None:
    loaded = catalogue.load()
    for kind, schema in {**loaded.kinds, **loaded.side}.items():
        rows = rows_of(kind)
        assert [row[3] for row in rows] == [field.name for field in schema.fields]
        assert [row[1] for row in rows] == [field.zh for field in schema.fields]
        for row, field in zip(rows, schema.fields, strict=True):
            assert all(abbreviation in row[2] for abbreviation in field.abbreviations)
            assert (row[6] == "必填") is field.is_required
            assert len(row) == 8


def test_types_lengths_and_needs_are_written_for_people() -> None:
    rows = {row[3]: row[4:] for row in rows_of("SL")}
    assert rows["receiptNo"][:3] == ["文本", "1–100", "必填"]
    assert rows["refuseReason"][:3] == ["文本", "≤ 2000", "条件"]
    assert rows["phone"][:3] == ["文本", "≤ 40", "条件"]
    assert rows["feeRule"][2] == "条件"
    assert rows["place"][2] == "选填"
    assert rows["deptOrgCode"][1] == "9 或 18"
    assert rows["dataVersion"][:2] == ["整数", "≥ 1"]
    assert rows["acceptStatus"] == ["代码", "—", "必填", "受理状态：1 受理，2 不受理"]
    assert rows["limitValue"][1] == "0–99999999"
    assert {row[3]: row[5] for row in rows_of("BJ")}["fee"] == "16,2"
    assert {row[3]: row[7] for row in rows_of("LQDJ")}["collectorIdType"] == "证件类型：共 20 个，见代码表"


def test_every_code_and_every_rule_is_listed() -> None:
    types = catalogue.load().types
    for section in PAGE.xpath("//section[@class='list']"):
        cells = [[cell.text_content() for cell in row] for row in section.xpath(".//tbody/tr")]
        assert cells == [list(pair) for pair in types[section.get("id")].codes.items()]
    rules = [[c.text_content() for c in row] for row in PAGE.xpath("//section[@id='rules']//tbody/tr")]
    assert [(name, zh) for name, _, zh in rules] == [(rule.name, rule.zh) for rule in RULES]
    assert {name for name, setting, _ in rules if setting == "拒收"} == {"BUSINESS_KEY", "FUTURE_DATE"}


def test_every_link_leads_somewhere_on_the_page_and_nothing_is_loaded() -> None:
    targets = {f"#{node.get('id')}" for node in PAGE.xpath("//*[@id]")}
    links = {link.get("href") for link in PAGE.xpath("//a")}
    assert links
    assert links <= targets
    assert not PAGE.xpath("//script | //link | //img | //@src")
    assert "url(" not in render()


def test_the_same_schema_gives_the_same_page() -> None:
    assert render() == render()
