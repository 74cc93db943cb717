"""Tables as lines of text that stay readable at 80 columns, in a pipe and with Chinese characters."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP: Final = "  "
_NARROWEST: Final = 16


def cell_width(text: str) -> int:
    """Columns of a terminal that the text takes: two for a wide (Chinese) character."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _pad(text: str, width: int, *, is_right: bool) -> str:
    blanks = " " * (width - cell_width(text))
    return blanks + text if is_right else text + blanks


def _folded(text: str, width: int) -> Iterator[str]:
    """The text in lines of at most `width` columns, broken at blanks where there are some."""
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if cell_width(longer) <= width:
            line = longer
            continue
        if line:
            yield line
        line = word
        while cell_width(line) > width:
            end = len(line)
            while cell_width(line[:end]) > width:
                end -= 1
            yield line[:end]
            line = line[end:]
    yield line


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, width: int) -> list[str]:
    """One line a row below the columns' names; numbers stand right.

    Args:
        columns: their names.
        rows: one cell a column.
        width: columns of the terminal; the last cell of a row is folded into them.
    """
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(cell_width(cells[i]) for cells in [list(columns), *texts]) for i in range(len(columns))]
    is_right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    before = sum(widths[:-1]) + len(_GAP) * (len(columns) - 1)
    if before + widths[-1] > width:
        widths[-1] = max(width - before, _NARROWEST)
    lines = [_line(columns, widths, is_right), _GAP.join("─" * each for each in widths)]
    for cells in texts:
        first, *more = _folded(cells[-1], widths[-1])
        lines.append(_line([*cells[:-1], first], widths, is_right))
        lines += [" " * before + part for part in more]
    return lines


def _line(cells: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    columns = zip(cells, widths, is_right, strict=True)
    return _GAP.join(_pad(text, width, is_right=right) for text, width, right in columns).rstrip()


def sheet(labels: Sequence[str], columns: Sequence[tuple[str, Sequence[object]]], *, width: int) -> list[str]:
    """Like a sum on paper: one line a label, one column a thing; more things than fit follow in blocks below.

    Args:
        labels: name of each line.
        columns: heading, and one value a label.
        width: columns of the terminal.
    """
    left = max(map(cell_width, labels))
    right = max(cell_width(str(text)) for name, values in columns for text in (name, *values))
    many = max(1, (width - left) // (right + len(_GAP)))
    lines: list[str] = []
    for start in range(0, len(columns), many):
        part = columns[start : start + many]
        if lines:
            lines.append("")
        lines.append(_row("", [name for name, _ in part], left, right))
        lines += [_row(label, [values[i] for _, values in part], left, right) for i, label in enumerate(labels)]
    return lines


def _row(label: str, cells: Sequence[object], left: int, right: int) -> str:
    text = _GAP.join([_pad(label, left, is_right=False), *(_pad(str(cell), right, is_right=True) for cell in cells)])
    return text.rstrip()
