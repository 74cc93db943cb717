"""Golden pairs and their coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.message import Fault, Translation
from mappings.coverage import measure_coverage
from mappings.golden import compare, read_cases, run_golden
from mappings.translator import MappingTranslator
from tests.mappings.builders import HEAD, write_platform

if TYPE_CHECKING:
    from pathlib import Path

CASE = """\
note: 样例
record:
  division: "440604"
  application_no: "440604-1"
  version: 1
  content: {A: 经办人一, B: 图纸, C: b, D: "440604", T: 2010-03-01 00:00:00}
expect:
  fields:
    applicationNo: 440604-1
    itemCode: ITEM
    regionCode: "440604"
    seq: "1"
    handlerName: 经办人一
    materialList: 图纸
    receivedAt: 2010-03-01T00:00:00+08:00
    place: "2"
"""
LINES = """\
  place: {from: C, do: [{table: t}], default: "2"}
  remark: {when: [{column: C, equals: a, value: 定值}]}
"""


def translator(tmp_path: Path, *cases: str) -> MappingTranslator:
    write_platform(tmp_path, HEAD + LINES, tables={"t": "source,target,note\na,1,\nb,2,\n"})
    folder = tmp_path / "demo" / "golden" / "BZSL"
    for number, case in enumerate(cases):
        folder.mkdir(parents=True, exist_ok=True)
        text = case.replace("receivedAt: 2010-03-01T00:00:00+08:00", 'receivedAt: "2010-03-01T00:00:00+08:00"')
        (folder / f"case{number}.yaml").write_text(text, encoding="utf-8")
    return MappingTranslator.load("demo", directory=tmp_path)


def lines(tmp_path: Path, *cases: str, lang: str = "en") -> list[str]:
    report = run_golden(translator(tmp_path, *cases))
    rendered = report.render("zh" if lang == "zh" else "en")
    return rendered.replace(f"{tmp_path}/demo/golden/BZSL/", "").replace(f"{tmp_path}/demo/", "").splitlines()


def test_a_pair_that_comes_out_as_expected_passes(tmp_path: Path) -> None:
    report = run_golden(translator(tmp_path, CASE))
    assert report.is_passed
    assert report.render("en") == "demo: 1 cases, 0 differ, 0 could not be read"


def test_every_difference_is_shown_element_by_element(tmp_path: Path) -> None:
    case = CASE.replace("itemCode: ITEM", "itemCode: ITEM2").replace('    place: "2"\n', "    remark: 多余\n")
    case += "  faults: [MAP_DATE receivedAt]\n"
    assert lines(tmp_path, case) == [
        "case0.yaml:17:3: BZSL/case0: faults: expected 'MAP_DATE receivedAt', got nothing",
        "case0.yaml:10:5: BZSL/case0: itemCode: expected 'ITEM2', got 'ITEM'",
        "case0.yaml:16:5: BZSL/case0: remark: expected '多余', got nothing",
        "case0.yaml:1:1: BZSL/case0: place: expected nothing, got '2'",
        "demo: 1 cases, 1 differ, 0 could not be read",
    ]
    assert lines(tmp_path, case, lang="zh")[2:] == [
        "case0.yaml:16:5: BZSL/case0: remark: 应为 「多余」，得到 无此元素",
        "case0.yaml:1:1: BZSL/case0: place: 应为 无此元素，得到 「2」",
        "demo：1 个样例，1 个不符，0 处读不出",
    ]


def test_a_pair_can_expect_a_rejection(tmp_path: Path) -> None:
    rejected = CASE[: CASE.index("  fields:")].replace("C: b", "C: z") + "  faults: [MAP_CODE_UNKNOWN place]\n"
    assert run_golden(translator(tmp_path, rejected)).is_passed
    assert lines(tmp_path, rejected.replace("C: z", "C: a")) == [
        "case0.yaml:8:3: BZSL/case0: faults: expected 'MAP_CODE_UNKNOWN place', got nothing",
        "case0.yaml:1:1: BZSL/case0: record: expected 'rejected', got 'published'",
        "demo: 1 cases, 1 differ, 0 could not be read",
    ]
    assert lines(tmp_path, CASE.replace("C: b", "C: z"))[1:] == [
        "case0.yaml:1:1: BZSL/case0: record: expected 'published', got 'rejected'",
        "demo: 1 cases, 1 differ, 0 could not be read",
    ]


def test_a_rejected_record_must_not_have_a_payload(tmp_path: Path) -> None:
    rejected = CASE[: CASE.index("  fields:")] + "  faults: [MAP_DATE receivedAt]\n"
    (case,), _ = read_cases(translator(tmp_path, rejected).platform)
    fault = Fault("MAP_DATE", "receivedAt", "reject", "", "")
    assert list(compare(case, Translation("BZSL", b"", {}, (fault,)))) == []
    (difference,) = compare(case, Translation("BZSL", b"<x/>", {}, (fault,)))
    assert difference.element == "record"


def test_a_pair_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    wrong = [
        "",
        "note: x\n",
        CASE.replace("version:", "versoin:"),
        CASE.replace('seq: "1"', "seq: 1"),
        CASE.replace("D:", "A:"),
    ]
    assert lines(tmp_path, *wrong) == [
        "case0.yaml:1:1: yaml: not well-formed YAML: empty document",
        "case1.yaml:1:1: record: this key is missing",
        "case2.yaml:5:3: versoin: unknown key, known are division, application_no, version, content",
        "case3.yaml:12:10: seq: text is expected, put it in quotes: '1'",
        "case4.yaml:6:35: A: stands twice, first in line 6",
        "demo: 0 cases, 0 differ, 5 could not be read",
    ]


def test_a_document_without_pairs_is_a_problem(tmp_path: Path) -> None:
    report = run_golden(translator(tmp_path))
    assert not report.is_passed
    assert report.render("en").endswith(
        "BZSL.yaml:1:1: BZSL: no golden pair (golden/BZSL/*.yaml)\ndemo: 0 cases, 0 differ, 1 could not be read"
    )


def test_a_record_has_the_types_of_yaml(tmp_path: Path) -> None:
    (case,), _ = read_cases(translator(tmp_path, CASE.replace("content: {", "content: {E: 5, F: null, ")).platform)
    assert case.record.content["E"] == 5
    assert case.record.content["F"] is None
    assert case.record.content["T"].isoformat() == "2010-03-01T00:00:00"
    assert case.record.key == "440604:BZSL:440604-1"
    assert case.note == "样例"


def test_a_record_may_have_no_content(tmp_path: Path) -> None:
    case = "\n".join(line for line in CASE.splitlines() if "content:" not in line) + "\n"
    (read,), problems = read_cases(translator(tmp_path, case).platform)
    assert problems == []
    assert read.record.content == {}


def test_coverage_names_what_no_pair_exercises(tmp_path: Path) -> None:
    report = measure_coverage(translator(tmp_path, CASE))
    assert report.cases == 1
    shown = report.render("en").replace(f"{tmp_path}/demo/", "").splitlines()
    own = [line for line in shown if not line.startswith("/")]
    assert [line for line in own if "regions" not in line] == [
        "BZSL.yaml:14:3: default place: 2: exercised by no golden pair",
        "BZSL.yaml:15:3: target remark: exercised by no golden pair",
        "BZSL.yaml:15:19: branch remark: C equals a: exercised by no golden pair",
        "tables/t.csv:2:1: row t: a → 1: exercised by no golden pair",
        "target: 8/9",
        "function: 4/4",
        "branch: 0/1",
        "default: 0/1",
        "row: 2/19",
    ]
    assert "没有样例用到" in report.render("zh")


def test_coverage_counts_pairs(tmp_path: Path) -> None:
    first = CASE.replace("C: b", "C: a")
    report = measure_coverage(translator(tmp_path, first, CASE.replace("C: b", "C: null"), CASE))
    hits = {item.name: item.hits for item in report.items}
    assert hits["place"] == 3
    assert hits["place: 2"] == 1
    assert hits["remark: C equals a"] == 1
    assert hits["t: a → 1"] == 1
    assert hits["regions: 440604 → 440604"] == 3
