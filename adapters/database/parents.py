"""Rows of the parent table, looked up once a batch and kept for the length of a snapshot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adapters.database.rows import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from adapters.database.reading import Reader
    from adapters.database.rows import RowPlan
    from adapters.database.statements import TableStatements

_PAGE_ROWS: Final = 500
#: Parents kept: those of the cases under way at one time, a few MB.
_KEPT: Final = 10_000

#: Versions of one parent: (version, its columns under `parent.<COLUMN>`).
Versions = list[tuple[int, "Mapping[str, Any]"]]


class Table(NamedTuple):
    """One table: its statements and its plan."""

    statements: TableStatements
    plan: RowPlan


class Parents:
    """The parents of rows; what is known of a snapshot cannot change, so it is asked for once.

    Args:
        tables: by rank.
    """

    def __init__(self, tables: Mapping[int, Table]) -> None:
        self._tables = tables
        self._reader: Reader | None = None
        self._known: dict[tuple[str, Any], Versions] = {}

    def load(self, reader: Reader, rows: Iterable[tuple[int, Any]]) -> None:
        """Make the parents of `rows`, (rank, raw number) each, known as `reader` sees them."""
        if reader is not self._reader or len(self._known) > _KEPT:
            self._known = {}
            self._reader = reader
        wanted: dict[str, tuple[int, set[Any]]] = {}
        for rank, number in rows:
            parent = self._tables[rank].plan.declaration.parent
            if parent is not None and (parent.table, number) not in self._known:
                wanted.setdefault(parent.table, (rank, set()))[1].add(number)
        for table, (rank, numbers) in wanted.items():
            found = self._lookup(reader, rank, numbers)
            for number in numbers:
                self._known[table, number] = found.get(trimmed(number), [])

    def of(self, rank: int, row: Sequence[Any]) -> Mapping[str, Any] | None:
        """The parent of a row: the highest version not above its own, else the lowest; None when there is none."""
        plan = self._tables[rank].plan
        assert plan.declaration.parent is not None
        versions = self._known[plan.declaration.parent.table, row[plan.key_at[0]]]
        if len(versions) <= 1:
            return versions[0][1] if versions else None
        own = plan.version(row)
        below = [version for version in versions if own is None or version[0] <= own]
        best = max(below, key=_version) if below else min(versions, key=_version)
        return best[1]

    def row_keys(self, rank: int, number: Any) -> list[str] | None:
        """Row keys of the parent's versions for a raw number that was loaded; None when its kind is not read.

        [] when there is no parent.
        """
        parent = self._tables[rank].plan.declaration.parent
        assert parent is not None
        plan = next((t.plan for t in self._tables.values() if t.plan.declaration.table == parent.table), None)
        versions = self._known[parent.table, number]
        if plan is None and versions:
            return None
        return [] if plan is None else [plan.row_key_of(number, None, version) for version, _ in versions]

    def _lookup(self, reader: Reader, rank: int, numbers: set[Any]) -> dict[str, Versions]:
        """Trimmed number → versions; what is not found as it stands is looked for trimmed."""
        found: dict[str, Versions] = {}
        self._ask(reader, rank, sorted(numbers, key=str), found, is_trimmed=False)
        missing = {trimmed(number) for number in numbers} - found.keys()
        self._ask(reader, rank, sorted(missing), found, is_trimmed=True)
        return found

    def _ask(
        self, reader: Reader, rank: int, numbers: Sequence[Any], found: dict[str, Versions], *, is_trimmed: bool
    ) -> None:
        statements, plan = self._tables[rank]
        parent = plan.declaration.parent
        assert parent is not None
        names = tuple(f"parent.{name}" for name in parent.columns)
        text_at = (0, *range(2, 2 + len(names)))
        for start in range(0, len(numbers), _PAGE_ROWS):
            select = partial(statements.parents, numbers[start : start + _PAGE_ROWS], is_trimmed=is_trimmed)
            for row in reader.small(select, (parent.on, "", *names), text_at=text_at).rows:
                columns = dict(zip(names, row[2:], strict=True))
                found.setdefault(trimmed(row[0]), []).append((version_of(row[1]), columns))


def trimmed(value: Any) -> str:
    """A number without the blanks around it; octets that do not decode as hex."""
    return value.hex() if isinstance(value, bytes) else str(value).strip()


def _version(version: tuple[int, Mapping[str, Any]]) -> int:
    return version[0]
