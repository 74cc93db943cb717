"""Rules of one record: which there are, how severe each is, and the plan that runs them (standard §3).

Only what cannot be used at all is rejected; everything else is flagged and published. Rules between records (order of
a case, pairing, suspension) are the core's and are not here. A plan holds, for one kind, only the checks that can
find something in it; it is made once at start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from bus.errors import ConfigurationError
from xsd import catalogue, checks, identity_checks, structure_checks
from xsd.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.message import Fault, Severity
    from xsd.catalogue import KindSchema
    from xsd.finding import Check, Maker, Moment

Setting = Literal["reject", "flag", "off"]


class Rule(NamedTuple):
    """One rule.

    Attributes:
        name: how a profile and a fault name it; the fault's code is `RULE_<name>`.
        severity: unless a profile says otherwise.
        zh, en: what it demands, for people.
        make: gives the check for one kind, or None when the kind has nothing to check.
    """

    name: str
    severity: Severity
    zh: str
    en: str
    make: Maker


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "BUSINESS_KEY",
        "reject",
        "申办流水号和序号能识别案件，不是“无”之类的占位",
        "application number and sequence number identify the case: no placeholder",
        checks.business_key,
    ),
    Rule(
        "FUTURE_DATE",
        "reject",
        "时间不得晚于当前时间（网关与来源时钟中较晚者）5 分钟以上；承诺办结日期与备用日期除外",
        "no time is more than 5 minutes after the later of our and the source's clock; due and reserved dates may be",
        checks.future_date,
    ),
    Rule(
        "REGION",
        "flag",
        "行政区划代码是佛山市现行代码：440600、440601、440604 至 440608；补位只能是 0",
        "the region is a code of Foshan in force; padding is zeros",
        checks.region,
    ),
    Rule(
        "PLACEHOLDER",
        "flag",
        "必填字段不得填“无”“暂无”“/”“null”“默认”“0”或 1900-01-01",
        "a required field holds no stand-in for a missing value",
        checks.placeholder,
    ),
    Rule(
        "CONDITIONAL",
        "flag",
        "不受理须有原因；补交补正须有说明；退回、作废、删除须有原因；出证办结须有证件名称、编号、发证单位、收费金额和单位",
        "what the status or result code demands is there: reason, note, certificate, fee",
        checks.conditional,
    ),
    Rule(
        "CONTACT",
        "flag",
        "受理记录的联系电话与经办人手机不得同时为空",
        "an acceptance has a telephone or a mobile number",
        checks.contact,
    ),
    Rule(
        "LIMIT",
        "flag",
        "特别程序 A 的时限为 1 至 10 日（多部门联合办理至 15 日）；有时限须有单位",
        "a suspension of type A lasts 1 to 10 days (15 when handled jointly); a limit has its unit",
        checks.limit,
    ),
    Rule(
        "DATE_ORDER",
        "flag",
        "承诺办结日期不早于受理日期",
        "the promised due date is not before the acceptance",
        checks.date_order,
    ),
    Rule(
        "ORG_CODE",
        "flag",
        "9 位组织机构代码的校验位正确（GB 11714）",
        "an organisation code of 9 characters has the right check digit (GB 11714)",
        identity_checks.org_code,
    ),
    Rule(
        "USCC",
        "flag",
        "18 位统一社会信用代码的校验位正确（GB 32100）",
        "a unified social credit code has the right check digits (GB 32100)",
        identity_checks.uscc,
    ),
    Rule(
        "ID_CARD",
        "flag",
        "居民身份证号码为 18 位或 15 位，日期存在，校验位正确（GB 11643）",
        "an identity number has 18 or 15 digits, a real date and the right check digit (GB 11643)",
        identity_checks.id_card,
    ),
    Rule(
        "ANACHRONISM",
        "flag",
        "统一社会信用代码 2015-10-01 起才有；15 位身份证号码用到 2012-12-31",
        "credit codes exist from 2015-10-01 on, identity numbers of 15 digits until 2012-12-31",
        identity_checks.anachronism,
    ),
    Rule(
        "ID_TYPE",
        "flag",
        "个人的证件类型为 10 至 40，企业的为 49 至 80",
        "the type of identity document fits the type of applicant",
        identity_checks.id_type,
    ),
    Rule(
        "PHONE",
        "flag",
        "电话为“区号-号码-分机”：区号 3 至 4 位，号码 6 至 8 位，分机 1 至 4 位；或手机号码",
        "a telephone number is area-number-extension, or a mobile number",
        checks.phone,
    ),
    Rule("MOBILE", "flag", "手机为 11 位，以 13 至 19 开头", "a mobile number has 11 digits", checks.mobile),
    Rule("EMAIL", "flag", "邮箱形如 name@host.domain", "an e-mail address has the form name@host.domain", checks.email),
    Rule(
        "IDENTIFIER",
        "flag",
        "申办流水号与事项编码符合统一结构，其中的组织机构代码、日期有效并与记录一致",
        "application number and item code have the known structure and fit each other and the date",
        structure_checks.identifier,
    ),
    Rule("AMOUNT", "flag", "金额不为负数", "an amount of money is not negative", checks.amount),
    Rule("QUERY_PASSWORD", "flag", "查询密码只由数字组成", "the query password is digits only", checks.query_password),
)

#: Names that a profile may use; DIVISION works only where the validator was told the division.
NAMES: Final = (*(rule.name for rule in RULES), "DIVISION")


class Plan:
    """The checks of one kind, in the order of `RULES`."""

    def __init__(self, found: tuple[Check, ...]) -> None:
        self._checks = found

    def run(self, fields: Mapping[str, str], moment: Moment) -> list[Fault]:
        """Everything that the checks find in one record; [] when nothing."""
        faults: list[Fault] = []
        for check in self._checks:
            found = check(fields, moment)
            if found:
                faults += found
        return faults


def plans(profile: Mapping[str, Setting], *, division: str | None = None) -> Mapping[str, Plan]:
    """One plan a kind.

    Args:
        profile: rule name → what this source does with it; a rule not named keeps its own severity.
        division: the source's own; a record of another one is rejected (rule DIVISION). None: not asked here.

    Raises:
        ConfigurationError: unknown rule or setting; every one is listed, with the known names.
    """
    _check_profile(profile)
    rules = list(RULES)
    if division is not None:
        make = checks.division_of(division)
        text = f"行政区划属于来源所在的 {division}", f"the region belongs to the source's own division {division}"
        rules.append(Rule("DIVISION", "reject", *text, make))
    return {kind: _plan(schema, rules, profile) for kind, schema in catalogue.load().kinds.items()}


def _plan(schema: KindSchema, rules: list[Rule], profile: Mapping[str, Setting]) -> Plan:
    made: list[Check] = []
    for rule in rules:
        severity = profile.get(rule.name, rule.severity)
        if severity != "off":
            check = rule.make(schema, Finding(f"RULE_{rule.name}", rule.name, severity, schema))
            if check is not None:
                made.append(check)
    return Plan(tuple(made))


def _check_profile(profile: Mapping[str, Setting]) -> None:
    problems = [
        f"rules: {name}: unknown rule; known are {', '.join(sorted(NAMES))}" for name in profile if name not in NAMES
    ]
    problems += [
        f"rules: {name}: unknown setting {setting!r}; allowed are reject, flag, off"
        for name, setting in profile.items()
        if setting not in ("reject", "flag", "off")
    ]
    if problems:
        raise ConfigurationError(problems)
