"""Check digits, with reference numbers of the standards and against a second implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric
from stdnum.cn import uscc as second_uscc
from stdnum.exceptions import ValidationError

from xsd.identifiers import is_calendar_day, is_id_card, is_org_code, is_uscc, modern_id_card

ORG_CODES = (
    "007482567",
    "006988574",
    "006994552",
    "698113284",
    "698148153",
    "006939748",
    "083372204",
    "MB0173307",
    "MB1521254",
)


@pytest.mark.parametrize("code", ORG_CODES)
def test_real_organisation_codes_hold_and_every_other_check_digit_does_not(code: str) -> None:
    assert is_org_code(code)
    assert is_org_code(code.lower())
    wrong = [code[:8] + check for check in "0123456789X" if check != code[8]]
    assert not any(map(is_org_code, wrong))


@pytest.mark.parametrize(
    "text", ["", "00748256", "0074825670", "00748256-7", "00748256７", "佛山测试单位一二三", "无", "ı07482567"]
)
def test_what_is_no_organisation_code(text: str) -> None:
    assert not is_org_code(text)


def _org_with(body: str) -> str:
    return next(body + check for check in "0123456789X" if is_org_code(body + check))


def _uscc_with(prefix: str, org_body: str) -> str:
    body = prefix + _org_with(org_body)
    return next(body + check for check in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_uscc(body + check))


def test_credit_codes_of_the_standard_hold() -> None:
    assert is_uscc("91350100M000100Y43")
    assert is_uscc("91350100m000100y43")
    assert not is_uscc("91350100M000100Y44")
    assert not is_uscc("91350100M000100Y4")
    assert not is_uscc("91350100I000100Y43")
    assert not is_uscc("91350100佛000100Y43")


def test_a_credit_code_needs_the_check_digit_of_its_organisation_code_too() -> None:
    good = _uscc_with("91440600", "00748256")
    bodies = [good[:16] + c for c in "0123456789" if c != good[16]]
    finals = [body + check for body in bodies for check in "0123456789ABCDEFGHJKLMNPQRTUWXY"]
    assert sum(second_uscc.calc_check_digit(f[:17]) == f[17] for f in finals) == len(bodies)
    assert not any(map(is_uscc, finals))


def test_a_remainder_of_zero_gives_the_check_character_0() -> None:
    """The common form `alphabet[31 - sum % 31]` has no character for it."""
    found = [code for i in range(200) if (code := _uscc_with("91440600", f"{i:08d}")).endswith("0")]
    assert found
    assert all(second_uscc.is_valid(code) for code in found)


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXYIOSVZ", min_size=17, max_size=18))
def test_credit_codes_agree_with_stdnum_where_both_decide(text: str) -> None:
    if is_uscc(text):
        assert second_uscc.is_valid(text)


@pytest.mark.parametrize("number", ["11010519491231002X", "11010519491231002x", "440524188001010014"])
def test_identity_numbers_of_the_standard_hold(number: str) -> None:
    assert is_id_card(number)


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",
        "11010519490231002X",
        "1101051949123100",
        "11010519491231002Y",
        "一二三四五六七八九十一二三四五六七八",
        "110105490231002",
        "11010549123100X",
        "",
        "1101051949123100２X",
    ],
)
def test_what_is_no_identity_number(number: str) -> None:
    assert not is_id_card(number)


def test_first_generation_numbers_are_accepted_and_have_a_modern_form() -> None:
    assert is_id_card("110105491231002")
    assert modern_id_card("110105491231002") == "11010519491231002X"
    for wrong in ("110105490231002", "11010519491231002X"):
        with pytest.raises(ValueError, match="15 digits"):
            modern_id_card(wrong)


@given(st.dates(), st.integers(0, 999), st.sampled_from("0123456789Xx"))
def test_identity_numbers_agree_with_stdnum(birth: object, serial: int, check: str) -> None:
    number = f"110105{str(birth).replace('-', '')}{serial:03d}{check}"
    try:
        ric.validate(number)
    except ValidationError:
        # stdnum also refuses days to come and places unknown to it; the place above is known to it.
        if ric.calc_check_digit(number[:17]) != check.upper():
            assert not is_id_card(number)
    else:
        assert is_id_card(number)


def test_calendar_days() -> None:
    assert is_calendar_day("20080229")
    assert [is_calendar_day(t) for t in ("20090229", "2009022", "2009-2-2", "００００００００", "00000101")] == [
        False
    ] * 5
