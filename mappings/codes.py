"""Functions that make codes: code tables, the schema's own codes, divisions, organisation codes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mappings.outcome import Context, Outcome, Run
    from mappings.tables import CodeTable, TableRow

#: Shared tables that `region` reads: the divisions that exist, and the retired ones with their successors.
REGIONS: Final = "regions"
RETIRED_REGIONS: Final = "regions-retired"

_HYPHENATED: Final = re.compile(r"[0-9A-Z]{8}-[0-9A-Z]")
_REGION: Final = re.compile(r"([0-9]{6})(0*)")


def build_table(arguments: Mapping[str, object], context: Context) -> Run:
    """`table`: source code → the schema's code, by a file; an unknown code rejects, or (`unknown: flag`) is absent."""
    name = str(arguments["name"])
    targets = {source: row.target for source, row in context.tables[name].rows.items()}
    is_flag = arguments.get("unknown") == "flag"

    def run(value: str) -> Outcome:
        target = targets.get(value) or targets.get(value.upper())
        if target is not None:
            return target
        zh, en = f"代码表 {name} 没有这个代码", f"code table {name} has no such code"
        if is_flag:
            return context.flag("MAP_CODE_UNKNOWN", value, text="", zh=zh, en=en)
        return context.reject("MAP_CODE_UNKNOWN", value, zh=zh, en=en)

    return run


def build_code(arguments: Mapping[str, object], context: Context) -> Run:
    """`code`: a value that is one of the schema's codes already; letter case is folded (standard §2)."""
    del arguments
    codes = {code.upper(): code for code in context.field.codes}

    def run(value: str) -> Outcome:
        code = codes.get(value.upper())
        if code is not None:
            return code
        listed = " ".join(codes.values())
        zh, en = f"不在代码表内，允许 {listed}", f"not in the code list, allowed are {listed}"
        return context.reject("MAP_CODE_UNKNOWN", value, zh=zh, en=en)

    return run


def build_region(arguments: Mapping[str, object], context: Context) -> Run:
    """`region`: 6 digits, or padded with zeros up to 12 → 6; a retired code → its successor, flagged (standard §2).

    A code outside the table rejects; with `unknown: flag` six digits are kept as they are and flagged.
    """
    known, retired = context.tables[REGIONS], context.tables[RETIRED_REGIONS]
    is_flag = arguments.get("unknown") == "flag"

    def run(value: str) -> Outcome:
        match = _REGION.fullmatch(value)
        if match is None or len(value) > 12:
            zh, en = (
                "不是 6 位行政区划代码（可补零到 12 位）",
                "not a division of 6 digits (zeros up to 12 digits allowed)",
            )
            return context.reject("MAP_REGION", value, zh=zh, en=en)
        return _region(match.group(1), value)

    def _region(code: str, value: str) -> Outcome:
        if code in known.rows:
            return code
        row = retired.rows.get(code)
        if row is not None:
            zh, en = f"已撤销的行政区划代码，改为 {row.target}", f"a retired division, replaced by {row.target}"
            return context.flag("MAP_REGION_RETIRED", value, text=row.target, zh=zh, en=en)
        zh, en = "行政区划代码不在佛山代码表内", "not a division of Foshan"
        if is_flag:
            return context.flag("MAP_REGION_UNKNOWN", value, text=code, zh=zh, en=en)
        return context.reject("MAP_REGION_UNKNOWN", value, zh=zh, en=en)

    return run


def build_org_code(arguments: Mapping[str, object], context: Context) -> Run:
    """`org_code`: upper case; `12345678-X` loses its hyphen (standard §3.1.4); check digits are the validator's."""
    del arguments, context

    def run(value: str) -> Outcome:
        text = value.upper()
        return text.replace("-", "") if _HYPHENATED.fullmatch(text) else text

    return run


def tables_read(name: str, arguments: Mapping[str, object], tables: Mapping[str, CodeTable]) -> tuple[CodeTable, ...]:
    """The code tables that a call of function `name` reads, in the order in which it reads them."""
    if name == "table":
        return (tables[str(arguments["name"])],)
    if name == "region":
        return (tables[REGIONS], tables[RETIRED_REGIONS])
    return ()


def cited_row(name: str, value: str, tables: Sequence[CodeTable]) -> TableRow | None:
    """The row that decides what function `name` makes of `value`, or None."""
    source = value[:6] if name == "region" else value
    return next((row for row in (table.row(source) for table in tables) if row is not None), None)
