"""The benchmark measures what it says: whole, clean records."""

from __future__ import annotations

from mappings.translator import MappingTranslator
from tests.mappings.bench_translate import acceptance, main, measure


def test_the_measured_records_are_translated_without_a_fault() -> None:
    translations = MappingTranslator.load("cgs").translate([acceptance(number) for number in range(20)])
    assert all(translation.payload and not translation.faults for translation in translations)
    assert {len(translation.fields) for translation in translations} == {30}


def test_translating_costs_no_more_than_a_few_times_the_mere_writing() -> None:
    found = measure(300)
    assert found.elements == 30
    assert found.translate_us < 8 * found.escape_only_us, "the ratio is about 2; the margin is for a busy machine"


def test_the_figures_are_printed() -> None:
    assert main(["50"]).startswith("30 elements: ")
