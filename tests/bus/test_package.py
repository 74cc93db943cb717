"""Packages are built in one way only, and cut again without loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.package import Part, build, cut

TIMES = st.sampled_from(["2010-03-01T02:03:04.567Z", "2010-12-31T16:00:00.000Z"])
KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1)
PARTS = st.lists(st.builds(Part, KEYS, st.binary(min_size=32, max_size=32), st.binary(max_size=50), TIMES), min_size=1)


@given(PARTS)
def test_what_was_packed_is_cut_again(parts: list[Part]) -> None:
    assert cut(build("foshan/a&<b/e1/1", "440604", parts), "foshan/a&<b/e1/1", "440604") == parts


def test_created_at_is_the_citys_time_of_the_first_record() -> None:
    body = build("i", "d", [Part("k", bytes(32), b"x", "2010-12-31T16:00:00.999Z")])
    assert b"<createdAt>2011-01-01T00:00:00+08:00</createdAt>" in body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<package ", b"<package  "),
        (b'lengths="1 2"', b'lengths="01 2"'),
        (b'lengths="1 2"', b'lengths="3"'),
        (b'lengths="1 2"', b'lengths="1 2 0"'),
        (b'lengths="1 2"', b'lengths="1 99"'),
        (b"keys=", b"key="),
        (b"k1 k2", b"k1 &#107;2"),
        (b"k1 k2", b"k1"),
        (b"<count>2", b"<count>3"),
        (b"<senderDivision>d", b"<senderDivision>e"),
        (b"<body>", b"<body> "),
        (b"<body>", b"<Body>"),
        (b"</package>", b"</package>\n"),
        (b"04.567Z", b"04.567Z 2010-03-01T02:03:04.567Z"),
        (b"2010-03-01T02:03:04.567Z", b"2010-03-01"),
    ],
)
def test_a_body_that_differs_in_a_byte_is_refused(old: bytes, new: bytes) -> None:
    at = "2010-03-01T02:03:04.567Z"
    body = build("i", "d", [Part("k1", bytes(32), b"x", at), Part("k2", bytes(32), b"yz", at)])
    assert old in body
    with pytest.raises(ValueError, match=r"."):
        cut(body.replace(old, new, 1), "i", "d")
