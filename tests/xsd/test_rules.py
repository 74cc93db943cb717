"""Rules of one record: what each finds, what it leaves alone, how severe it is, how a profile changes that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bus.errors import ConfigurationError
from bus.message import ROOTS
from tests.xsd.samples import NOW, fields_of
from xsd.finding import Moment
from xsd.rules import NAMES, RULES, plans

if TYPE_CHECKING:
    from bus.message import Fault

PLANS = plans({})


def found(kind: str, /, **changes: str | None) -> list[tuple[str, str]]:
    """(rule, field) of everything found in a changed sample."""
    return [(fault.rule, fault.field) for fault in run(kind, **changes)]


def run(kind: str, /, **changes: str | None) -> list[Fault]:
    return PLANS[kind].run(fields_of(kind, **changes), Moment.of(NOW))


@pytest.mark.parametrize("kind", ROOTS)
def test_a_clean_record_has_no_fault(kind: str) -> None:
    assert run(kind) == []


@pytest.mark.parametrize("kind", ROOTS)
def test_a_record_without_any_field_breaks_no_check(kind: str) -> None:
    rules = {fault.rule for fault in PLANS[kind].run({}, Moment.of(NOW))}
    assert rules <= {"IDENTIFIER", "CONTACT"}


def test_severities_are_the_settled_ones() -> None:
    assert {rule.name for rule in RULES if rule.severity == "reject"} == {"BUSINESS_KEY", "FUTURE_DATE"}
    assert plans({}, division="440604")["SL"].run(fields_of("SL", regionCode="440605"), Moment.of(NOW))[0].severity == (
        "reject"
    )


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("SL", {"applicationNo": "无"}, ("BUSINESS_KEY", "applicationNo")),
        ("TBCXSQ", {"seq": "无"}, ("BUSINESS_KEY", "seq")),
        ("SL", {"acceptedAt": "2010-03-20T16:05:01+08:00"}, ("FUTURE_DATE", "acceptedAt")),
        ("TBCXJG", {"endedAt": "2011-01-01T00:00:00+08:00"}, ("FUTURE_DATE", "endedAt")),
        ("SL", {"acceptedAt": " 2011-01-01T00:00:00+08:00"}, ("FUTURE_DATE", "acceptedAt")),
        ("SL", {"regionCode": "440682"}, ("REGION", "regionCode")),
        ("SL", {"regionCode": "440604000001"}, ("REGION", "regionCode")),
        ("SL", {"handlerName": "无"}, ("PLACEHOLDER", "handlerName")),
        ("SPCL", {"postCode": "/"}, ("PLACEHOLDER", "postCode")),
        ("SPCL", {"opinion": "null"}, ("PLACEHOLDER", "opinion")),
        ("BJ", {"completedAt": "1900-01-01T00:00:00+08:00"}, ("PLACEHOLDER", "completedAt")),
        ("SL", {"acceptStatus": "2"}, ("CONDITIONAL", "refuseReason")),
        ("SL", {"acceptStatus": "2", "refuseReason": "无"}, ("CONDITIONAL", "refuseReason")),
        ("YSL", {"preStatus": "2"}, ("CONDITIONAL", "refuseReason")),
        ("YSL", {"preStatus": "3"}, ("CONDITIONAL", "supplementNote")),
        *(("BJ", {"resultCode": code}, ("CONDITIONAL", "voidReason")) for code in "123"),
        *(
            ("BJ", {name: None}, ("CONDITIONAL", name))
            for name in ("certificateName", "certificateNo", "issuingOrg", "fee", "currency")
        ),
        ("SL", {"phone": None}, ("CONTACT", "phone")),
        ("SL", {"phone": "无", "agentMobile": "无"}, ("CONTACT", "phone")),
        ("TBCXSQ", {"limitValue": "0"}, ("LIMIT", "limitValue")),
        ("TBCXSQ", {"limitValue": "11"}, ("LIMIT", "limitValue")),
        ("TBCXSQ", {"limitValue": "16"}, ("LIMIT", "limitValue")),
        ("SL", {"limitUnit": None}, ("LIMIT", "limitUnit")),
        ("SL", {"promisedLimitValue": "5"}, ("LIMIT", "promisedLimitUnit")),
        ("SPCL", {"stageLimitValue": "5"}, ("LIMIT", "stageLimitUnit")),
        ("SL", {"promisedDueDate": "2010-02-28"}, ("DATE_ORDER", "promisedDueDate")),
        ("SL", {"deptOrgCode": "006988575"}, ("ORG_CODE", "deptOrgCode")),
        ("SL", {"providerOrgCode": "123456789"}, ("ORG_CODE", "providerOrgCode")),
        ("SL", {"applicantIdType": "50", "applicantIdNo": "无"}, ("ORG_CODE", "applicantIdNo")),
        ("SL", {"applicantType": "2", "applicantIdNo": "006988575"}, ("ORG_CODE", "applicantIdNo")),
        ("LQDJ", {"collectorIdType": "50"}, ("ORG_CODE", "collectorIdNo")),
        (
            "SL",
            {"deptOrgCode": "91350100M000100Y44", "acceptedAt": "2016-01-01T00:00:00+08:00"},
            ("USCC", "deptOrgCode"),
        ),
        ("LQDJ", {"collectorIdType": "49", "collectorIdNo": "1"}, ("USCC", "collectorIdNo")),
        ("LQDJ", {"collectorIdType": "51", "collectorIdNo": "91350100M000100Y44"}, ("USCC", "collectorIdNo")),
        ("SL", {"applicantType": "2", "applicantIdNo": "91350100M000100Y44"}, ("USCC", "applicantIdNo")),
        ("SB", {"applicantIdNo": "110105194912310021"}, ("ID_CARD", "applicantIdNo")),
        ("SB", {"applicantIdNo": "暂无"}, ("ID_CARD", "applicantIdNo")),
        ("SB", {"contactIdType": "10", "contactIdNo": "1"}, ("ID_CARD", "contactIdNo")),
        ("SL", {"applicantType": "1", "applicantIdNo": "110105194912310021"}, ("ID_CARD", "applicantIdNo")),
        ("SL", {"deptOrgCode": "91350100M000100Y43"}, ("ANACHRONISM", "deptOrgCode")),
        ("LQDJ", {"collectorIdType": "49", "collectorIdNo": "91350100M000100Y43"}, ("ANACHRONISM", "collectorIdNo")),
        ("LQDJ", {"collectedAt": "2013-01-01T00:00:00+08:00"}, ("ANACHRONISM", "collectorIdNo")),
        ("SB", {"applicantIdType": "50", "applicantIdNo": "006988574"}, ("ID_TYPE", "applicantIdType")),
        ("SB", {"applicantType": "2"}, ("ID_TYPE", "applicantIdType")),
        ("SL", {"phone": "0757-823456789"}, ("PHONE", "phone")),
        ("SB", {"applicantPhone": "打前台电话"}, ("PHONE", "applicantPhone")),
        ("TBCXSQ", {"approverPhone": "1"}, ("PHONE", "approverPhone")),
        ("SB", {"contactMobile": "12800138000"}, ("MOBILE", "contactMobile")),
        ("SL", {"agentMobile": "1380013800"}, ("MOBILE", "agentMobile")),
        ("SB", {"contactEmail": "a@b"}, ("EMAIL", "contactEmail")),
        ("SL", {"agentEmail": "a b@c.cn"}, ("EMAIL", "agentEmail")),
        ("SL", {"applicationNo": "12345"}, ("IDENTIFIER", "applicationNo")),
        ("SL", {"applicationNo": "4406040069885751003011000123"}, ("IDENTIFIER", "applicationNo")),
        ("SL", {"applicationNo": "10131300500698857411002301687"}, ("IDENTIFIER", "applicationNo")),
        ("SL", {"applicationNo": "10028400000699455211003010001"}, ("IDENTIFIER", "applicationNo")),
        ("SB", {"applicationNo": "10131300500698857411002271687"}, ("IDENTIFIER", "applicationNo")),
        ("SL", {"itemCode": "4406"}, ("IDENTIFIER", "itemCode")),
        ("SL", {"itemCode": "440604006988575001"}, ("IDENTIFIER", "itemCode")),
        ("BJ", {"fee": "-0.01"}, ("AMOUNT", "fee")),
        ("TBCXJG", {"fee": "-5"}, ("AMOUNT", "fee")),
        ("SL", {"queryPassword": "abc"}, ("QUERY_PASSWORD", "queryPassword")),
    ],
)
def test_each_rule_finds_its_fault(kind: str, changes: dict[str, str | None], expected: tuple[str, str]) -> None:
    faults = [fault for fault in run(kind, **changes) if (fault.rule, fault.field) == expected]
    assert len(faults) == 1
    (fault,) = faults
    assert fault.code == f"RULE_{expected[0]}"
    assert fault.xpath == f"/{ROOTS[kind]}/{expected[1]}"
    assert fault.severity == ("reject" if expected[0] in ("BUSINESS_KEY", "FUTURE_DATE") else "flag")
    assert expected[1] in fault.zh
    assert expected[1] in fault.en


def test_the_whole_table_above_covers_every_rule() -> None:
    marks = test_each_rule_finds_its_fault.pytestmark  # type: ignore[attr-defined]
    covered = {expected[0] for _, _, expected in marks[0].args[1]}
    assert covered == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("SL", {"acceptedAt": "2010-03-20T16:05:00+08:00", "promisedDueDate": None}),
        ("SL", {"promisedDueDate": "2099-01-01", "reservedD": "2099-01-01"}),
        ("SL", {"regionCode": "440605000000"}),
        ("BZGZ", {"seq": "0"}),
        ("SL", {"remark": "无", "businessNo": "123456789"}),
        ("SL", {"acceptStatus": "2", "refuseReason": "不属于受理范围"}),
        ("BJ", {"resultCode": "6", "certificateNo": None, "certificateName": None, "issuingOrg": None}),
        ("BJ", {"fee": "0"}),
        ("BJ", {"fee": "-0.00"}),
        ("SL", {"phone": None, "agentMobile": "13800138000"}),
        ("SL", {"phone": "82345678"}),
        ("SL", {"phone": "020-82345678-1234"}),
        ("SL", {"phone": "13800138000"}),
        ("SL", {"agentEmail": "无"}),
        ("TBCXSQ", {"specialType": "B", "limitValue": "0"}),
        ("TBCXSQ", {"limitValue": "1"}),
        ("TBCXSQ", {"limitValue": "十"}),
        ("SL", {"limitValue": "0", "limitUnit": None}),
        ("SL", {"promisedDueDate": "2010-03-01"}),
        (
            "SL",
            {"deptOrgCode": "91350100M000100Y43", "acceptedAt": "2015-10-01T00:00:00+08:00", "promisedDueDate": None},
        ),
        ("SL", {"applicantType": "2", "applicantIdNo": "440600000012345"}),
        ("SL", {"applicantType": "9", "applicantIdNo": "1"}),
        ("LQDJ", {"collectorIdType": "51", "collectorIdNo": "440600000012345"}),
        ("LQDJ", {"collectorIdType": "20", "collectorIdNo": "G12345678"}),
        ("SB", {"applicantType": "9", "applicantIdType": "20", "applicantIdNo": "G1"}),
        ("SL", {"applicationNo": "440604-2010000123"}),
        ("SL", {"applicationNo": "4406040069885741003011000123"}),
        ("SL", {"applicationNo": "gz0069885741003011000123"}),
        ("SL", {"itemCode": "440604006988574001"}),
        ("SB", {"applicationNo": "10131300500698857411002281687"}),
        ("SB", {"appliedAt": "2010-02-30T00:00:00+08:00"}),
    ],
)
def test_what_is_right_is_left_alone(kind: str, changes: dict[str, str | None]) -> None:
    late = datetime(2020, 1, 1, tzinfo=UTC) if "2015-10" in str(changes) else NOW
    assert PLANS[kind].run(fields_of(kind, **changes), Moment.of(late)) == []


def test_now_is_compared_in_beijing_time_with_five_minutes_of_skew() -> None:
    plan, at = PLANS["SL"], datetime(2010, 3, 1, 1, 25, tzinfo=UTC)
    fields = fields_of("SL")  # 09:30 in Beijing
    assert plan.run(fields, Moment.of(at)) == []
    (fault,) = plan.run(fields, Moment.of(at - timedelta(seconds=1)))
    assert "2010-03-01 09:29:59" in fault.zh


def test_the_secret_is_not_shown() -> None:
    (fault,) = run("SL", queryPassword="geheim")
    assert "geheim" not in fault.zh + fault.en


def test_division_is_judged_only_when_told() -> None:
    own = plans({}, division="440604")["SL"]
    city = plans({}, division="440600")["SL"]
    moment = Moment.of(NOW)
    assert own.run(fields_of("SL", regionCode="440604000000"), moment) == []
    (fault,) = own.run(fields_of("SL", regionCode="440605"), moment)
    assert (fault.code, fault.field, fault.severity) == ("RULE_DIVISION", "regionCode", "reject")
    assert city.run(fields_of("SL", regionCode="440601"), moment) == []
    assert own.run(fields_of("SL", regionCode=None), moment) == []


def test_a_profile_raises_lowers_and_switches_off() -> None:
    strict = plans({"ORG_CODE": "reject", "FUTURE_DATE": "flag", "CONTACT": "off"})["SL"]
    fields = fields_of("SL", deptOrgCode="006988575", phone=None, acceptedAt="2020-01-01T00:00:00+08:00")
    fields.pop("promisedDueDate")
    assert [(f.rule, f.severity) for f in strict.run(fields, Moment.of(NOW))] == [
        ("FUTURE_DATE", "flag"),
        ("ORG_CODE", "reject"),
    ]


def test_unknown_rules_and_settings_stop_the_start_all_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        plans({"ORG": "flag", "PHONE": "warn", "USCC": "off"})  # type: ignore[dict-item]
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].startswith("rules: ORG: unknown rule; known are AMOUNT, ANACHRONISM")
    assert "DIVISION" in NAMES
    assert caught.value.problems[1] == "rules: PHONE: unknown setting 'warn'; allowed are reject, flag, off"
