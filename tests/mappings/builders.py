"""Small documents, tables and records for the tests of this package."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from bus.message import Record, business_key
from mappings.functions import FUNCTIONS
from mappings.library import Platform, read_platform
from mappings.outcome import Context, Run
from xsd.catalogue import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mappings.tables import CodeTable

#: Everything that BZSL requires, so that one more line makes a document.
HEAD = """\
platform: demo
kind: BZSL
table: T_DEMO
columns: [A, B, C, D, T]
absent: [无, /]
targets:
  applicationNo: record.application_no
  itemCode: {value: ITEM}
  regionCode: {from: [D, record.division], do: [region]}
  seq: {value: "1"}
  handlerName: A
  materialList: {from: B, do: [list]}
  receivedAt: {from: T, do: [datetime]}
"""


def write_platform(root: Path, text: str, *, tables: Mapping[str, str] | None = None, kind: str = "BZSL") -> Platform:
    """A folder of mappings with the one platform `demo`, read."""
    folder = root / "demo"
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    (folder / f"{kind}.yaml").write_text(text, encoding="utf-8")
    for name, rows in (tables or {}).items():
        (folder / "tables" / f"{name}.csv").write_text(rows, encoding="utf-8")
    return read_platform("demo", directory=root)


def record(
    content: Mapping[str, Any], *, kind: str = "BZSL", division: str = "440604", version: int | None = 1
) -> Record:
    """A record of case 440604-1."""
    key = business_key(division, kind, "440604-1")
    return Record(key, division, kind, "440604-1", version, b"", "", content)


@cache
def shipped_tables() -> Mapping[str, CodeTable]:
    """The tables of cgs and the shared ones."""
    return read_platform("cgs").tables


def function(name: str, /, *, field: str = "remark", kind: str = "SL", **arguments: Any) -> Run:
    """One function, built for one field, with the shipped tables."""
    context = Context(load().kinds[kind].field(field), "COLUMN", shipped_tables(), name)
    return FUNCTIONS[name].build(arguments, context)
