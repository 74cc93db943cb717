"""Every mapping function: what it makes, and each way in which it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.functions import FUNCTIONS
from mappings.outcome import Context, Flawed, Run, plain, refused, shown
from mappings.times import parse_time
from tests.mappings.builders import function
from xsd.catalogue import load


def fault_of(outcome: object) -> tuple[str, str, str]:
    assert isinstance(outcome, Flawed)
    (fault,) = outcome.faults
    return fault.code, fault.severity, outcome.text


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("2014-9-19 14:10:10", "2014-09-19T14:10:10+08:00"),
        ("2014-09-19T14:10:10", "2014-09-19T14:10:10+08:00"),
        ("2014/9/19 4:05", "2014-09-19T04:05:00+08:00"),
        ("2014.09.19", "2014-09-19T00:00:00+08:00"),
        ("2014年9月19日 14:10:10", "2014-09-19T14:10:10+08:00"),
        ("2014年9月19日", "2014-09-19T00:00:00+08:00"),
        ("20140919", "2014-09-19T00:00:00+08:00"),
        ("20140919141010", "2014-09-19T14:10:10+08:00"),
        ("2014-09-19 14:10:10.5", "2014-09-19T14:10:10.500000+08:00"),
        ("2014-09-19 14:10:10.000000000", "2014-09-19T14:10:10+08:00"),
        ("2014-09-19T06:10:10Z", "2014-09-19T14:10:10+08:00"),
        ("2014-09-19T01:10:10-05:00", "2014-09-19T14:10:10+08:00"),
        ("2014-09-19 14:10:10+0800", "2014-09-19T14:10:10+08:00"),
        ("19 Sep 2014 06:10:10 GMT", "2014-09-19T14:10:10+08:00"),
        ("Fri, 19 Sep 2014 06:10:10 GMT", "2014-09-19T14:10:10+08:00"),
        ("1900-01-01", ""),
        ("1900-1-1 00:00:00", ""),
        ("1899-12-31", "1899-12-31T00:00:00+08:00"),
        (datetime(2010, 3, 1, 2, 3, 4), "2010-03-01T02:03:04+08:00"),  # noqa: DTZ001 - as drivers give it
        (datetime(2010, 3, 1, 2, 3, 4, 5), "2010-03-01T02:03:04.000005+08:00"),  # noqa: DTZ001 - as drivers give it
        (datetime(2010, 3, 1, 2, 3, 4, tzinfo=UTC), "2010-03-01T10:03:04+08:00"),
        (datetime(1900, 1, 1), ""),  # noqa: DTZ001 - as drivers give it
        (date(2010, 3, 1), "2010-03-01T00:00:00+08:00"),
        (date(1900, 1, 1), ""),
    ],
)
def test_datetime_reads_every_spelling_as_local_time(given_value: object, expected: str) -> None:
    assert function("datetime")(given_value) == expected


@pytest.mark.parametrize(
    "given_value",
    [
        "2010-02-30",
        "2010-13-01",
        "2010-03-01 25:00:00",
        "2010-03-01 24:00:00",
        "2010-03/01",
        "昨天",
        "2010",
        "19 Foo 2014 06:10:10 GMT",
        "2014-09-19 14:10:10.1234567",
        "2010-03-01T00:00:00+99:00",
        "２０１０-０３-０１",
        20100301,
        Decimal(1),
    ],
)
def test_datetime_rejects_what_it_cannot_read_and_keeps_the_raw_value(given_value: object) -> None:
    outcome = function("datetime", field="acceptedAt")(given_value)
    assert fault_of(outcome) == ("MAP_DATE", "reject", "")
    assert isinstance(outcome, Flawed)
    (fault,) = outcome.faults
    assert (fault.field, fault.rule) == ("acceptedAt", "datetime")
    assert shown(given_value) in fault.zh
    assert "not a date and time" in fault.en


_ZONES: Any = st.sampled_from([None, UTC, timezone(timedelta(hours=-7))])
_FIRST, _LAST = datetime(1900, 1, 2), datetime(9998, 12, 31)  # noqa: DTZ001 - hypothesis takes naive bounds


@given(st.datetimes(min_value=_FIRST, max_value=_LAST, timezones=_ZONES))
def test_datetime_names_the_same_instant(moment: datetime) -> None:
    local = moment if moment.tzinfo else moment.replace(tzinfo=timezone(timedelta(hours=8)))
    text = function("datetime")(moment)
    assert isinstance(text, str)
    assert datetime.fromisoformat(text) == local
    assert function("datetime")(text) == text


def test_datetime_at_the_end_of_time_is_a_fault_not_an_error() -> None:
    assert fault_of(function("datetime")(datetime(9999, 12, 31, 23, tzinfo=UTC))) == ("MAP_DATE", "reject", "")


def test_parse_time_leaves_a_text_without_zone_naive() -> None:
    assert parse_time("2010-3-1 1:2:3") == datetime(2010, 3, 1, 1, 2, 3)  # noqa: DTZ001 - naive is the point


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("2010-3-1", "2010-03-01"),
        ("2010-03-01 00:00:00", "2010-03-01"),
        (date(2010, 3, 1), "2010-03-01"),
        ("1900-01-01", ""),
    ],
)
def test_date_gives_a_day(given_value: object, expected: str) -> None:
    assert function("date")(given_value) == expected


@pytest.mark.parametrize("given_value", ["2010-03-01 01:00:00", "x"])
def test_date_rejects_a_time_of_day_and_what_is_no_date(given_value: object) -> None:
    assert fault_of(function("date")(given_value)) == ("MAP_DATE", "reject", "")


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("007", "7"),
        ("0", "0"),
        ("-0", "0"),
        ("-05", "-5"),
        ("+3", "3"),
        ("20.00", "20"),
        (20, "20"),
        (Decimal("20.0"), "20"),
    ],
)
def test_integer(given_value: object, expected: str) -> None:
    assert function("integer")(given_value) == expected


@pytest.mark.parametrize("given_value", ["1.5", "", "二十", "１", "1e3", Decimal("1.5"), True, date(2010, 1, 1)])
def test_integer_rejects(given_value: object) -> None:
    assert fault_of(function("integer")(given_value)) == ("MAP_INTEGER", "reject", "")


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("1,234.5", "1234.50"),
        ("12,345,678.90", "12345678.90"),
        ("1234", "1234.00"),
        ("0012.3", "12.30"),
        ("0", "0.00"),
        ("-0.00", "0.00"),
        ("-5", "-5.00"),
        ("10.5000", "10.50"),
        (Decimal("0.1"), "0.10"),
        (Decimal("1E+3"), "1000.00"),
        (7, "7.00"),
        ("99999999999999.99", "99999999999999.99"),
    ],
)
def test_money(given_value: object, expected: str) -> None:
    assert function("money")(given_value) == expected


@pytest.mark.parametrize(
    "given_value", ["12,34", "1,2345", "10.005", "1e3", "十元", ".5", "5.", "", True, Decimal("NaN"), "1,234,56"]
)
def test_money_rejects_rather_than_rounds(given_value: object) -> None:
    assert fault_of(function("money")(given_value)) == ("MAP_MONEY", "reject", "")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=2))
def test_money_is_exact(amount: Decimal) -> None:
    for value in (amount, f"{amount:f}", f"{amount:,f}"):
        text = function("money")(value)
        assert isinstance(text, str)
        assert Decimal(text) == amount
        assert text.rpartition(".")[2].__len__() == 2


def test_region_takes_padding_off() -> None:
    assert [function("region")(code) for code in ("440604", "440604000000", "44060400")] == ["440604"] * 3


@pytest.mark.parametrize(
    ("retired", "successor"),
    [
        ("440602", "440604"),
        ("440603", "440604"),
        ("440681", "440606"),
        ("440682", "440605"),
        ("440683", "440607"),
        ("440684", "440608"),
        ("440621", "440607"),
        ("440622", "440605"),
        ("440623", "440606"),
        ("440624", "440608"),
    ],
)
def test_region_replaces_a_retired_code_and_flags_it(retired: str, successor: str) -> None:
    assert fault_of(function("region")(retired)) == ("MAP_REGION_RETIRED", "flag", successor)
    assert fault_of(function("region")(f"{retired}000000")) == ("MAP_REGION_RETIRED", "flag", successor)


@pytest.mark.parametrize("code", ["440604001", "44060", "4406040000000", "禅城区", "４４０６０４"])
def test_region_rejects_what_is_no_division(code: str) -> None:
    assert fault_of(function("region")(code)) == ("MAP_REGION", "reject", "")


def test_region_outside_the_table() -> None:
    assert fault_of(function("region")("110000")) == ("MAP_REGION_UNKNOWN", "reject", "")
    assert fault_of(function("region", unknown="flag")("110000000000")) == ("MAP_REGION_UNKNOWN", "flag", "110000")


def test_org_code_loses_only_its_hyphen() -> None:
    run = function("org_code")
    assert [run(code) for code in ("00748256-7", "0074825x-x", "91440600mb0173307x", "12-3", "无")] == [
        "007482567",
        "0074825XX",
        "91440600MB0173307X",
        "12-3",
        "无",
    ]


def test_table_translates_in_any_letter_case_and_rejects_the_rest() -> None:
    run = function("table", name="applicant-type", field="applicantType")
    assert (run("3"), run("1")) == ("9", "1")
    outcome = run("7")
    assert fault_of(outcome) == ("MAP_CODE_UNKNOWN", "reject", "")
    assert "「7」" in outcome.faults[0].zh  # type: ignore[union-attr]
    assert "applicant-type" in outcome.faults[0].en  # type: ignore[union-attr]
    assert fault_of(function("table", name="applicant-type", unknown="flag")("7")) == ("MAP_CODE_UNKNOWN", "flag", "")


def test_code_knows_the_codes_of_its_field() -> None:
    run = function("code", field="limitUnit")
    assert (run("g"), run("Z")) == ("G", "Z")
    outcome = run("X")
    assert fault_of(outcome) == ("MAP_CODE_UNKNOWN", "reject", "")
    assert "G Z" in outcome.faults[0].en  # type: ignore[union-attr]


def test_texts() -> None:
    assert function("trim")(" 　甲\u00a0\n") == "甲"
    assert function("trim", characters="'")(" '甲' ") == "甲"
    assert function("trim")("\x1f甲") == "\x1f甲", "a control character is not a blank: it is to be rejected"
    assert [function("absent", values=("0", "无"))(text) for text in ("0", "无", "10")] == ["", "", "10"]
    assert function("upper")("abc甲") == "ABC甲"


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [("a;b", "a;b"), ("a；b\r\nc;", "a;b;c"), (" a ; ;b；", "a;b"), ("；", ""), ("一、二", "一、二")],
)
def test_list(given_value: str, expected: str) -> None:
    assert function("list")(given_value) == expected


def test_list_with_separators_of_its_own() -> None:
    assert function("list", separators=("、",))("甲、乙；丙") == "甲;乙；丙"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" a ", "a"),
        (5, "5"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+2"), "100"),
        (datetime(2010, 3, 1, 2, 3, 4), "2010-03-01 02:03:04"),  # noqa: DTZ001 - as drivers give it
        (date(2010, 3, 1), "2010-03-01"),
        (True, None),
        (1.5, None),
        (b"x", None),
        (Decimal("NaN"), None),
        (None, None),
    ],
)
def test_plain_is_exact_or_nothing(value: object, expected: str | None) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [(1.5, "MAP_TYPE"), (True, "MAP_TYPE"), (b"\xff\x41", "MAP_UNDECODABLE"), (bytearray(b"a"), "MAP_UNDECODABLE")],
)
def test_refused_says_why(value: object, code: str) -> None:
    context = Context(load().kinds["SL"].field("remark"), "BZ", {})
    outcome = refused(context, value)
    assert fault_of(outcome) == (code, "reject", "")
    assert outcome.faults[0].zh.startswith("BZ 的值")


def test_shown_is_printable_and_short() -> None:
    assert shown("甲\x00\ud800乙") == "甲\\x00\\ud800乙"
    assert shown("甲" * 300) == "甲" * 200 + "…"


def test_every_function_is_described() -> None:
    for name, registered in FUNCTIONS.items():
        assert registered.name == name
        assert registered.zh
        assert registered.en
        assert registered.takes


_ARGUMENTS: dict[str, dict[str, Any]] = {"table": {"name": "applicant-type"}, "absent": {"values": ("无",)}}


@given(st.text(min_size=1))
def test_every_function_is_pure_and_gives_a_text_or_faults(text: str) -> None:
    for run in _RUNS:
        first, second = run(text), run(text)
        assert first == second
        assert isinstance(first, str) or first.faults


_RUNS: list[Run] = [function(name, field="limitUnit", **_ARGUMENTS.get(name, {})) for name in FUNCTIONS]
