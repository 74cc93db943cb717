"""kill -9 at random moments, against real RabbitMQ: nothing lost, nothing handled twice, order kept."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.faults import core
from tests.faults.deployment import Deployment, kill, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Vhost

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("KILLS", "30"))


def check(deployment: Deployment) -> None:
    """What the core handled against what the platform holds, key by key."""
    handled = core.rows(deployment.folder)
    expected = Counter(deployment.keys())
    found = Counter(key for key, _, _ in handled)
    assert found - expected == Counter(), "handled twice, or never there"
    assert expected - found == Counter(), "lost"
    assert core.findings(deployment.folder) == []
    assert [seq for _, _, seq in handled] == sorted(seq for _, _, seq in handled), "out of order"


def settle(deployment: Deployment, total: int) -> None:
    """Drain, let the core catch up, and look at the equation."""
    result = deployment.run("run", "--drain")
    equation = result["sources"]["chancheng"]
    assert equation["balanced"]
    assert (equation["read"], equation["published"], equation["pending"]) == (total, total, 0)
    wait_until(lambda: len(core.rows(deployment.folder)) >= total, timeout_s=60, what="the core did not catch up")


@pytest.mark.parametrize("packages", ["auto", "never"])
def test_a_gateway_that_is_killed_loses_and_doubles_nothing(tmp_path: Path, vhost: Vhost, packages: str) -> None:
    deployment = Deployment.make(tmp_path, vhost.url, packages=packages)
    core.open_database(tmp_path).dispose()
    dice = random.Random(20100301)
    stop = threading.Event()
    consumer = threading.Thread(target=core.consume, args=[tmp_path, vhost.url, stop])
    consumer.start()
    in_flight = total = 0
    try:
        for turn in range(KILLS // 2):
            before = len(core.rows(tmp_path))
            fed = work_and_die(deployment, dice, total, is_killed_at_start=turn % 3 == 0)
            total += fed
            in_flight += before < len(core.rows(tmp_path)) < total
        settle(deployment, total)
    finally:
        stop.set()
        consumer.join()
    check(deployment)
    assert in_flight >= KILLS // 4, "the kills came too late to hit anything"


def work_and_die(deployment: Deployment, dice: random.Random, total: int, *, is_killed_at_start: bool) -> int:
    """Start a gateway, let rows arrive, kill it: while it starts, or some time after its first record; rows fed."""
    process = deployment.start()
    before = len(core.rows(deployment.folder))
    started_at = time.monotonic()
    kill_at = started_at + dice.uniform(0.1, 1.5) if is_killed_at_start else None
    fed = 0
    try:
        while kill_at is None or time.monotonic() < kill_at:
            deployment.feed(20, first_case=5 * (total + fed))
            fed += 20
            if kill_at is None and len(core.rows(deployment.folder)) > before:
                kill_at = time.monotonic() + dice.uniform(0.0, 0.6)
            assert time.monotonic() - started_at < 60, "the gateway did nothing"
    finally:
        was_alive = kill(process)
    assert was_alive, (deployment.folder / "gateway.log").read_text()[-2000:]
    return fed


def test_a_consumer_that_is_killed_handles_everything_once(tmp_path: Path, vhost: Vhost) -> None:
    deployment = Deployment.make(tmp_path, vhost.url)
    total = 6000
    deployment.feed_past(total)
    deployment.run("run", "--drain")
    dice = random.Random(20100302)
    command = [sys.executable, "-m", "tests.faults.core", str(tmp_path), vhost.url, "0.0005"]
    in_flight = 0
    for _ in range(KILLS):
        process = subprocess.Popen(command)
        time.sleep(dice.uniform(0.7, 1.4))
        before = len(core.rows(tmp_path))
        assert kill(process)
        in_flight += 0 < before < total
    process = subprocess.Popen([*command[:-1], "0"])
    try:
        wait_until(lambda: len(core.rows(tmp_path)) >= total, timeout_s=60, what="the core did not catch up")
    finally:
        kill(process)
    check(deployment)
    assert in_flight >= KILLS // 4, "the kills came too late to hit anything"
