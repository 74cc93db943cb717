"""The document's syntax: every problem with its exact place."""

from __future__ import annotations

import pytest

from mappings.document import Condition, canonical
from mappings.functions import FUNCTIONS
from mappings.parser import parse_document
from tests.mappings.builders import HEAD


def problems_of(text: str, lang: str = "en") -> list[str]:
    _, problems = parse_document(text, file="d.yaml")
    return [problem.render("zh" if lang == "zh" else "en") for problem in problems]


def with_line(line: str) -> list[str]:
    return problems_of(HEAD + line + "\n")


def test_a_document_is_read() -> None:
    document, problems = parse_document(HEAD + "  place: {from: [c, A], note: 说明}\n", file="d.yaml")
    assert problems == []
    assert document is not None
    assert (document.platform, document.kind, document.table, document.absent) == (
        "demo",
        "BZSL",
        "T_DEMO",
        ("无", "/"),
    )
    place = document.targets[-1]
    assert place.name == "place"
    assert str(place.at) == "d.yaml:14:3"
    assert place.recipe is not None
    assert place.recipe.columns == ("C", "A")
    assert str(document.columns["B"]) == "d.yaml:4:14"


def test_columns_compare_without_letter_case() -> None:
    assert [canonical(name) for name in ("Slsj", "PARENT.xzqhdm", "Record.Version", " a ")] == [
        "SLSJ",
        "parent.XZQHDM",
        "record.version",
        "A",
    ]


def test_calls_and_branches() -> None:
    line = (
        "  place: {from: C, do: [upper, {table: t}, {table: {name: t, unknown: flag}}, {absent: [a, b]}, {trim: {}}], "
        'when: [{column: A, equals: "1", value: X}, {column: A, in: [a, b], from: B}, '
        '{column: C, empty: true, concat: [A, B], separator: "-"}, {column: parent.z, present: true, from: parent.Z}]}'
    )
    document, problems = parse_document(
        HEAD.replace("absent:", "parent: {table: P, columns: z}\nabsent:") + line, file="d"
    )
    assert problems == []
    assert document is not None
    place = document.targets[-1]
    assert place.recipe is not None
    assert [str(call) for call in place.recipe.calls] == [
        "upper()",
        "table(name: t)",
        "table(name: t, unknown: flag)",
        "absent(values: ['a', 'b'])",
        "trim()",
    ]
    assert [branch.condition for branch in place.branches] == [
        Condition("A", "equals", ("1",)),
        Condition("A", "in", ("a", "b")),
        Condition("C", "empty", ()),
        Condition("parent.Z", "present", ()),
    ]
    assert [str(branch.condition) for branch in place.branches[:3]] == ["A equals 1", "A in a, b", "C empty"]
    assert place.branches[2].recipe.is_concat
    assert place.branches[2].recipe.separator == "-"
    assert len(place.recipes()) == 5


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "  place: {form: C}",
            "14:11: form: unknown key, known are from, concat, separator, value, do, when, default, note",
        ),
        ("  handlerName: C", "14:3: handlerName: stands twice, first in line 11"),
        ("  place: E", "14:10: E: not a declared column: add it to columns or correct it"),
        ("  place: {from: [C, 1]}", "14:21: from: text is expected, put it in quotes: '1'"),
        ("  place: {value: null}", "14:18: value: text is expected, put it in quotes: 'null'"),
        ("  place: {value: 1900-01-01}", "14:18: value: text is expected, put it in quotes: '1900-01-01'"),
        ("  place: {value: [a]}", "14:18: value: one text is expected"),
        ("  place: {note: x}", "14:3: place: no source: from, concat or value"),
        ("  place: {from: C, value: x}", "14:20: value: from and value exclude each other"),
        ("  place: {value: x, do: [upper]}", "14:21: do: a value is fixed, no function can follow"),
        ("  place: {from: C, do: [lower]}", "14:25: lower: no such function, known are"),
        ("  place: {from: C, do: [1]}", "14:25: do: text is expected, put it in quotes: '1'"),
        ("  place: {from: C, do: [{upper: x}]}", "14:33: upper: this function takes no argument"),
        ("  place: {from: C, do: [{upper: x, trim: y}]}", "14:25: do: one function an item"),
        ("  place: {from: C, do: [table]}", "14:25: table: argument name is missing"),
        ("  place: {from: C, do: [{table: {nam: x}}]}", "14:34: nam: unknown key, known are name, unknown"),
        ("  place: {from: C, do: [{region: {unknown: x}}]}", "14:44: unknown: must be one of reject, flag"),
        ("  place: {from: C, do: [{absent: [a, a]}]}", "14:38: values: a stands twice"),
        ("  place: {from: C, do: [{absent: [1]}]}", "14:35: values: text is expected, put it in quotes: '1'"),
        ("  place: {from: C, do: [{nothing: {a: b}}]}", "14:25: nothing: no such function, known are"),
        ("  place: {do: [upper], default: x}", "14:3: place: no source: from, concat or value"),
        ("  place: {when: [{column: A, from: C}]}", "14:18: place: needs column and one of equals, in, empty, present"),
        ("  place: {when: [{equals: x, from: C}]}", "14:18: place: needs column and one of equals, in, empty, present"),
        ("  place: {when: [{column: A, empty: no, from: C}]}", "14:37: empty: only true can stand here"),
        ("  place: {when: [{column: A, empty: true}]}", "14:18: place: no source: from, concat or value"),
        ("  place: {when: [x]}", "14:18: when: a mapping (key: value) is expected here"),
        ("  [a]: C", "14:3: targets: one text is expected"),
    ],
)
def test_a_problem_names_file_line_and_column(line: str, expected: str) -> None:
    found = with_line(line)
    assert any(problem.startswith(f"d.yaml:{expected}") for problem in found), found


