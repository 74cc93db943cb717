"""Code tables as files."""

from __future__ import annotations

from mappings.tables import parse_table


def rendered(text: str) -> list[str]:
    _, problems = parse_table("t", file="t.csv", text=text)
    return [problem.render("en") for problem in problems]


def test_a_table_is_read_with_the_place_of_each_row() -> None:
    table, problems = parse_table("t", file="t.csv", text='source,target,note\na,1,"两,段"\n\n b , 2 ,\n')
    assert problems == []
    assert [(row.source, row.target, row.note, str(row.at)) for row in table.rows.values()] == [
        ("a", "1", "两,段", "t.csv:2:1"),
        ("b", "2", "", "t.csv:4:1"),
    ]
    assert table.targets() == {"1", "2"}
    row = table.row(" A ")
    assert row is not None
    assert row.target == "1"
    assert table.row("c") is None


def test_every_wrong_row_is_a_problem() -> None:
    assert rendered("source,target,note\na,1,\nA,2,\n,3,\nb,,\nc,1\n") == [
        "t.csv:3:1: t: source code A stands in line 2 already; remove one of them",
        "t.csv:4:1: t: source and target must not be empty",
        "t.csv:5:1: t: source and target must not be empty",
        "t.csv:6:1: t: 3 cells expected, 2 found",
    ]


def test_a_table_needs_its_header() -> None:
    assert rendered("a,1,\n") == ["t.csv:1:1: t: the first line must be source,target,note"]
    assert rendered("") == ["t.csv:1:1: t: the first line must be source,target,note"]


def test_a_broken_file_is_a_problem() -> None:
    (problem,) = rendered('source,target,note\n"a"b,1,\n')
    assert problem.startswith("t.csv:2:1: t: not well-formed CSV: ")
