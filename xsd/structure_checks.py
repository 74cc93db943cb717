"""The structure of application numbers and item codes, and what they embed (standard §3.2)."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from xsd.identifiers import is_calendar_day, is_org_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.message import Fault
    from xsd.catalogue import KindSchema
    from xsd.finding import Check, Finding, Moment

_APPLICATION_29: Final = re.compile(r"([0-9A-Z]{9})([0-9A-Z]{9})[0-9]([0-9]{6})[0-9]{4}").fullmatch
_APPLICATION_28: Final = re.compile(r"[0-9]{6}([0-9A-Z]{9})([0-9]{6})[0-9]{7}").fullmatch
_APPLICATION_24: Final = re.compile(r"[A-Za-z]{2}([0-9A-Z]{9})([0-9]{6})[01][0-9]{6}").fullmatch
_APPLICATION_LOCAL: Final = re.compile(r"4406[0-9]{2}-.+").fullmatch
_ITEM_26: Final = re.compile(r"([0-9A-Z]{9})([0-9A-Z]{9})[0-9]{8}").fullmatch
_ITEM_OLD: Final = re.compile(r"[0-9]{6}([0-9A-Z]{9})[0-9A-Z]{3,}").fullmatch

#: (zh, en) of one thing wrong with an identifier.
_UNKNOWN: Final = "不符合已知的编码结构", "has no known structure"
_WRONG_ORG: Final = "所含组织机构代码校验位不符", "embeds an organisation code with a wrong check digit"
_WRONG_DAY: Final = "所含日期不存在", "embeds a day that does not exist"
_OTHER_ITEM: Final = "开头的事项与机构和事项编码不一致", "begins with another item or organisation than the item code"
_OTHER_DAY: Final = "所含日期与申办时间相差超过 1 天", "embeds a day more than one day from the time of application"


class Structure(NamedTuple):
    """What an identifier says by itself.

    Attributes:
        prefix: item and organisation, comparable between item code and application number; "" when there is none.
        day: embedded day as YYYYMMDD, "" when the form has none.
        wrong: (zh, en) of everything wrong with it.
    """

    prefix: str = ""
    day: str = ""
    wrong: tuple[tuple[str, str], ...] = ()


def _structure(org: str, *, prefix: str = "", day: str = "") -> Structure:
    wrong = [] if is_org_code(org) else [_WRONG_ORG]
    if day and not is_calendar_day(day):
        wrong.append(_WRONG_DAY)
    return Structure(prefix, day, tuple(wrong))


@lru_cache(maxsize=1_024)
def application_structure(text: str) -> Structure:
    """Of an application number: 29, 28 or 24 characters, or `<division>-<number of its own>`."""
    if match := _APPLICATION_29(text):
        item, org, day = match.groups()
        return _structure(org, prefix=item + org, day=f"20{day}")
    if match := _APPLICATION_28(text) or _APPLICATION_24(text):
        return _structure(match[1], day=f"20{match[2]}")
    return Structure() if _APPLICATION_LOCAL(text) else Structure(wrong=(_UNKNOWN,))


@lru_cache(maxsize=1_024)
def item_structure(text: str) -> Structure:
    """Of an item code: 26 characters, or the first generation's 18 and more."""
    if match := _ITEM_26(text):
        return _structure(match[2], prefix=match[1] + match[2])
    if match := _ITEM_OLD(text):
        return _structure(match[1])
    return Structure(wrong=(_UNKNOWN,))


@lru_cache(maxsize=1_024)
def _ordinal(yyyymmdd: str) -> int:
    """Number of the day; 0 when it is none."""
    if not is_calendar_day(yyyymmdd):
        return 0
    return date(int(yyyymmdd[:4]), int(yyyymmdd[4:6]), int(yyyymmdd[6:])).toordinal()


def _is_near(day: str, time: str) -> bool:
    """Whether `day` is at most one day from that of `time`; True when either is no day (another fault says so)."""
    embedded, applied = _ordinal(day), _ordinal(time[:10].replace("-", ""))
    return not embedded or not applied or abs(embedded - applied) <= 1


def identifier(schema: KindSchema, finding: Finding) -> Check:
    """Application number and item code have a known structure; what they embed is right and agrees."""
    is_application = schema.kind == "SB"

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        number, item = fields.get("applicationNo", ""), fields.get("itemCode", "")
        prefix, day, wrong = application_structure(number)
        item_prefix, _, wrong_item = item_structure(item)
        if prefix and item_prefix and prefix != item_prefix:
            wrong = (*wrong, _OTHER_ITEM)
        if is_application and not _is_near(day, fields.get("appliedAt", "")):
            wrong = (*wrong, _OTHER_DAY)
        if not wrong and not wrong_item:
            return None
        faults = [finding.fault("applicationNo", value=number, zh=zh, en=en) for zh, en in wrong]
        return faults + [finding.fault("itemCode", value=item, zh=zh, en=en) for zh, en in wrong_item]

    return check
