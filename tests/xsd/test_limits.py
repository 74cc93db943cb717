"""Every field's limits, taken from the catalogue: valid at the limit, not one past it, and the fault says so."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from bus.message import ROOTS
from tests.xsd.samples import fields_of, longest_value, payload_of
from xsd import catalogue
from xsd.explain import Explainer
from xsd.validator import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xsd.catalogue import Field


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return Verdict()


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer()


def _allowed(field: Field) -> Iterator[str]:
    facets = field.facets
    yield longest_value(field)
    if field.xs_type == "code":
        yield from field.codes
    elif field.xs_type == "integer":
        yield str(facets.min_value)
    elif field.xs_type == "decimal":
        yield from ("0", "-1.5", "1.500")
    elif field.xs_type == "string" and field.max_length:
        yield "x" * field.max_length
        if not field.is_required:
            yield ""


def _forbidden(field: Field) -> Iterator[tuple[str, str]]:
    facets = field.facets
    match field.xs_type:
        case "code":
            yield from (("XSD_CODE", bad) for bad in ("", "X9", f" {next(iter(field.codes))}"))
        case "dateTime":
            times = ("2010-03-01T09:00:00", "2010-03-01T09:00:00Z", "2010-03-01 09:00:00", "2010-02-30T09:00:00+08:00")
            more = ("99999999999-01-01T00:00:00+08:00", "", "2010-03-01T23:59:60+08:00", "2010-03-01T25:00:00+08:00")
            yield from (("XSD_TYPE", bad) for bad in (*times, *more))
        case "date":
            yield from (("XSD_TYPE", bad) for bad in ("2010-02-30", "2010-3-1", "2010-03-01+08:00", ""))
        case "integer":
            assert facets.min_value is not None
            assert facets.max_value is not None
            yield from (("XSD_RANGE", str(bad)) for bad in (facets.min_value - 1, facets.max_value + 1))
            yield from (("XSD_TYPE", bad) for bad in ("1.0", "", "一", "1e3"))
        case "decimal":
            assert facets.total_digits is not None
            yield from (("XSD_TYPE", bad) for bad in ("1,200.00", "", "12元", "1e3"))
            yield from (("XSD_RANGE", bad) for bad in ("1.005", "1" * (facets.total_digits + 1)))
        case "string" if field.max_length:
            yield "XSD_LENGTH", "佛" * (field.max_length + 1)
            if field.is_required:
                yield from (("XSD_BLANK", bad) for bad in ("", " ", "\u3000", "\u00a0\u200b"))
        case "string":
            yield from (("XSD_PATTERN", bad) for bad in ("12345", "12345678-X", "一二三四五六七八九"))


@pytest.mark.parametrize("kind", ROOTS)
def test_a_full_and_a_minimal_record_are_valid(verdict: Verdict, kind: str) -> None:
    schema = catalogue.load().kinds[kind]
    full = {field.name: longest_value(field) for field in schema.fields}
    assert verdict.all([(kind, payload_of(kind, full))])
    minimal = {name: text for name, text in fields_of(kind).items() if schema.field(name).is_required}
    assert verdict.all([(kind, payload_of(kind, minimal))])


@pytest.mark.parametrize("kind", ROOTS)
def test_values_at_the_limit_are_valid(verdict: Verdict, explainer: Explainer, kind: str) -> None:
    for field in catalogue.load().kinds[kind].fields:
        for value in _allowed(field):
            payload = payload_of(kind, fields_of(kind, **{field.name: value}))
            assert verdict.all([(kind, payload)]), (field.name, value)
            assert explainer.explain(payload, kind=kind) == (), (field.name, value)


@pytest.mark.parametrize("kind", ROOTS)
def test_values_past_the_limit_are_not_and_the_fault_names_field_and_reason(
    verdict: Verdict, explainer: Explainer, kind: str
) -> None:
    for field in catalogue.load().kinds[kind].fields:
        for code, value in _forbidden(field):
            payload = payload_of(kind, fields_of(kind, **{field.name: value}))
            assert not verdict.all([(kind, payload)]), (field.name, value)
            faults = explainer.explain(payload, kind=kind)
            assert [(f.code, f.field, f.severity) for f in faults] == [(code, field.name, "reject")], (value, faults)
            assert faults[0].xpath == f"/{ROOTS[kind]}/{field.name}"
            assert field.zh in faults[0].zh
            assert field.name in faults[0].en


@pytest.mark.parametrize("kind", ROOTS)
def test_a_required_field_left_out_is_missed(verdict: Verdict, explainer: Explainer, kind: str) -> None:
    for field in catalogue.load().kinds[kind].fields:
        payload = payload_of(kind, fields_of(kind, **{field.name: None}))
        assert verdict.all([(kind, payload)]) is not field.is_required, field.name
        expected = [("XSD_MISSING", field.name)] if field.is_required else []
        assert [(f.code, f.field) for f in explainer.explain(payload, kind=kind)] == expected


def test_a_character_outside_the_bmp_counts_once() -> None:
    field = catalogue.load().kinds["SPCL"].field("opinion")
    assert field.max_length == 2000
    assert field.facets.min_value is None
    assert Decimal(len("𠮷" * 2000)) == 2000
    assert Verdict().all([("SPCL", payload_of("SPCL", fields_of("SPCL", opinion="𠮷" * 2000)))])
