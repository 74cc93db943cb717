"""The seven tables of cgs, and how its numbers become application numbers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from adapters.database.declaration import Column, Declaration, Parent, Platform

if TYPE_CHECKING:
    from adapters.database.declaration import ColumnType

_TYPES: Final[dict[str, ColumnType]] = {"S": "text", "I": "integer", "T": "time"}
_SPEC: Final = re.compile(r"(?P<name>[A-Z]+) (?P<type>[SIT])(?P<size>\d*)")

#: Application numbers of standard §3.2: the province's 29 characters (item 9, organisation 9, channel, date, 4),
#: the city's 28 (region 6, organisation 9, date, channel, 6) and the older 24 (area 2, organisation 9, date, 0|1, 6).
_ORGANISATION: Final = r"[0-9A-Z]{8}[0-9X]"
_DATE: Final = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_APPLICATION_NO: Final = re.compile(
    rf"[0-9A-Z]{{9}}{_ORGANISATION}\d{_DATE}\d{{4}}"
    rf"|\d{{6}}{_ORGANISATION}{_DATE}\d{{7}}"
    rf"|[A-Z]{{2}}{_ORGANISATION}{_DATE}[01]\d{{6}}",
    re.ASCII,
)


@lru_cache(maxsize=1024)
def application_no(division: str, number: str) -> str:
    """The YWLSH itself when it is built like an application number, else `<division>-<YWLSH>`.

    The three installations count alike, so a number of their own is unique only together with the division.
    """
    return number if _APPLICATION_NO.fullmatch(number) else f"{division}-{number}"


def native_no(division: str, number: str) -> str:
    """The YWLSH that `application_no` made into `number`."""
    return number.removeprefix(f"{division}-")


def _columns(text: str) -> tuple[Column, ...]:
    """Columns written as on the vendor's page: `S50` text, `I` integer, `T` date-time."""
    columns = []
    for spec in text.split(","):
        match = _SPEC.fullmatch(spec.strip())
        assert match is not None, spec
        columns.append(Column(match["name"], _TYPES[match["type"]], int(match["size"] or 0)))
    return tuple(columns)


_CASE: Final = "YWLSH S50, SJBBH I, "
_TAIL: Final = ", BZ S200, GXSJ T, ISGET S1"
_PARENT: Final = Parent("T_SHOULI", "YWLSH", ("XZQHDM", "SPSXBH", "SPSXZXBH", "YXTYWLSH"))


def _declare(table: str, kind: str, columns: str, *, part: str = "", part_default: str = "") -> Declaration:
    is_case = kind == "SL"
    return Declaration(
        table=table,
        kind=kind,
        columns=_columns(_CASE + columns + _TAIL),
        key=("YWLSH", "SJBBH", part) if part else ("YWLSH", "SJBBH"),
        change_time="GXSJ",
        version="SJBBH",
        part=part,
        part_default=part_default,
        volatile=frozenset({"GXSJ"}),
        unread=frozenset({"ISGET"}),
        region="XZQHDM" if is_case else "parent.XZQHDM",
        parent=None if is_case else _PARENT,
    )


PLATFORM: Final = Platform(
    tables=(
        _declare(
            "T_SHOULI",
            "SL",
            "YXTYWLSH S100, SPSXBH S100, SPSXZXBH S3, SPSXMC S200, XZQHDM S12, SLJGMC S100, SLJGZZJGDM S18, BLRXM S60,"
            " BLRGH S50, SLYF S1, BSLYY S2000, HZBH S100, SLSJ T, FLGDGXD S12, FSYWGXD S12, CXMM S20, GDBLSX I,"
            " GDBLSXDW S1, GDSF S1000, XMMC S400, SQDWHSQRXM S200, SQRLX S2, SQRZJHM S50, SQDWJBRXM S60, SQDWLXDH S40,"
            " SQDWJBRSJ S30, SQDWJBRYJ S80, SLJTDD S300, SLZLQD S2000, TJFS S2, PHD S20",
        ),
        _declare("T_BUJIAOGAOZHI", "BZGZ", "BJGZFCR S60, BJGZYY S2000, BJCLGZQD S2000, BJGZSJ T", part_default="1"),
        _declare("T_BUJIAOSHOULI", "BZSL", "SLDWCBRXM S60, BJCLQD S2000, BJSJ T, BJSLJTDD S400", part_default="1"),
        _declare(
            "T_TEBIECHENGXUSHENQING",
            "TBCXSQ",
            "XH S50, TBCXZL S1, TBCXZLMC S200, TBCXKSRQ T, TBCXPZR S200, TBCXPZRDH S40, TBCXPZRSJ S30,"
            " TBCXQDLYHYJ S2000, SQNR S2000, TBCXSX I, TBCXSXDW S1",
            part="XH",
            part_default="1",
        ),
        _declare(
            "T_TEBIECHENGXUJIEGUO",
            "TBCXJG",
            "XH S50, TBCXJG S2000, JGCSRQ T, TBCXJSRQ T, TBCXSFJE S30, JEDWDM S20",
            part="XH",
            part_default="1",
        ),
        _declare(
            "T_SHENPIGUOCHENG",
            "SPCL",
            "SPBZH I, SPHJDM S4, SPHJMC S20, SPBMMC S400, SPBMZZJDMD S18, SPRXM S60, SPRZWDM S5, SPRZWMC S50,"
            " SPYJ S2000, SPSJ T, SPHJZTDM S1",
            part="SPBZH",
        ),
        _declare(
            "T_BANJIE",
            "BJ",
            "BJJGMC S200, BJJGZZJGDM S18, BJJG S1, BLJGMS S2000, ZFTHYY S2000, ZJMC S200, ZJBH S100, ZJYXQX S30,"
            " FZDW S200, SFJE S30, JEDWDM S20, BJSJ T, XKYF S1, BYXKYY S2000",
        ),
    ),
    application_no=application_no,
    native_no=native_no,
)

#: What the supervision core found, written back by us: key YWLSH and JCSJ.
RESULT_TABLE: Final = "T_JIANCHAJIEGUO"
RESULT_COLUMNS: Final = _columns(
    "YWLSH S50, JCSJ T, HJSX I, HJSXDW S1, SSSX I, EJJCJG S1, ZRDEPT S200, NR S2000, ISGET S1"
)
