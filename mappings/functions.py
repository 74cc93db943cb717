"""The registry of mapping functions: named, pure, typed. A document can call these and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from mappings.amounts import build_integer, build_money
from mappings.codes import build_code, build_org_code, build_region, build_table
from mappings.outcome import Context, Run, ValueType
from mappings.texts import build_absent, build_list, build_trim, build_upper
from mappings.times import build_date, build_datetime

Build = Callable[[Mapping[str, Any], Context], Run]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a function.

    Attributes:
        name: its key; the first parameter of a function may be given alone: `{table: accept-status}`.
        type: `text`, `texts` (a list of them) or `table` (name of a code table).
        is_required: whether it must be given.
        choices: allowed values; empty = any.
    """

    name: str
    type: Literal["text", "texts", "table"] = "text"
    is_required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes:
        name: as called in `do:`.
        takes: types that it accepts.
        gives: type of its value; None: the type that it was given.
        zh, en: what it does.
        build: made once per call in a document; what it returns runs per record.
        parameters: its arguments.
        takes_native: as the first of a chain it gets the driver's own value (date-time, integer, decimal).
    """

    name: str
    takes: frozenset[ValueType]
    gives: ValueType | None
    zh: str
    en: str
    build: Build
    parameters: tuple[Parameter, ...] = ()
    takes_native: bool = False


_TEXT: Final[frozenset[ValueType]] = frozenset({"text"})
_TEXT_OR_CODE: Final[frozenset[ValueType]] = frozenset({"text", "code"})
_ANY: Final[frozenset[ValueType]] = frozenset({"text", "code", "date-time", "date", "integer", "decimal", "list"})
_UNKNOWN: Final = Parameter("unknown", choices=("reject", "flag"))

_ALL: Final = (
    Function(
        "trim",
        _TEXT,
        None,
        "去掉两端空白（含全角空格）及指定字符；每个来源值取出时已去空白",
        "takes blanks and the given characters off both ends; every source value has lost its blanks already",
        build_trim,
        (Parameter("characters"),),
    ),
    Function(
        "absent",
        _ANY,
        None,
        "列出的值视为空",
        "the listed values stand for nothing",
        build_absent,
        (Parameter("values", "texts", is_required=True),),
    ),
    Function("upper", _TEXT_OR_CODE, None, "字母转大写", "letters in upper case", build_upper),
    Function(
        "table",
        _TEXT_OR_CODE,
        "code",
        "按代码表文件换码；表中没有的代码拒收（unknown: flag 时视为空并标记）",
        "translates a code by a file; an unknown code rejects (with unknown: flag it is absent and flagged)",
        build_table,
        (Parameter("name", "table", is_required=True), _UNKNOWN),
    ),
    Function(
        "code",
        _TEXT_OR_CODE,
        "code",
        "值本身就是统一标准的代码，不分大小写；其他值拒收",
        "the value is one of the schema's codes already, in any letter case; anything else rejects",
        build_code,
    ),
    Function(
        "datetime",
        _TEXT,
        "date-time",
        "日期时间，多种写法，按北京时间；只有日期时为零点；1900-01-01 视为空",
        "date and time in several spellings, local time +08:00; a day alone is 00:00:00; 1900-01-01 is absent",
        build_datetime,
        takes_native=True,
    ),
    Function(
        "date",
        _TEXT,
        "date",
        "日期；带有零点以外的时刻拒收；1900-01-01 视为空",
        "a day; a time of day other than midnight rejects; 1900-01-01 is absent",
        build_date,
        takes_native=True,
    ),
    Function("integer", _TEXT, "integer", "整数，去掉前导零", "whole number", build_integer, takes_native=True),
    Function(
        "money",
        _TEXT,
        "decimal",
        "金额，可带千分位逗号，两位小数，不舍入",
        "amount with or without thousands commas, two decimals, never rounded",
        build_money,
        takes_native=True,
    ),
    Function(
        "region",
        _TEXT,
        "text",
        "行政区划代码：补零的取前 6 位，已撤销的换成现行代码并标记；不在佛山代码表内拒收（unknown: flag 时保留并标记）",
        "division: zeros after the sixth digit go, a retired code becomes its successor with a flag; a code outside"
        " the table rejects (with unknown: flag it is kept and flagged)",
        build_region,
        (_UNKNOWN,),
    ),
    Function(
        "org_code",
        _TEXT,
        "text",
        "组织机构代码：大写，去掉 12345678-X 中的连字符",
        "organisation code: upper case, without the hyphen of 12345678-X",
        build_org_code,
    ),
    Function(
        "list",
        _TEXT,
        "list",
        "清单：按 ; ；和换行拆开，去掉空项，以半角分号连接",
        "list: split at ; ； and new lines, empty parts left out, joined by half-width semicolons",
        build_list,
        (Parameter("separators", "texts"),),
    ),
)

#: name → function
FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType({function.name: function for function in _ALL})
