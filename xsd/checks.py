"""What each rule of one record looks at. A maker gets a kind and gives a check closed over that kind's own fields.

A check decides nothing about the kind: that was done when it was made. It returns None unless it finds something, and
looks at as little as it can: all checks of one record together have 8 µs. Clauses: standard §3.1 and §3.4.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from xsd.finding import ABSENT, PLACEHOLDERS, present

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bus.message import Fault
    from xsd.catalogue import KindSchema
    from xsd.finding import Check, Finding, Maker, Moment

    Matches = Callable[[str], re.Match[str] | None]

#: The codes of Foshan in force since 2002 (standard §2, XZQHDM).
REGIONS: Final = ("440600", "440601", "440604", "440605", "440606", "440607", "440608")
_PADDED_REGIONS: Final = frozenset(code + "0" * zeros for code in REGIONS for zeros in range(7))
_KEY_PLACEHOLDERS: Final = PLACEHOLDERS - {"0"}  # a sequence number may be 0

#: kind → (code field, its value → fields that it demands), standard §3.4 "Conditional".
CONDITIONS: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]]] = {
    "YSL": ("preStatus", {"2": ("refuseReason",), "3": ("supplementNote",)}),
    "SL": ("acceptStatus", {"2": ("refuseReason",)}),
    "BJ": (
        "resultCode",
        {
            "0": ("certificateName", "certificateNo", "issuingOrg", "fee", "currency"),
            **dict.fromkeys("123", ("voidReason",)),
        },
    ),
}
_LIMITS: Final = (
    ("limitValue", "limitUnit"),
    ("promisedLimitValue", "promisedLimitUnit"),
    ("stageLimitValue", "stageLimitUnit"),
)
_MAX_ALONE, _MAX_JOINT = 10, 15  # days of a suspension of type A

_is_mobile = re.compile(r"1[3-9][0-9]{9}").fullmatch
_is_phone = re.compile(r"(?:[0-9]{3,4}-)?[0-9]{6,8}(?:-[0-9]{1,4})?|1[3-9][0-9]{9}").fullmatch
_is_email = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+").fullmatch


def business_key(schema: KindSchema, finding: Finding) -> Check:
    """The parts of the key identify a case."""
    has_seq = bool(present(schema, ("seq",)))

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        faults = []
        if fields.get("applicationNo") in PLACEHOLDERS:
            faults.append("applicationNo")
        if has_seq and fields.get("seq") in _KEY_PLACEHOLDERS:
            faults.append("seq")
        return [
            finding.fault(name, value=fields[name], zh="是占位，不能识别案件", en="is a placeholder: no key")
            for name in faults
        ] or None

    return check


def division_of(division: str) -> Maker:
    """Maker of the check that a record belongs to `division` (440600 also has 440601, 市辖区)."""
    own = {division, "440601"} if division == "440600" else {division}

    def make(_schema: KindSchema, finding: Finding) -> Check:
        def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
            region = fields.get("regionCode")
            if region is None or region[:6] in own:
                return None
            zh, en = f"不属于本来源的行政区划 {division}", f"is not the source's own division {division}"
            return [finding.fault("regionCode", value=region, zh=zh, en=en)]

        return check

    return make


def future_date(schema: KindSchema, finding: Finding) -> Check:
    """No time of the record is in the future; dates without time (due date, reserved) are exempt."""
    names = tuple(field.name for field in schema.fields if field.xs_type == "dateTime")

    def check(fields: Mapping[str, str], moment: Moment) -> list[Fault] | None:
        latest = moment.latest
        late = [name for name in names if fields.get(name, "").lstrip() > latest]  # XSD lets blanks pass
        if not late:
            return None
        until = latest[:19].replace("T", " ")
        zh, en = f"晚于允许的最迟时间 {until}", f"is later than {until}, the latest time allowed now"
        return [finding.fault(name, value=fields[name], zh=zh, en=en) for name in late]

    return check


def region(_schema: KindSchema, finding: Finding) -> Check:
    """The region is in Foshan's table, alone or padded with zeros."""

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        code = fields.get("regionCode")
        if code is None or code in _PADDED_REGIONS:
            return None
        listed = "、".join(REGIONS)
        zh, en = f"不是佛山现行的行政区划代码（{listed}）", f"is not a code of Foshan in force ({', '.join(REGIONS)})"
        return [finding.fault("regionCode", value=code, zh=zh, en=en)]

    return check


def placeholder(schema: KindSchema, finding: Finding) -> Check:
    """Required texts and times hold no stand-in for a missing value."""
    names = tuple(
        field.name
        for field in schema.fields
        if field.is_required and field.xs_type in ("string", "dateTime") and field.name not in ("applicationNo", "seq")
    )

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        if PLACEHOLDERS.isdisjoint(map(fields.get, names)):
            return None
        zh, en = "是占位，此字段必填", "is a placeholder in a required field"
        found = [name for name in names if fields.get(name) in PLACEHOLDERS]
        return [finding.fault(name, value=fields[name], zh=zh, en=en) for name in found]

    return check


