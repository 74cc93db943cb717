"""Code tables as files: CSV with the columns source, target, note. A source code compares without letter case."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from mappings.outcome import BLANKS
from mappings.problem import Position, Problem, error

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER: Final = ["source", "target", "note"]


class TableRow(NamedTuple):
    """One row: `source` is what the platform says, `target` the schema's code; `at` is its place in the file."""

    source: str
    target: str
    note: str
    at: Position


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A code table.

    Attributes:
        name: file name without `.csv`.
        file: where it was read.
        rows: upper-case source code → row, in the order of the file.
    """

    name: str
    file: str
    rows: Mapping[str, TableRow]

    def row(self, source: str) -> TableRow | None:
        """The row of a source code, or None."""
        return self.rows.get(source.strip(BLANKS).upper())

    def targets(self) -> frozenset[str]:
        """Every code that the table can produce."""
        return frozenset(row.target for row in self.rows.values())


def parse_table(name: str, *, file: str, text: str) -> tuple[CodeTable, list[Problem]]:
    """Read one table; every wrong row is a problem and is left out."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: dict[str, TableRow] = {}
    problems: list[Problem] = []
    is_headed = False
    try:
        for cells in lines:
            at = Position(file, lines.line_num, 1)
            if not is_headed:
                is_headed = True
                problems += _header(cells, at, name)
            elif any(cells):
                problems += _row(rows, cells, at=at, name=name)
    except csv.Error as fault:
        at = Position(file, lines.line_num, 1)
        problems.append(
            error(at, "table-syntax", name, zh=f"不是合法的 CSV：{fault}", en=f"not well-formed CSV: {fault}")
        )
    if not is_headed:
        problems += _header([], Position(file, 1, 1), name)
    return CodeTable(name, file, MappingProxyType(rows)), problems


def _header(cells: list[str], at: Position, name: str) -> list[Problem]:
    if [cell.strip() for cell in cells] == HEADER:
        return []
    zh = "首行必须是 source,target,note"
    return [error(at, "table-header", name, zh=zh, en="the first line must be source,target,note")]


def _row(rows: dict[str, TableRow], cells: list[str], *, at: Position, name: str) -> list[Problem]:
    if len(cells) != len(HEADER):
        zh, en = f"应有 3 列，实有 {len(cells)} 列", f"3 cells expected, {len(cells)} found"
        return [error(at, "table-row", name, zh=zh, en=en)]
    source, target, note = (cell.strip(BLANKS) for cell in cells)
    if not source or not target:
        return [
            error(at, "table-row", name, zh="来源代码和目标代码都不得为空", en="source and target must not be empty")
        ]
    former = rows.get(source.upper())
    if former is not None:
        zh = f"来源代码 {source} 已在第 {former.at.line} 行出现，删去其中一行"
        en = f"source code {source} stands in line {former.at.line} already; remove one of them"
        return [error(at, "table-duplicate", name, zh=zh, en=en)]
    rows[source.upper()] = TableRow(source, target, note, at)
    return []
