"""Every state that holds something back explains itself, with an example."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bus.ledger.ledger import Cause, HeldRecord
from bus.ledger.values import Equation, Progress
from monitor.held import held_object, notes, show_notes
from monitor.terminal import Terminal

if TYPE_CHECKING:
    import pytest

FAULTS = json.dumps([{"code": "XSD_MISSING", "zh": "缺少 endedAt", "en": "endedAt is missing"}])


def cause(state: str, reason: str, records: int, *, source: str = "a", faults: str = "[]") -> Cause:
    """Records of one source, held for one reason."""
    example = HeldRecord(1, source, state, reason, f"440604:SL:{source}", "2010-03-01T00:00:00.000Z", faults)
    return Cause(source, state, reason, records, "2010-03-01T00:00:00.000Z", example)


def progress(**terms: int) -> Progress:
    """A source with these terms."""
    equation = Equation(**(dict.fromkeys(Equation._fields, 0) | terms))
    return Progress("a", "test/a", 1, 0, 0, 0, None, None, 0, equation)


CAUSES = [
    cause("parked", "behind", 3),
    cause("parked", "no-parent", 1),
    cause("quarantined", "XSD_MISSING", 2, faults=FAULTS),
    cause("quarantined", "XSD_MISSING", 5, source="b", faults=FAULTS),
]


def test_terms_that_are_nothing_say_nothing() -> None:
    assert notes([], []) == []
    assert notes([progress(read=5, published=5)], []) == []


def test_each_term_and_reason_has_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    found = notes([progress(pending=1, duplicate=2, quarantined=7, parked=4)], CAUSES)
    assert [(note.term, note.reason, note.records) for note in found] == [
        ("pending", "", 1),
        ("duplicate", "", 2),
        ("quarantined", "XSD_MISSING", 7),
        ("parked", "behind", 3),
        ("parked", "no-parent", 1),
    ]
    show_notes(Terminal("en", is_json=False), found)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ""
    assert "quarantined 7 (XSD_MISSING): does not meet the unified standard: kept with all its faults" in lines
    assert "      XSD_MISSING: endedAt is missing" in lines
    assert lines[-2:] == [
        "parked 1 (no-parent): its acceptance (SL) is not on the platform yet: waits for it",
        "    e.g. a 440604:SL:a",
    ]


def test_faults_are_said_in_the_chosen_language_for_as_many_sources_as_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_notes(Terminal("zh", is_json=False), notes([progress(quarantined=7)], CAUSES), examples=2)
    out = capsys.readouterr().out
    assert "隔离 7 (XSD_MISSING)：" in out.replace(": ", "：")
    assert out.count("XSD_MISSING: 缺少 endedAt") == 2


def test_nothing_held_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_notes(Terminal("en", is_json=False), [])
    assert capsys.readouterr().out == ""


def test_programs_get_every_cause_with_its_example() -> None:
    (found,) = held_object([CAUSES[2]])
    assert found == {
        "source": "a",
        "state": "quarantined",
        "reason": "XSD_MISSING",
        "records": 2,
        "oldest_at": "2010-03-01T00:00:00.000Z",
        "example": {"key": "440604:SL:a", "faults": json.loads(FAULTS)},
    }
