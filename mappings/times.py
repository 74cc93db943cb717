"""Functions that make dates and times. Local time of the platforms is +08:00; 1900-01-01 stands for null everywhere.

Standard §1 conventions (wire form), §3.1.2 (1900-01-01), §5.2.6 (spellings seen).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.outcome import Context, Outcome, Run

LOCAL: Final = timezone(timedelta(hours=8))
_NULL_DATE: Final = date(1900, 1, 1)

_SPELLED: Final = re.compile(
    r"(?P<year>[0-9]{4})(?P<mark>[-/.年])(?P<month>[0-9]{1,2})(?:(?P=mark)|月)(?P<day>[0-9]{1,2})日?"
    r"(?:(?:T| +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r" *(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_COMPACT: Final = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?:(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2}))?"
)
_GMT: Final = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(?P<day>[0-9]{1,2}) (?P<month>[A-Z][a-z]{2}) (?P<year>[0-9]{4}) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}) (?P<zone>GMT)"
)
_MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_EXPECTED_ZH: Final = "不是能识别的日期时间，应如 2010-03-01 02:03:04"
_EXPECTED_EN: Final = "not a date and time that is known, e.g. 2010-03-01 02:03:04"


def parse_time(text: str) -> datetime | None:
    """The local time that `text` names, naive when it names no zone, or None when it cannot be read.

    Reads `2014-9-19 14:10:10` (padded or not, `-`, `/`, `.` or 年月日, with `T`, without seconds, without a time, with
    a fraction, `Z` or an offset), `20140919`, `20140919141010` and `19 Sep 2014 06:10:10 GMT`. A day without a time
    is 00:00:00. A fraction finer than a microsecond is read only when nothing is lost.
    """
    match = _SPELLED.fullmatch(text) or _COMPACT.fullmatch(text) or _GMT.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    month = _MONTHS.get(part["month"]) or part["month"]
    fraction = (part.get("fraction") or "").ljust(6, "0")
    if fraction[6:].strip("0"):
        return None
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    try:
        day = date(int(part["year"]), int(month), int(part["day"]))
        clock = time(hour, minute, second, int(fraction[:6]), tzinfo=_zone(part.get("zone")))
    except ValueError:
        return None
    return datetime.combine(day, clock)


def _zone(name: str | None) -> timezone | None:
    if name is None:
        return None
    if name in ("Z", "GMT"):
        return timezone(timedelta())
    sign = -1 if name[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(name[1:3]), minutes=int(name[-2:])))


def build_datetime(arguments: Mapping[str, object], context: Context) -> Run:
    """`datetime`: date-time objects and text → `xs:dateTime` with +08:00; 1900-01-01 → absent."""
    del arguments

    def run(value: object) -> Outcome:
        if value.__class__ is datetime and value.tzinfo is None and value.year > 1900:
            return f"{value.isoformat()}+08:00"
        moment = parse_time(value) if isinstance(value, str) else value
        if moment.__class__ is date:
            moment = datetime.combine(moment, time())
        if not isinstance(moment, datetime):
            return context.reject("MAP_DATE", value, zh=_EXPECTED_ZH, en=_EXPECTED_EN)
        try:
            moment = moment if moment.tzinfo is None else moment.astimezone(LOCAL).replace(tzinfo=None)
        except OverflowError:  # after the year 9999 here
            return context.reject("MAP_DATE", value, zh=_EXPECTED_ZH, en=_EXPECTED_EN)
        return "" if moment.year == 1900 and moment.date() == _NULL_DATE else f"{moment.isoformat()}+08:00"

    return run


def build_date(arguments: Mapping[str, object], context: Context) -> Run:
    """`date`: date objects and text → `xs:date`; a time of day other than 00:00:00 rejects; 1900-01-01 → absent."""
    moment_of = build_datetime(arguments, context)

    def run(value: object) -> Outcome:
        text = moment_of(value)
        if not isinstance(text, str) or not text:
            return text
        day, _, clock = text.partition("T")
        if clock != "00:00:00+08:00":
            zh, en = "这里只要日期，却带有时刻", "a date is expected here, and this has a time of day"
            return context.reject("MAP_DATE", value, zh=zh, en=en)
        return day

    return run
