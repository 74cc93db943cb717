"""Native rows → Records, by a plan made once a table."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from adapters.database.position import time_text
from bus.errors import FatalError
from bus.message import Fault, Record, business_key, content_digest, escape_key_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from adapters.database.declaration import Declaration, Platform

#: Date that stands for "no date" at SQL Server and in some clients.
_NO_DATE: Final = "1900-01-01"
#: The highest version that a ledger can keep.
_LAST_VERSION: Final = 2**63 - 1


def _time(value: datetime) -> str:
    text = value.isoformat(sep=" ")
    return "" if text.startswith(_NO_DATE) else text


def _decimal(value: Decimal) -> str:
    # 1, 1.0 and 1E0 are one number; which of them comes is the driver's taste.
    return format(value.normalize(), "f")


class _Texts(dict[type, "Callable[[Any], str]"]):
    """Type of a cell → how it becomes text for the digest."""

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        raise FatalError(
            f"the driver gave a value of type {kind.__name__}, which has no stable text; "
            "declare the column unread or have the site expose it as text"
        )


_TEXTS: Final = _Texts(
    {
        type(None): lambda _: "",
        str: str.strip,
        int: str,
        float: lambda value: _decimal(Decimal(repr(value))),
        bool: lambda value: str(int(value)),
        Decimal: _decimal,
        datetime: _time,
        date: lambda value: "" if value.isoformat() == _NO_DATE else value.isoformat(),
        bytes: bytes.hex,
    }
)


class RowPlan:
    """How rows of one table become Records.

    A row is a tuple in the order of `declaration.read_columns`.

    Attributes:
        names: column names in that order.
        place: column name → its place.
        key_at: places of the key columns.
        text_at: places of the text columns.
        time_at: place of the change time.
    """

    def __init__(self, declaration: Declaration, platform: Platform, *, division: str) -> None:
        columns = declaration.read_columns
        self.declaration = declaration
        self.names = tuple(column.name for column in columns)
        self.place = {name: i for i, name in enumerate(self.names)}
        self.key_at = tuple(self.names.index(name) for name in declaration.key)
        self.text_at = tuple(i for i, column in enumerate(columns) if column.type == "text")
        self._content_count = len(declaration.content_columns)
        self._times_at = tuple(i for i, c in enumerate(columns[: self._content_count]) if c.type == "time")
        self.time_at = self.names.index(declaration.change_time)
        self._version_at = self.names.index(declaration.version) if declaration.version else None
        self._part_at = self.names.index(declaration.part) if declaration.part else None
        self._platform = platform
        self._numbered = lru_cache(maxsize=1024)(self._number)
        self._division = division

    def row_key(self, row: Sequence[Any]) -> str:
        """Row key of a row: the business key, and the version where the source has one."""
        part = row[self._part_at] if self._part_at is not None else None
        version = row[self._version_at] if self._version_at is not None else None
        return self.row_key_of(row[self.key_at[0]], part, version)

    def row_key_of(self, number: Any, part: Any, version: Any) -> str:
        """Row key from the raw values of the first key column, the part and the version."""
        key = self._keyed(self._numbered(number)[1], part)
        return key if self._version_at is None else f"{key}:{version_of(version)}"

    def _number(self, number: Any) -> tuple[str, str]:
        """ApplicationNo and the key without its part, from the raw value of the first key column."""
        application_no = self._platform.application_no(self._division, _text(number))
        return application_no, business_key(self._division, self.declaration.kind, application_no)

    def _keyed(self, key: str, part: Any) -> str:
        text = _text(part) or self.declaration.part_default
        return f"{key}:{escape_key_part(text)}" if text else key

    def version(self, row: Sequence[Any]) -> int | None:
        """The source's own version (absent = 1), or None when the ledger counts."""
        return None if self._version_at is None else version_of(row[self._version_at])

    def changed_at(self, row: Sequence[Any]) -> str:
        """Change time of a row as text."""
        return time_text(row[self.time_at])

    def digest(self, row: Sequence[Any]) -> bytes:
        """Row digest over the content columns."""
        texts = [
            # Spelt out for the commonest types: this is most of what a row costs (benchmark `read`).
            value.strip() if value.__class__ is str else "" if value is None else _TEXTS[value.__class__](value)
            for value in row[: self._content_count]
        ]
        for place in self._times_at:
            # SQLite has no time type: its texts come with or without a fraction.
            if isinstance(row[place], str):
                texts[place] = "" if texts[place].startswith(_NO_DATE) else time_text(texts[place])
        return content_digest(texts)

    def record(
        self,
        row: Sequence[Any],
        parent: Mapping[str, Any] | None,
        *,
        changed_at: str,
        faults: tuple[Fault, ...],
        park: str,
    ) -> Record:
        """The Record of one row; `parent` holds the parent's values under `parent.<COLUMN>`."""
        content = dict(zip(self.names, row, strict=True))
        if parent:
            content.update(parent)
        raw = row[self.key_at[0]]
        if not raw or (raw.__class__ is str and raw.isspace()):
            faults = (*faults, _no_number(self.declaration.key[0]))
        number, key = self._numbered(raw)
        return Record(
            self._keyed(key, row[self._part_at] if self._part_at is not None else None),
            self._division,
            self.declaration.kind,
            number,
            None if self._version_at is None else version_of(row[self._version_at]),
            self.digest(row),
            changed_at,
            content,
            faults,
            park,
        )


def _no_number(column: str) -> Fault:
    return Fault(
        "BUSINESS_KEY",
        column,
        "reject",
        f"{column} 为空：没有流水号的记录不属于任何案件；请平台补填",
        f"{column} is empty: a record without a number belongs to no case; the platform has to fill it in",
        rule="BUSINESS_KEY",
    )


def version_of(value: Any) -> int:
    """A data version, 1 (the standard's default) to 2^63 - 1: absent, 0 and what is no number count as 1."""
    try:
        return min(max(int(value), 1), _LAST_VERSION)
    except (TypeError, ValueError, OverflowError):
        return 1


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").strip()
    return "" if value is None else str(value).strip()
