"""What is wrong with one value, facet by facet, in Chinese and English; used by the explainer."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from bus.message import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xsd.catalogue import Field

#: Fields whose value is never repeated in a fault (standard §1.5, CXMM: treat as secret).
SECRET: Final = frozenset({"queryPassword"})

_SHOWN_CHARACTERS: Final = 40
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?|24:00:00(?:\.0{1,6})?")
_XML_SPACE: Final = " \t\r\n"


class Place(NamedTuple):
    """Where a fault is: element, its Chinese name, path and line."""

    field: str
    zh: str
    xpath: str
    line: int

    @property
    def label(self) -> str:
        """How a Chinese text names the place."""
        if not self.field:
            return "记录"
        return f"“{self.zh}”（{self.field}）" if self.zh else self.field


class _Text(NamedTuple):
    code: str
    rule: str
    zh: str
    en: str


def shown(text: str) -> str:
    """`text` for a message: at most 40 characters, control characters as blanks."""
    if len(text) <= _SHOWN_CHARACTERS and text.isprintable():
        return text
    cleaned = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text[: _SHOWN_CHARACTERS + 1])
    return cleaned if len(cleaned) <= _SHOWN_CHARACTERS else f"{cleaned[:_SHOWN_CHARACTERS]}…"


def is_blank(text: str) -> bool:
    """Whether there is no visible character: XML white space, separators (Z) and others (C) only."""
    return all(c in _XML_SPACE or unicodedata.category(c)[0] in "ZC" for c in text)


def value_faults(field: Field, text: str, place: Place) -> Iterator[Fault]:
    """Every facet of `field` that `text` breaks."""
    found = "***" if field.name in SECRET else shown(text)
    for code, rule, zh, en in _CHECKS[field.xs_type](field, text, found):
        name = f"{place.field} ({found!r})"
        yield Fault(code, place.field, "reject", f"{place.label}{zh}", f"{name} {en}", place.xpath, place.line, rule)


def _string(field: Field, text: str, found: str) -> Iterator[_Text]:
    limit = field.max_length
    if limit is not None and len(text) > limit:
        over = len(text) - limit
        yield _Text(
            "XSD_LENGTH",
            "maxLength",
            f"有 {len(text)} 个字符，最多 {limit} 个，超出 {over} 个；请在来源缩短，网关不会截断",
            f"has {len(text)} characters, {over} more than the {limit} allowed; shorten it, nothing is cut off here",
        )
    if not field.pattern:
        return
    if field.is_required and is_blank(text):
        yield _Text("XSD_BLANK", "pattern", "为必填，不得为空白", "is required and may not be blank")
    elif limit is None and not re.fullmatch(field.pattern, text):
        yield _Text(
            "XSD_PATTERN",
            "pattern",
            f"的值“{found}”格式不对，应为{field.facets.zh}",
            f"does not have the form {field.pattern}",
        )


def _code(field: Field, text: str, found: str) -> Iterator[_Text]:
    if text in field.codes:
        return
    listed_zh = "、".join(f"{code} {label}" for code, label in field.codes.items())
    listed_en = ", ".join(field.codes)
    near = text.strip().upper()
    hint_zh, hint_en = (f"；应写作 {near}", f"; write {near}") if near in field.codes else ("", "")
    yield _Text(
        "XSD_CODE",
        "enumeration",
        f"的值“{found}”不在代码表“{field.facets.zh}”中{hint_zh}；允许：{listed_zh}",
        f"is not in the code list {field.type_name}{hint_en}; allowed: {listed_en}",
    )


def _is_day(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    try:
        date(*map(int, match.groups()))
    except ValueError:
        return False
    return True


def _date_time(_field: Field, text: str, found: str) -> Iterator[_Text]:
    day, _, rest = text.strip(_XML_SPACE).partition("T")
    clock = rest.removesuffix("+08:00")
    if _is_day(day) and _TIME.fullmatch(clock) and rest.endswith("+08:00"):
        return
    is_zone_only = _is_day(day) and bool(_TIME.fullmatch(re.sub(r"(?:Z|[+-][0-9]{2}:[0-9]{2})\Z", "", rest)))
    why_zh, why_en = ("必须以 +08:00 结尾", "has to end in +08:00") if is_zone_only else ("", "")
    yield _Text(
        "XSD_TYPE",
        "dateTime",
        f"的值“{found}”不是有效时间{why_zh and '：' + why_zh}；应如 2010-03-01T09:30:00+08:00",
        f"is not a valid time{why_en and ': it ' + why_en}; expected is, for example, 2010-03-01T09:30:00+08:00",
    )


def _day(_field: Field, text: str, found: str) -> Iterator[_Text]:
    if not _is_day(text.strip(_XML_SPACE)):
        yield _Text(
            "XSD_TYPE",
            "date",
            f"的值“{found}”不是有效日期；应如 2010-03-01",
            "is not a valid date; expected is, for example, 2010-03-01",
        )


def _integer(field: Field, text: str, found: str) -> Iterator[_Text]:
    digits = text.strip(_XML_SPACE)
    if not _INTEGER.fullmatch(digits):
        yield _Text("XSD_TYPE", "integer", f"的值“{found}”不是整数", "is not a whole number")
        return
    low, high = field.facets.min_value, field.facets.max_value
    number = Decimal(digits)
    if (low is not None and number < low) or (high is not None and number > high):
        yield _Text(
            "XSD_RANGE",
            "minInclusive" if low is not None and number < low else "maxInclusive",
            f"的值“{found}”超出范围，允许 {low} 至 {high}",
            f"is out of range; allowed is {low} to {high}",
        )


def _decimal(field: Field, text: str, found: str) -> Iterator[_Text]:
    digits = text.strip(_XML_SPACE)
    if not _DECIMAL.fullmatch(digits):
        yield _Text(
            "XSD_TYPE", "decimal", f"的值“{found}”不是数字；不得有千位逗号或单位", "is not a number; no comma, no unit"
        )
        return
    whole, _, fraction = digits.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    total, places = field.facets.total_digits, field.facets.fraction_digits
    if places is not None and len(fraction) > places:
        yield _Text(
            "XSD_RANGE", "fractionDigits", f"的值“{found}”小数超过 {places} 位", f"has more than {places} decimals"
        )
    if total is not None and len(whole) + len(fraction) > total:
        yield _Text("XSD_RANGE", "totalDigits", f"的值“{found}”超过 {total} 位数字", f"has more than {total} digits")


_CHECKS: Final = {
    "string": _string,
    "code": _code,
    "dateTime": _date_time,
    "date": _day,
    "integer": _integer,
    "decimal": _decimal,
}