def test_all_problems_are_listed_at_once_in_either_language() -> None:
    head = HEAD.replace("BZSL", "XX").replace("table: T_DEMO\n", "tabel: T_DEMO\n")
    text = head + "  place: E\n  window: {do: [x]}\n"
    first, *others = problems_of(text)
    assert first.startswith("d.yaml:3:1: tabel: unknown key, known are platform, kind, table, columns, parent, ")
    assert others == [
        "d.yaml:1:1: table: this key is missing",
        "d.yaml:2:7: XX: unknown kind, known are SB YSL SL BZGZ BZSL TBCXSQ TBCXJG SPCL BJ LQDJ",
        "d.yaml:14:10: E: not a declared column: add it to columns or correct it",
        "d.yaml:15:3: window: no source: from, concat or value",
        f"d.yaml:15:17: x: no such function, known are {', '.join(FUNCTIONS)}",
    ]
    assert problems_of(text, "zh")[1] == "d.yaml:1:1: table: 缺少这个键"


def test_head_problems() -> None:
    text = HEAD.replace("[A, B, C, D, T]", "[A, a, B, C, D, T]") + "  place: C\n"
    text += "ignored: {Q: 理由, T: 1}\nparent: {table: P, row: y}\n"
    assert problems_of(text) == [
        "d.yaml:4:14: A: this column stands twice",
        "d.yaml:16:20: row: unknown key, known are table, columns",
        "d.yaml:15:11: Q: not a declared column: add it to columns or correct it",
        "d.yaml:15:21: T: text is expected, put it in quotes: '1'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "d.yaml:1:6: yaml: not well-formed YAML: expected ',' or ']'"),
        ("a: b: c", "d.yaml:1:5: yaml: not well-formed YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", "d.yaml:2:1: yaml: not well-formed YAML: but found another document"),
        ("a: \x01", "d.yaml:1:1: yaml: not well-formed YAML: "),
        ("", "d.yaml:1:1: yaml: not well-formed YAML: empty document"),
    ],
)
def test_what_is_no_yaml_is_one_problem(text: str, expected: str) -> None:
    document, problems = parse_document(text, file="d.yaml")
    assert document is None
    (problem,) = problems
    assert problem.render().startswith(expected)


def test_a_document_that_is_a_list_lists_what_it_lacks() -> None:
    found = problems_of("- a\n")
    assert found[0] == "d.yaml:1:1: document: a mapping (key: value) is expected here"
    assert len(found) == 6
