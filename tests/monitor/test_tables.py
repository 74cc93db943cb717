"""Tables fit into 80 columns and line up, Chinese included."""

from __future__ import annotations

from monitor.tables import cell_width, sheet, table


def test_chinese_takes_two_columns_and_a_combining_mark_none() -> None:
    assert (cell_width("佛山a"), cell_width("é"), cell_width("✓")) == (5, 1, 1)


def test_columns_line_up_and_numbers_stand_right() -> None:
    lines = table(("来源", "n"), [("禅城", 7), ("a", 1000)], width=80)
    assert lines == ["来源     n", "────  ────", "禅城     7", "a     1000"]


def test_the_last_cell_is_folded_at_blanks_and_long_words_are_cut() -> None:
    lines = table(("q", "what"), [("core", "one two three four five"), ("x", "y" * 20)], width=20)
    assert lines[2:] == ["core  one two three", "      four five", "x     " + "y" * 16, "      yyyy"]


def test_a_narrow_terminal_still_leaves_the_last_column_readable() -> None:
    assert table(("name",), [("a b c d e f g h i j k",)], width=3)[2:] == ["a b c d e f g h", "i j k"]


def test_an_empty_table_has_its_head() -> None:
    assert table(("a", "b"), [], width=80) == ["a  b", "─  ─"]


def test_a_sheet_has_one_column_a_thing() -> None:
    assert sheet(("read", "= out"), [("x", (10, 9)), ("y", (2, "✓"))], width=80) == [
        "        x   y",
        "read   10   2",
        "= out   9   ✓",
    ]


def test_more_things_than_fit_follow_in_blocks_below() -> None:
    lines = sheet(("已读",), [(f"source-{i}", (i,)) for i in range(12)], width=40)
    assert max(map(cell_width, lines)) <= 40
    assert lines.count("") == 3
    assert [line.split()[1:] for line in lines if line.startswith("已读")] == [
        [str(i) for i in range(start, start + 3)] for start in range(0, 12, 3)
    ]
