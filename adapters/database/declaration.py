"""What a platform's tables look like, as values: everything the generic database adapter has to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

ColumnType = Literal["text", "integer", "time"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a platform's table.

    Attributes:
        name: declared name, upper case; the real one may differ in case.
        type: `text`, `integer`, or `time` (date-time without zone, local time of the city).
        size: characters of a text column.
    """

    name: str
    type: ColumnType
    size: int = 0


@dataclass(frozen=True, slots=True)
class Parent:
    """The row of another table that a row belongs to.

    Of several versions of the parent that with the highest version not above the row's own is taken, else the lowest.

    Attributes:
        table: name of the parent's table.
        on: column that is equal in both.
        columns: what is read from the parent; in `Record.content` under `parent.<COLUMN>`.
    """

    table: str
    on: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One table of one kind of record.

    Attributes:
        table: its name, upper case.
        kind: KIND of its records.
        columns: all own columns in declared order.
        key: columns that make a row unique; the first one names the case.
        change_time: column that the platform sets at every insert and update.
        version: column of the data version, or "" (versioning is then `observed`).
        part: column of seq or step, or "".
        part_default: part of a row that has none.
        volatile: columns that are no content of the record: change time and flags.
        unread: columns that are not read at all.
        region: column that names the row's division (own, or `parent.<COLUMN>`), or "".
        parent: the table it belongs to, or None.
    """

    table: str
    kind: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    change_time: str
    version: str = ""
    part: str = ""
    part_default: str = ""
    volatile: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    region: str = ""
    parent: Parent | None = None

    @property
    def read_columns(self) -> tuple[Column, ...]:
        """Own columns that are read: the content first, in declared order, then the volatile ones."""
        read = [column for column in self.columns if column.name not in self.unread]
        return (
            *(column for column in read if column.name not in self.volatile),
            *(column for column in read if column.name in self.volatile),
        )

    @property
    def content_columns(self) -> tuple[str, ...]:
        """Columns that the row digest covers."""
        return tuple(c.name for c in self.columns if c.name not in self.volatile | self.unread)


@dataclass(frozen=True, slots=True)
class Platform:
    """All tables of one platform.

    Attributes:
        tables: one declaration a kind, any order.
        application_no: (division, trimmed value of the first key column) → applicationNo.
        native_no: (division, applicationNo) → value of the first key column; the inverse.
    """

    tables: tuple[Declaration, ...]
    application_no: Callable[[str, str], str]
    native_no: Callable[[str, str], str]

    @property
    def is_explicit(self) -> bool:
        """Whether the source says the version itself (`versioning: explicit`); else the ledger counts."""
        return all(declaration.version for declaration in self.tables)
