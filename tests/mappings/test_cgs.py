"""The shipped mapping of cgs: without a problem, golden, covered, valid, and no line of it is there for nothing."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import pytest

from mappings.compiler import compile_document
from mappings.coverage import measure_coverage
from mappings.golden import GoldenCase, compare, read_cases, run_golden
from mappings.library import Platform, read_platform
from mappings.lint import lint_platform
from mappings.parser import parse_document
from mappings.translator import MappingTranslator
from xsd.catalogue import load
from xsd.validator import Validator

KINDS = ("SL", "SPCL", "BZGZ", "BZSL", "TBCXSQ", "TBCXJG", "BJ")


@cache
def cgs() -> MappingTranslator:
    return MappingTranslator.load("cgs")


@cache
def cases() -> tuple[GoldenCase, ...]:
    found, problems = read_cases(cgs().platform)
    assert problems == []
    return tuple(found)


def test_lint_finds_nothing() -> None:
    report = lint_platform(read_platform("cgs"))
    assert report.problems == ()
    assert report.documents == len(KINDS)


def test_every_golden_pair_passes() -> None:
    report = run_golden(cgs())
    assert report.is_passed, report.render("en")
    assert {case.name.partition("/")[0] for case in cases()} == set(KINDS)


def test_the_golden_pairs_exercise_every_target_function_default_and_row() -> None:
    report = measure_coverage(cgs())
    assert report.uncovered() == (), report.render("en")


def test_the_validator_takes_every_golden_record_and_writes_its_flags() -> None:
    published = [(case, cgs().translate([case.record])[0]) for case in cases()]
    validator = Validator()
    try:
        judged = validator.validate([translation for _, translation in published], now=datetime(2010, 4, 1, tzinfo=UTC))
    finally:
        validator.close()
    rejected = {case.name for case, _ in published if case.fields is None} | {"SL/null-date"}
    assert {case.name for (case, _), found in zip(published, judged, strict=True) if found.is_rejected} == rejected
    for (case, translation), found in zip(published, judged, strict=True):
        if not found.is_rejected:
            assert found.payload.startswith(translation.payload[: translation.payload.rindex(b"</")])
            for fault in translation.faults:
                assert fault.code.encode() in found.payload, f"{case.name}: quality names {fault.code}"


def test_the_same_column_means_two_things() -> None:
    targets = {kind: {t.name: t.recipe for t in cgs().plans[kind].document.targets} for kind in KINDS}
    received, completed = targets["BZSL"]["receivedAt"], targets["BJ"]["completedAt"]
    assert received is not None
    assert completed is not None
    assert received.columns == completed.columns == ("BJSJ",)


def mutants(kind: str) -> list[tuple[int, str]]:
    """Every line of a document that says something, and the document without it."""
    lines = files("mappings").joinpath("cgs", f"{kind}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    return [
        (number, "".join(lines[: number - 1] + lines[number:]))
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
    ]


def is_noticed(kind: str, text: str) -> bool:
    """Whether lint or a golden pair fails with this document in place of the shipped one."""
    whole = cgs().platform
    document, problems = parse_document(text, file=f"{kind}.yaml")
    if document is None or problems:
        return True
    mutant: Platform = dataclasses.replace(whole, documents=MappingProxyType({kind: document}))
    if lint_platform(mutant).problems:
        return True
    plan = compile_document(document, schema=load().kinds[kind], tables=whole.tables)
    translator = MappingTranslator(mutant, plans={kind: plan})
    own = [case for case in cases() if case.name.startswith(f"{kind}/")]
    return any(list(compare(case, translator.translate([case.record])[0])) for case in own)


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_can_go_unnoticed(kind: str) -> None:
    original = files("mappings").joinpath("cgs", f"{kind}.yaml").read_text(encoding="utf-8")
    assert not is_noticed(kind, original)
    assert [number for number, text in mutants(kind) if not is_noticed(kind, text)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_function_default_or_stand_in_can_go_unnoticed(kind: str) -> None:
    original = files("mappings").joinpath("cgs", f"{kind}.yaml").read_text(encoding="utf-8")
    document = cgs().plans[kind].document
    changes = [f"{value}, " for value in ("无", "暂无", "/", '"null"', '"NULL"')]
    changes += [', "1900-01-01"', ", record.division", ', default: "1"', ', default: "0"', ', default: "0.00"']
    changes += [", default: CNY", ", default: G", "{unknown: flag}", ', {absent: "0"}', ', do: [{absent: "888888"}]']
    changes += [", do: [upper]", ", do: [list]", ", do: [org_code]"]
    found = [
        (old, original.replace(old, "{}" if old == "{unknown: flag}" else "")) for old in changes if old in original
    ]
    assert len(found) > 6, document.kind
    assert [old for old, text in found if not is_noticed(kind, text)] == []
