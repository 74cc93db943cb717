"""`gateway status`: judged by progress; held records by cause, in the user's language; nothing is changed."""

from __future__ import annotations

import datetime as dt
import sqlite3
from typing import TYPE_CHECKING

import pytest

from bus import clock
from bus.ledger.values import Equation, Progress
from monitor.commands.status import judge
from tests.monitor.deployments import deploy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.conftest import Done


def test_the_equation_the_streams_and_the_causes(gateway: Callable[..., Done], drained: Path) -> None:
    done = gateway("status", "--config", drained)
    assert (done.code, done.err) == (0, "")
    assert "  sealed seq" in done.out
    assert "quarantined" in done.out
    assert "parked" in done.out
    assert "DECODE: the octets of" in done.out
    done = gateway("status", "--config", drained, "--lang", "zh")
    assert "  已封序号" in done.out
    assert "不符合统一标准" in done.out
    assert "the octets of" not in done.out


def test_for_programs(gateway: Callable[..., Done], drained: Path) -> None:
    done = gateway("status", "--config", drained, "--json")
    assert set(done.json) == {"sources", "streams", "held", "never_run"}
    for name, source in done.json["sources"].items():
        held = [cause for cause in done.json["held"] if cause["source"] == name]
        for state in ("quarantined", "parked"):
            assert source[state] == sum(cause["records"] for cause in held if cause["state"] == state)
    stream = done.json["streams"]["chancheng"]
    assert (stream["stream"], stream["epoch"], stream["lag_entries"]) == ("test/chancheng", 1, 0)


def test_before_the_first_run_nothing_is_made(gateway: Callable[..., Done], tmp_path: Path) -> None:
    config = deploy(tmp_path, {"chancheng": "440604"}, records=5)
    done = gateway("status", "--config", config)
    assert (done.code, done.out) == (0, "(no source has run yet)\nchancheng: has never run\n")
    assert not (tmp_path / "gateway.db").exists()
    assert gateway("status", "--config", config, "--json").json["never_run"] == ["chancheng"]


def test_an_equation_that_does_not_balance_is_found(gateway: Callable[..., Done], tmp_path: Path) -> None:
    config = deploy(tmp_path, {"chancheng": "440604"}, records=5)
    gateway("run", "--drain", "--config", config)
    with sqlite3.connect(tmp_path / "gateway.db") as store:
        store.execute("UPDATE sources SET read = read + 1")
    done = gateway("status", "--config", config)
    assert done.code == 1
    assert "UNBALANCED" in done.out
    assert "  balanced             ✗" in done.out


def at(age_s: float) -> str:
    """So long ago."""
    return clock.to_text(clock.now() - dt.timedelta(seconds=age_s))


@pytest.mark.parametrize(
    ("read_age_s", "confirmed_age_s", "confirmed", "verdict"),
    [
        (1, 1, 5, "up-to-date"),
        (1, 9000, 5, "up-to-date"),
        (1, 1, 3, "working"),
        (1, 60, 3, "not-confirmed"),
        (1, None, 0, "not-confirmed"),
        (60, 1, 5, "not-reading"),
        (None, None, 0, "not-reading"),
    ],
)
def test_a_verdict_follows_from_progress(
    read_age_s: float | None, confirmed_age_s: float | None, confirmed: int, verdict: str
) -> None:
    ages = [None if age_s is None else at(age_s) for age_s in (read_age_s, confirmed_age_s)]
    progress = Progress("a", "t/a", 1, 5, 5, confirmed, ages[0], ages[1], 0, Equation(*[0] * 9))
    assert judge(progress, poll_s=2) == verdict


def test_a_source_that_is_looked_at_seldom_is_not_called_dead() -> None:
    progress = Progress("a", "t/a", 1, 5, 5, 5, at(700), None, 0, Equation(*[0] * 9))
    assert judge(progress, poll_s=600) == "up-to-date"
