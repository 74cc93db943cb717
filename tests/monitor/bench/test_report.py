"""The report: ratios within a round, marks, tables, one object, one page."""

from __future__ import annotations

import json

import pytest

from monitor.bench.latency import Latency
from monitor.bench.memory import Memory
from monitor.bench.report import Findings, page, show
from monitor.bench.rounds import Sample
from monitor.terminal import Terminal

GOOD_LATENCY = Latency(1000, 15.0, 45.0, 60.0, 6.0, 0.0)
GOOD_MEMORY = Memory(1_000_000, 110.0, 112.0, 120.0)


def findings(*, single: tuple[float, ...] = (500.0, 300.0, 450.0)) -> Findings:
    return Findings(
        {
            "yardstick": [Sample(1000.0, broker_s=0.05), Sample(1000.0), Sample(1000.0)],
            "single": [Sample(rate, 0.1, 0.05, 0.005, 0.25) for rate in single],
        },
        GOOD_LATENCY,
        GOOD_MEMORY,
        {"cores": "2"},
    )


def test_a_ratio_is_taken_within_its_round_and_then_the_median() -> None:
    (ratio,) = findings().ratios()
    assert (ratio.bar.name, ratio.values, ratio.median) == ("single_to_yardstick", (0.5, 0.3, 0.45), 0.45)
    assert ratio.is_met
    assert findings().is_met


def test_below_the_bar_nothing_is_met() -> None:
    assert not findings(single=(300.0, 300.0, 500.0)).is_met


@pytest.mark.parametrize(
    "latency", [GOOD_LATENCY._replace(p50_ms=20.1), GOOD_LATENCY._replace(p99_ms=46.1), GOOD_LATENCY._replace(late=0.5)]
)
def test_latency_is_allowed_the_disks_own_tail_and_no_more(latency: Latency) -> None:
    assert GOOD_LATENCY.is_met
    assert not latency.is_met
    assert not findings()._replace(latency=latency).is_met


@pytest.mark.parametrize("memory", [GOOD_MEMORY._replace(most_mb=150.1), GOOD_MEMORY._replace(late_mb=113.4)])
def test_memory_is_small_and_flat(memory: Memory) -> None:
    assert not memory.is_met
    assert not findings()._replace(memory=memory).is_met


def test_the_object_holds_ratios_rates_and_everything_else(capsys: pytest.CaptureFixture[str]) -> None:
    show(Terminal("en", is_json=True), findings())
    found = json.loads(capsys.readouterr().out)
    assert found["ratios"] == {"single_to_yardstick": 0.45}
    assert found["rates"]["single"] == [500, 300, 450]
    assert found["cpu_s_per_1000"]["single"] == {"client": 0.1, "broker": 0.05, "database": 0.005}
    assert found["latency"]["p50_ms"] == 15.0
    assert found["memory"]["growth"] == 0.0182
    assert found["is_met"] is True


@pytest.mark.parametrize(("language", "word"), [("zh", "比值"), ("en", "ratios")])
def test_the_tables_are_for_people(language: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(Terminal("zh" if language == "zh" else "en", is_json=False), findings())
    out = capsys.readouterr().out
    assert word in out
    assert "0.30–0.50" in out
    assert "≤ 40 + 6.0" in out
    assert "+1.8%" in out


def test_what_was_not_measured_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    bare = Findings({}, None, None, {})
    show(Terminal("en", is_json=False), bare)
    assert "ratio" not in capsys.readouterr().out
    assert bare.is_met
    assert set(bare.as_object()) == {"ratios", "rates", "cpu_s_per_1000", "machine", "is_met"}
    assert "## Ratios" not in page(bare, command="gateway bench")


def test_the_page_says_what_was_run_and_what_came_out() -> None:
    text = page(findings(), command="gateway bench --rounds 3")
    assert "`gateway bench --rounds 3`" in text
    assert "- cores: 2" in text
    assert "| single_to_yardstick | 0.45 | 0.30–0.50 | ≥ 0.38 | 0.45 | ✓ |" in text
    assert "| latency p99 ms | 45.0 |" in text
