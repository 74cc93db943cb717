"""Keys and digests: what makes two records the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.message import Fault, Record, Translation, business_key, content_digest, escape_key_part

TEXTS = st.lists(st.text(st.characters(exclude_categories=()), max_size=8), min_size=1, max_size=4)


def test_a_key_joins_its_parts_by_colons() -> None:
    assert business_key("440604", "SL", "A1") == "440604:SL:A1"
    assert business_key("440604", "SPCL", "A1", "3") == "440604:SPCL:A1:3"


def test_colons_percent_signs_and_blanks_in_a_number_are_encoded() -> None:
    assert business_key("440604", "SL", "a:b%c d\u3000e") == "440604:SL:a%3Ab%25c%20d%E3%80%80e"


def test_every_blank_there_is_and_nothing_else_is_encoded() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    encoded = {c for c in characters if escape_key_part(f"a{c}") != f"a{c}"}
    assert encoded == {c for c in characters if c.isspace()} | {":", "%"}


@given(TEXTS, TEXTS)
def test_different_rows_have_different_digests(left: list[str], right: list[str]) -> None:
    assert (content_digest(left) == content_digest(right)) == (left == right)


def test_separators_inside_a_value_do_not_make_two_rows_equal() -> None:
    assert content_digest(["a\x1fb"]) != content_digest(["a", "b"])
    assert content_digest(["a\x1e1b"]) != content_digest(["a\x1fb"])


def test_the_row_key_holds_the_version_where_the_source_has_one() -> None:
    record = Record("k", "440604", "SL", "A", None, b"", "", {})
    assert record.row_key == "k"
    assert record._replace(version=2).row_key == "k:2"


def test_only_a_reject_fault_rejects() -> None:
    flag = Fault("X", "", "flag", "", "")
    assert not Translation("SL", b"", {}, (flag,)).is_rejected
    assert Translation("SL", b"", {}, (flag, flag._replace(severity="reject"))).is_rejected
