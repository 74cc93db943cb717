"""Rows of one batch → Records: the parent's columns, whose row it is, and whether it has to wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adapters import regions
from adapters.database.parents import Parents
from bus.message import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapters.database.parents import Table
    from adapters.database.reading import Damage, Reader
    from adapters.database.rows import RowPlan
    from adapters.options import DatabaseOptions
    from bus.message import Record

NO_PARENT: Final = "no-parent"
#: How far from the source's clock a change time counts as the same second: platforms stamp with clocks of their own.
_SECOND: Final = timedelta(seconds=1)


class Found(NamedTuple):
    """A row to be handed on; `rank` is its table's place, `changed_at` its change time as text."""

    rank: int
    row: tuple[Any, ...]
    changed_at: str
    damage: Damage | None = None
    fault: Fault | None = None


class Assembled(NamedTuple):
    """Records in the order of the rows; what belongs to nobody; places of rows whose parent is awaited."""

    records: list[Record]
    unassigned: int
    orphans: list[Found]


class Assembler:
    """Makes the Records of one source.

    Args:
        tables: by rank.
        division: the source's own.
        options: `where` and `claimed` say whose row it is.

    Attributes:
        parents: the parents' rows.
    """

    def __init__(self, tables: Mapping[int, Table], *, division: str, options: DatabaseOptions) -> None:
        self._tables = tables
        self.parents = Parents(tables)
        self._division = division
        self._where = next(iter(options.where.items()), None)
        self._own = regions.canonical(self._where[1]) if self._where else ""
        self._claimed = frozenset(map(regions.canonical, options.claimed))
        self._counted: set[int] = set()

    def records(self, reader: Reader, found: Sequence[Found], *, now: datetime) -> Assembled:
        """Records of `found`, in the same order.

        Args:
            reader: inside the snapshot that the rows come from; parents are read from it.
            found: rows.
            now: the source's clock at the snapshot, local time without zone.
        """
        first, last = str(now.replace(microsecond=0) - _SECOND), str(now.replace(microsecond=0) + _SECOND)
        self.parents.load(reader, ((item.rank, item.row[self._tables[item.rank].plan.key_at[0]]) for item in found))
        done = Assembled([], 0, [])
        unassigned = 0
        for item in found:
            plan = self._tables[item.rank].plan
            has_parent = plan.declaration.parent is not None
            parent = self.parents.of(item.rank, item.row) if has_parent else None
            if self._where is not None and (verdict := self._verdict(item, plan, parent)) != "own":
                unassigned += verdict == "unassigned" and self._is_new(item)
                if has_parent and parent is None:
                    done.orphans.append(item)
                continue
            changed_at = item.changed_at
            waits = has_parent and parent is None
            record = plan.record(
                item.row,
                parent,
                # Of the same second as the reading: it may change once more without its time moving.
                changed_at="" if first <= changed_at <= last else changed_at,
                faults=self._faults(item, plan, parent),
                park=NO_PARENT if waits and item.damage is None and item.fault is None else "",
            )
            done.records.append(record._replace(raw=item.damage.raw) if item.damage else record)
        return done._replace(unassigned=unassigned)

    def _region(self, name: str, item: Found, plan: RowPlan, parent: Mapping[str, Any] | None) -> str:
        own = name.removeprefix("parent.")
        at = plan.place.get(own)
        value = item.row[at] if at is not None else (parent or {}).get(f"parent.{own}")
        return "" if value is None else regions.canonical(str(value))

    def _verdict(self, item: Found, plan: RowPlan, parent: Mapping[str, Any] | None) -> str:
        assert self._where is not None
        value = self._region(self._where[0], item, plan, parent)
        if value == self._own:
            return "own"
        return "claimed" if value in self._claimed else "unassigned"

    def _is_new(self, item: Found) -> bool:
        """Whether a row that belongs to nobody is met for the first time since start: it is counted once."""
        mark = hash((item.rank, item.row))
        is_new = mark not in self._counted
        self._counted.add(mark)
        return is_new

    def _faults(self, item: Found, plan: RowPlan, parent: Mapping[str, Any] | None) -> tuple[Fault, ...]:
        faults = [_undecodable(column) for column in item.damage.columns] if item.damage else []
        if item.fault is not None:
            faults.append(item.fault)
        declaration = plan.declaration
        if declaration.region:
            value = self._region(declaration.region, item, plan, parent)
            if value not in {"", self._division}:
                faults.append(_foreign(declaration.region, value, self._division))
        return tuple(faults)


def _undecodable(column: str) -> Fault:
    return Fault(
        "DECODE",
        column,
        "reject",
        f"字段 {column} 的字节无法按数据库声明的字符集解码；应为该字符集的有效文本",
        f"the octets of {column} do not decode in the character set of the database; expected valid text",
        rule="decode",
    )


def _foreign(column: str, value: str, division: str) -> Fault:
    return Fault(
        "FOREIGN_DIVISION",
        column,
        "reject",
        f"行政区划代码为 {value}，不属于本数据源；应为 {division}",
        f"the region is {value}, which is not this source's; expected {division}",
        rule="foreign-division",
    )


def no_parent(table: str) -> Fault:
    """Why a row that waited for its parent is given up."""
    return Fault(
        "NO_PARENT",
        "",
        "reject",
        f"等待 24 小时后，{table} 中仍无该办件的记录；应先有受理记录",
        f"after 24 hours {table} still has no row of this case; expected the parent row to exist",
        rule="no-parent",
    )


def unreadable(keys: Sequence[Any]) -> Fault:
    """Why a row that a thin query showed could not be fetched by its key."""
    return Fault(
        "UNREADABLE",
        "",
        "reject",
        f"按主键 {list(keys)!r} 无法取得该行；应能以主键唯一取得",
        f"the row cannot be fetched by its key {list(keys)!r}; expected the key to find it",
        rule="by-key",
    )