def conditional(schema: KindSchema, finding: Finding) -> Check | None:
    """What the status or result code demands is there."""
    if schema.kind not in CONDITIONS:
        return None
    status, demands = CONDITIONS[schema.kind]
    status_zh = schema.field(status).zh

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        code = fields.get(status, "")
        demanded = demands.get(code)
        if demanded is None:
            return None
        zh, en = f"未填，{status_zh}为 {code} 时必填", f"is missing; {status} {code} demands it"
        return [finding.fault(name, zh=zh, en=en) for name in demanded if fields.get(name) in ABSENT] or None

    return check


def contact(schema: KindSchema, finding: Finding) -> Check | None:
    """An acceptance has a telephone or a mobile number."""
    if schema.kind != "SL":
        return None

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        if fields.get("phone") not in ABSENT or fields.get("agentMobile") not in ABSENT:
            return None
        zh, en = "与经办人手机（agentMobile）同时为空", "and agentMobile are both missing"
        return [finding.fault("phone", zh=zh, en=en)]

    return check


def limit(schema: KindSchema, finding: Finding) -> Check | None:
    """Limits have units; a suspension of type A has a limit that the law allows."""
    pairs = tuple(pair for pair in _LIMITS if len(present(schema, pair)) == 2)
    if not pairs:
        return None
    is_suspension = schema.kind == "TBCXSQ"

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        faults = None
        for value, unit in pairs:
            if fields.get(value, "0") != "0" and unit not in fields:
                zh, en = f"未填，但有时限 {fields[value]}", f"is missing; there is a limit of {fields[value]}"
                faults = [*(faults or ()), finding.fault(unit, zh=zh, en=en)]
        if is_suspension and fields.get("specialType") == "A":
            faults = [*(faults or ()), *_extension(fields.get("limitValue", ""), finding)] or None
        return faults

    return check


def _extension(text: str, finding: Finding) -> list[Fault]:
    """Faults of the limit of a suspension of type A."""
    days = int(text) if text.isascii() and text.isdigit() else _MAX_ALONE  # XSD speaks of what is no number
    if 1 <= days <= _MAX_ALONE:
        return []
    if _MAX_ALONE < days <= _MAX_JOINT:
        zh, en = "超过 10 日，仅多部门联合办理可至 15 日", "is above 10 days: only joint handling may have up to 15"
    else:
        zh, en = "不在允许范围：延长审批为 1 至 15 日", "is out of range: an extension has 1 to 15 days"
    return [finding.fault("limitValue", value=text, zh=zh, en=en)]


def date_order(schema: KindSchema, finding: Finding) -> Check | None:
    """The promised due date is not before the day of acceptance."""
    if schema.kind != "SL":
        return None

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        due = fields.get("promisedDueDate")
        if due is None or due >= fields.get("acceptedAt", "")[:10]:
            return None
        accepted = fields["acceptedAt"][:10]
        zh, en = f"早于受理日期 {accepted}", f"is before the day of acceptance, {accepted}"
        return [finding.fault("promisedDueDate", value=due, zh=zh, en=en)]

    return check


def phone(schema: KindSchema, finding: Finding) -> Check | None:
    """Telephone numbers have their form."""
    names = present(schema, ("phone", "applicantPhone", "approverPhone"))
    words = "不是有效的电话：应为 区号-号码-分机", "is not a telephone number: area-number-extension"
    return _form(names, finding, matches=_is_phone, words=words)


def mobile(schema: KindSchema, finding: Finding) -> Check | None:
    """Mobile numbers have their form."""
    names = present(schema, ("contactMobile", "agentMobile", "approverMobile"))
    words = "不是有效的手机号码：应为 11 位，以 13 至 19 开头", "is not a mobile number of 11 digits from 13 to 19"
    return _form(names, finding, matches=_is_mobile, words=words)


def email(schema: KindSchema, finding: Finding) -> Check | None:
    """E-mail addresses have their form."""
    names = present(schema, ("contactEmail", "agentEmail"))
    return _form(names, finding, matches=_is_email, words=("不是有效的邮箱", "is not an e-mail address"))


def query_password(schema: KindSchema, finding: Finding) -> Check | None:
    """The query password is digits; it is never shown."""
    words = "只应由数字组成", "should be digits only"
    return _form(present(schema, ("queryPassword",)), finding, matches=re.compile("[0-9]+").fullmatch, words=words)


def _form(names: tuple[str, ...], finding: Finding, *, matches: Matches, words: tuple[str, str]) -> Check | None:
    """Every field of `names` that is filled matches."""
    if not names:
        return None
    zh, en = words

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        faults = None
        for name in names:
            value = fields.get(name)
            if value is not None and value not in ABSENT and matches(value) is None:
                faults = [*(faults or ()), finding.fault(name, value=value, zh=zh, en=en)]
        return faults

    return check


def amount(schema: KindSchema, finding: Finding) -> Check | None:
    """No fee is negative."""
    if not present(schema, ("fee",)):
        return None

    def check(fields: Mapping[str, str], _moment: Moment) -> list[Fault] | None:
        fee = fields.get("fee", "")
        if not fee.startswith("-") or not fee.strip("-0."):
            return None
        return [finding.fault("fee", value=fee, zh="为负数", en="is negative")]

    return check
