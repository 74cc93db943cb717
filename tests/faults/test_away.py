"""A broker, a platform or a store is killed and comes back: back off, resume, nothing lost or out of order."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests import services
from tests.faults import core
from tests.faults.deployment import Deployment, kill, wait_until
from tests.faults.test_kills import check, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Vhost

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


def outage(deployment: Deployment, service: services.Service, *, feeds_meanwhile: bool) -> int:
    """A running gateway loses `service` for a moment in the middle of its work; returns how many rows were fed."""
    core.open_database(deployment.folder).dispose()
    stop = threading.Event()
    consumer = threading.Thread(target=core.consume, args=[deployment.folder, deployment.bus, stop])
    consumer.start()
    deployment.feed(200, first_case=0)
    process = deployment.start()
    total = 200
    try:
        wait_until(lambda: len(core.rows(deployment.folder)) > 0, timeout_s=30, what="nothing arrived")
        service.kill()
        if feeds_meanwhile:
            deployment.feed(100, first_case=1000)
            total += 100
        time.sleep(1.5)
        service.start()
        deployment.feed(100, first_case=2000)
        total += 100
        wait_until(
            lambda: len(core.rows(deployment.folder)) >= total,
            timeout_s=90,
            what=(deployment.folder / "gateway.log").read_text()[-3000:],
        )
        assert kill(process)
        settle(deployment, total)
    finally:
        kill(process)
        stop.set()
        consumer.join()
    return total


def test_a_broker_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    with services.rabbitmq() as broker:
        deployment = Deployment.make(tmp_path, broker.url(broker.vhost()))
        broker.settle()
        outage(deployment, broker, feeds_meanwhile=True)
        check(deployment)
    assert '"action": "publish"' in (tmp_path / "gateway.log").read_text()


def test_a_platform_that_is_killed_and_comes_back(tmp_path: Path, vhost: Vhost) -> None:
    with services.mariadb() as server:
        url = server.url(server.database(charset="gbk"), charset="gbk")
        deployment = Deployment.make(tmp_path, vhost.url, url=url)
        outage(deployment, server, feeds_meanwhile=False)
        check(deployment)
    assert '"action": "read"' in (tmp_path / "gateway.log").read_text()


def test_a_store_that_is_killed_and_comes_back(tmp_path: Path, vhost: Vhost) -> None:
    with services.postgresql() as server:
        store = server.url(server.database())
        deployment = Deployment.make(tmp_path, vhost.url, store=store)
        outage(deployment, server, feeds_meanwhile=True)
        check(deployment)
    assert '"event": "away"' in (tmp_path / "gateway.log").read_text()
