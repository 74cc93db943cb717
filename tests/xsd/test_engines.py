"""libxml2, xmlschema and the explainer say the same of the same mutations."""

from __future__ import annotations

import random
from typing import Any

import pytest
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from bus.message import NAMESPACE, ROOTS
from tests.xsd.samples import fields_of, longest_value, payload_of
from xsd import catalogue
from xsd.explain import Explainer
from xsd.validator import Verdict

VERDICT, EXPLAINER = Verdict(), Explainer()
VALUES = (
    *("", " ", "0", "1", "9", "12", "-1", "+1", "007", "1.", ".5", "1.10", "1e3", "NaN", "A", "a", "G", "g"),
    *(
        "\u3000",
        "佛山",
        "𠮷",
        "x" * 19,
        "x" * 51,
        "x" * 2001,
        "a\nb",
        "440604",
        "44060400000",
        "440604000000",
        "4406040000001",
    ),
    *("006988574", "91350100M000100Y43", "2010-03-01", "2010-02-30", "2010-03-01+08:00", "0000-01-01", "2010-3-1"),
    *(
        "2010-03-01T00:00:00+08:00",
        "2010-03-01T24:00:00+08:00",
        "2010-03-01T00:00:00.1234567+08:00",
        "2010-03-01T00:00:00Z",
    ),
    *(
        "2010-03-01T24:00:01+08:00",
        "2010-03-01T23:59:60+08:00",
        "0000-03-01T00:00:00+08:00",
        "2010-13-01T00:00:00+08:00",
    ),
)


@pytest.fixture(scope="module")
def second() -> Any:
    return xmlschema.XMLSchema10(catalogue.schema_bytes().decode().partition("\n")[2])


@pytest.mark.parametrize("kind", ROOTS)
def test_both_engines_and_the_explainer_agree_on_values(second: Any, kind: str) -> None:
    seen_types = set()
    for field in catalogue.load().kinds[kind].fields:
        if field.type_name in seen_types:
            continue
        seen_types.add(field.type_name)
        for value in (*VALUES, longest_value(field)):
            payload = payload_of(kind, fields_of(kind, **{field.name: value}))
            is_valid = VERDICT.all([(kind, payload)])
            assert second.is_valid(etree.fromstring(payload)) is is_valid, (field.name, value)
            assert (EXPLAINER.explain(payload, kind=kind) == ()) is is_valid, (field.name, value)


@pytest.mark.parametrize("kind", ROOTS)
def test_both_engines_agree_on_structure(second: Any, kind: str) -> None:
    random_ = random.Random(kind)
    for _ in range(40):
        items = list(fields_of(kind).items())
        match random_.randrange(4):
            case 0:
                items.pop(random_.randrange(len(items)))
            case 1:
                items.insert(random_.randrange(len(items)), random_.choice(items))
            case 2:
                random_.shuffle(items)
            case _:
                items.insert(random_.randrange(len(items)), ("strange", "x"))
        root = ROOTS[kind]
        body = "".join(f"<{name}>{text}</{name}>" for name, text in items)
        payload = f'<{root} xmlns="{NAMESPACE}">{body}</{root}>'.encode()
        is_valid = VERDICT.all([(kind, payload)])
        assert second.is_valid(etree.fromstring(payload)) is is_valid, items
        assert (EXPLAINER.explain(payload, kind=kind) == ()) is is_valid, items


def test_a_year_of_eleven_digits_stops_neither_verdict_nor_explanation() -> None:
    payload = payload_of("SL", fields_of("SL", acceptedAt="99999999999-01-01T00:00:00+08:00"))
    assert not VERDICT.all([("SL", payload)])
    assert [fault.code for fault in EXPLAINER.explain(payload, kind="SL")] == ["XSD_TYPE"]


@pytest.mark.parametrize("changes", [{"acceptedAt": " 2010-03-01T00:00:00+08:00 "}, {"limitValue": "\n5"}])
def test_blanks_around_a_time_or_number_are_no_fault_for_all_three(second: Any, changes: dict[str, str]) -> None:
    payload = payload_of("SL", fields_of("SL", **changes))
    assert VERDICT.all([("SL", payload)])
    assert second.is_valid(etree.fromstring(payload))
    assert EXPLAINER.explain(payload, kind="SL") == ()


_GOOD = payload_of("SL", fields_of("SL"))


@given(st.integers(0, len(_GOOD) - 1), st.integers(0, 30), st.binary(max_size=12))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_refused_is_explained_and_what_is_accepted_is_not(at: int, cut: int, new: bytes) -> None:
    payload = _GOOD[:at] + new + _GOOD[at + cut :]
    faults = EXPLAINER.explain(payload, kind="SL")
    assert (faults == ()) is VERDICT.all([("SL", payload)])
