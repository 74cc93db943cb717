"""Explain: the column, the functions, the table row and the lines behind one value."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mappings.explain import explain_record
from mappings.translator import MappingTranslator
from tests.mappings.builders import HEAD, record, write_platform

if TYPE_CHECKING:
    from pathlib import Path

LINES = """\
  place: {from: [C, D], do: [upper, {table: t}], default: "0"}
  remark: {when: [{column: C, empty: true, value: 定值}]}
"""
CONTENT = {"a": "经办人一", "B": "图纸", "C": " b ", "D": "440602", "T": datetime(2010, 3, 1)}  # noqa: DTZ001 - a driver's


def translator(tmp_path: Path) -> MappingTranslator:
    write_platform(tmp_path, HEAD + LINES, tables={"t": "source,target,note\na,1,\nB,2,第二\n"})
    return MappingTranslator.load("demo", directory=tmp_path)


def test_a_value_is_explained_stage_by_stage(tmp_path: Path) -> None:
    explained = explain_record(translator(tmp_path), record(CONTENT))
    place = explained.target("place")
    assert place is not None
    assert place.render("zh").replace(str(tmp_path), "") == (
        "place 受理具体地点 = 2    /demo/BZSL.yaml:14:3\n"
        "    C:  b \n"
        "    upper(): B\n"
        "    table(name: t): 2    代码表 /demo/tables/t.csv:3:1 第二"
    )
    received = explained.target("receivedAt")
    assert received is not None
    assert (received.raw, received.functions[0].given) == ("2010-03-01 00:00:00", "2010-03-01 00:00:00")
    assert received.text == "2010-03-01T00:00:00+08:00"
    assert explained.target("window") is None


def test_a_retired_region_cites_the_row_that_decided(tmp_path: Path) -> None:
    explained = explain_record(translator(tmp_path), record(CONTENT))
    region = explained.target("regionCode")
    assert region is not None
    (step,) = region.functions
    assert step.row is not None
    assert (step.row.source, step.row.target) == ("440602", "440604")
    assert [fault.code for fault in region.faults] == ["MAP_REGION_RETIRED"]
    assert "MAP_REGION_RETIRED: D/record.division has '440602': a retired division" in region.render("en")
    assert explained.faults == region.faults


def test_branches_defaults_and_fixed_values_are_named(tmp_path: Path) -> None:
    content = CONTENT | {"C": None, "D": None}
    explained = explain_record(translator(tmp_path), record(content))
    text = explained.render("en").replace(str(tmp_path), "")
    assert text.startswith("440604:BZSL:440604-1    demo/")
    at = "/demo/BZSL.yaml:15:19"
    assert f"remark 备注 = 定值    {at}\n    when: C empty    {at}\n    fixed: 定值" in text
    assert "place 受理具体地点 = 0    /demo/BZSL.yaml:14:3\n    -\n    default: 0" in text
    without = explain_record(translator(tmp_path), record(CONTENT)).target("remark")
    assert without is not None
    assert without.render("zh").replace(str(tmp_path), "") == "remark 备注 = （空）    /demo/BZSL.yaml:15:3\n    -"


def test_a_rejected_value_shows_where_it_stopped(tmp_path: Path) -> None:
    explained = explain_record(translator(tmp_path), record(CONTENT | {"C": "z", "B": 1.5}))
    place, materials = explained.target("place"), explained.target("materialList")
    assert place is not None
    assert materials is not None
    assert [step.text for step in place.functions] == ["Z", ""]
    assert place.functions[1].row is None
    assert "MAP_CODE_UNKNOWN: C/D 的值「Z」：代码表 t 没有这个代码" in place.render("zh")
    assert (materials.raw, materials.functions) == ("1.5", ())
    assert {fault.code for fault in explained.faults} == {"MAP_REGION_RETIRED", "MAP_TYPE", "MAP_CODE_UNKNOWN"}


def test_a_kind_without_mapping_has_its_fault_and_no_targets(tmp_path: Path) -> None:
    explained = explain_record(translator(tmp_path), record({}, kind="LQDJ"))
    assert explained.targets == ()
    assert [fault.code for fault in explained.faults] == ["MAP_KIND"]
