"""Documents against the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mappings.lint import lint_platform
from tests.mappings.builders import HEAD, write_platform

if TYPE_CHECKING:
    from pathlib import Path

TABLES = {"t": "source,target,note\na,1,\nb,7,\n", "spare": "source,target,note\na,G,\n"}


def lint(tmp_path: Path, text: str, kind: str = "BZSL") -> list[str]:
    report = lint_platform(write_platform(tmp_path, text, tables=TABLES, kind=kind))
    return [problem.render().removeprefix(f"{tmp_path}/demo/") for problem in report.problems]


def with_line(tmp_path: Path, line: str) -> list[str]:
    return lint(tmp_path, f"{HEAD}  place: C\n{line}\n")


def test_a_right_document_has_no_problem(tmp_path: Path) -> None:
    report = lint_platform(write_platform(tmp_path, HEAD + "  place: C\n"))
    assert report.problems == ()
    assert not report.has_errors
    assert report.render("en") == "demo: 1 documents, 0 errors, 0 warnings"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  window: C", "BZSL.yaml:15:3: window: supplementReceipt has no such element"),
        ("  dataVersion: A", "BZSL.yaml:15:3: dataVersion: the element is a integer, the mapping gives text"),
        (
            "  dataVersion: {from: A, do: [money]}",
            "BZSL.yaml:15:31: dataVersion: the element is a integer, the mapping gives decimal",
        ),
        (
            "  reservedD: {from: A, do: [datetime]}",
            "BZSL.yaml:15:29: reservedD: the element is a date, the mapping gives date-time",
        ),
        (
            "  remark: {from: A, do: [datetime]}",
            "BZSL.yaml:15:26: remark: the element is a string, the mapping gives date-time",
        ),
        ("  remark: {from: A, do: [integer, region]}", "BZSL.yaml:15:35: region: takes text, is given integer"),
        ("  remark: {from: A, do: [list, upper]}", "BZSL.yaml:15:32: upper: takes text, code, is given list"),
        ("  remark: {from: A, do: [{table: nope}]}", "BZSL.yaml:15:26: nope: no such table, known are "),
        (
            "  remark: {from: A, do: [code]}",
            "BZSL.yaml:15:26: remark: the element has no code list, code cannot stand here",
        ),
        (f"  queueNo: {{value: {'x' * 21}}}", "BZSL.yaml:15:3: queueNo: 21 characters, at most 20"),
        (f"  queueNo: {{from: A, default: {'x' * 21}}}", "BZSL.yaml:15:31: queueNo: 21 characters, at most 20"),
        ('  dataVersion: {value: "1.5"}', "BZSL.yaml:15:3: dataVersion: '1.5' is not written as integer"),
        ('  reservedD: {value: "2010-3-1"}', "BZSL.yaml:15:3: reservedD: '2010-3-1' is not written as date"),
        ("  remark: record.version", None),
        ("  dataVersion: record.version", None),
        ("  dataVersion: {from: [record.version, A], do: [integer]}", None),
    ],
)
def test_a_problem_names_its_place(tmp_path: Path, line: str, expected: str | None) -> None:
    found = with_line(tmp_path, line)
    if expected is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(expected)


def test_required_elements_have_to_be_mapped(tmp_path: Path) -> None:
    text = HEAD.replace("  itemCode: {value: ITEM}\n", "") + "  place: C\n"
    assert lint(tmp_path, text) == [
        "BZSL.yaml:6:1: itemCode: required element is not mapped (Code of the approval item; SXBM SPSXBH)"
    ]


def test_columns_have_to_be_used_or_ignored(tmp_path: Path) -> None:
    assert lint(tmp_path, HEAD) == ["BZSL.yaml:4:17: warning: C: not used; if that is meant, name it under ignored"]
    assert lint(tmp_path, HEAD + "ignored: {C: 理由}\n") == []
    assert lint(tmp_path, HEAD + "  place: {when: [{column: C, present: true, from: A}]}\n") == []
    assert lint(tmp_path, HEAD + "  place: C\nignored: {c: 理由}\n") == [
        "BZSL.yaml:15:11: warning: C: said to be ignored, and yet mapped"
    ]


SL = """\
platform: demo
kind: SL
table: T
columns: [A, T]
targets:
  applicationNo: record.application_no
  itemCode: {value: ITEM}
  regionCode: record.division
  deptName: A
  deptOrgCode: A
  handlerName: A
  receiptNo: A
  acceptedAt: {from: T, do: [datetime], default: "2010-03-01T00:00:00+08:00"}
  jurisdictionCode: A
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  acceptStatus: {from: A, do: [code]}", []),
        ("  acceptStatus: A", ["SL.yaml:15:3: acceptStatus: the element is a code, the mapping gives text"]),
        (
            "  acceptStatus: {from: A, do: [{table: t}]}",
            [
                "SL.yaml:15:3: warning: acceptStatus: codes that are never produced: 2 不受理",
                "tables/t.csv:3:1: t: target 7 is not a code of acceptStatus, allowed are 1 2",
            ],
        ),
        ('  acceptStatus: {value: "1", default: "2"}', []),
        (
            '  acceptStatus: {value: "1", when: [{column: A, empty: true, value: x}]}',
            [
                "SL.yaml:15:3: warning: acceptStatus: codes that are never produced: 2 不受理",
                "SL.yaml:15:37: acceptStatus: 'x' is not in the code list, allowed are 1 2",
            ],
        ),
    ],
)
def test_codes_have_to_be_the_schemas(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert lint(tmp_path, f"{SL}{line}\n", kind="SL") == expected


@pytest.mark.parametrize("default", ["2010-03-01", "2010-03-01 00:00:00+08:00", "2010-02-30T00:00:00+08:00", "x"])
def test_a_constant_time_has_the_schemas_form(tmp_path: Path, default: str) -> None:
    text = SL.replace("2010-03-01T00:00:00+08:00", default) + "  acceptStatus: {from: A, do: [code]}\n"
    assert lint(tmp_path, text, kind="SL") == [f"SL.yaml:13:50: acceptedAt: '{default}' is not written as dateTime"]


def test_a_required_constant_is_not_blank(tmp_path: Path) -> None:
    text = SL.replace("value: ITEM", 'value: " "') + "  acceptStatus: {from: A, do: [code]}\n"
    assert lint(tmp_path, text, kind="SL") == ["SL.yaml:7:3: itemCode: ' ' is not written as string"]


def test_the_report_is_sorted_and_counts(tmp_path: Path) -> None:
    report = lint_platform(write_platform(tmp_path, HEAD + "  window: A\n  place: E\n", tables=TABLES))
    assert report.has_errors
    assert [problem.at.line for problem in report.problems] == [4, 14, 15]
    assert report.render("zh").splitlines()[-1] == "demo：1 份映射，2 个错误，1 个警告"
    assert "警告：C: 该列没有用到" in report.render("zh")


def test_a_document_of_an_unknown_kind_is_not_judged_further(tmp_path: Path) -> None:
    found = lint(tmp_path, HEAD.replace("BZSL", "XX"), kind="XX")
    assert len(found) == 1
    assert "unknown kind" in found[0]
