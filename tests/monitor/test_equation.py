"""The equation is shown as the sum that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.ledger.values import Equation, Progress
from monitor.equation import show_equation, sources_object, total
from monitor.terminal import Terminal

if TYPE_CHECKING:
    import pytest


def progress(name: str, *, read: int, published: int, quarantined: int = 0) -> Progress:
    """A source with these counters."""
    equation = Equation(read, published, 0, 0, 0, 0, quarantined, 0, 0)
    return Progress(name, f"test/{name}", 1, published, published, published, None, None, 0, equation)


def test_a_source_is_a_column_and_several_have_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    show_equation(
        Terminal("en", is_json=False),
        [progress("chancheng", read=1000, published=999, quarantined=1), progress("b", read=5, published=4)],
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [
        "               chancheng          b      total",
        "  read              1000          5       1005",
        "= published          999          4       1003",
    ]
    assert "+ quarantined          1          0          1" in lines
    assert lines[-1] == "  balanced             ✓          ✗          ✗"
    assert max(map(len, lines)) <= 80


def test_in_chinese_and_for_one_source_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show_equation(Terminal("zh", is_json=False), [progress("a", read=1, published=1)])
    out = capsys.readouterr().out
    assert "= 已发布  1" in out
    assert "合计" not in out


def test_before_the_first_run_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_equation(Terminal("en", is_json=False), [])
    assert capsys.readouterr().out == "(no source has run yet)\n"


def test_the_object_for_programs_has_every_term_and_balanced() -> None:
    assert sources_object([progress("a", read=3, published=1, quarantined=1)]) == {
        "a": {
            "read": 3,
            "published": 1,
            "pending": 0,
            "duplicate": 0,
            "stale": 0,
            "conflict": 0,
            "quarantined": 1,
            "parked": 0,
            "discarded": 0,
            "balanced": False,
        }
    }


def test_the_total_is_a_sum_of_every_term() -> None:
    assert total([progress("a", read=3, published=2), progress("b", read=4, published=4)]).read == 7
