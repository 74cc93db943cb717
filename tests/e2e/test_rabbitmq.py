"""Three districts over a real RabbitMQ: topology, drain, tap, verify, each a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_embedded import last, run
from tests.monitor.deployments import deploy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Vhost

DISTRICTS = {"chancheng": "440604", "gaoming": "440608", "sanshui": "440607"}


@pytest.mark.services
def test_three_districts_over_rabbitmq(tmp_path: Path, vhost: Vhost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_BUS", vhost.url)
    config = deploy(tmp_path, DISTRICTS, records=200, bus='"${env:TEST_BUS}"')
    missing = last(run("topology", "show", "--config", config, "--json", code=1))["differences"]
    assert "queue core: missing" in missing
    refused = last(run("run", "--drain", "--timeout", 1, "--config", config, "--json", code=3))
    assert {source["pending"] for source in refused["sources"].values()} == {200}
    assert last(run("topology", "apply", "--config", config, "--json"))["differences"] == []
    assert last(run("check", "--connect", "--config", config, "--json"))["connected"]["bus"] is True
    sources = last(run("run", "--drain", "--config", config, "--json"))["sources"]
    assert {name: (s["published"], s["balanced"]) for name, s in sources.items()} == dict.fromkeys(
        DISTRICTS, (200, True)
    )
    tapped = run("tap", "--from", "first", "--count", 600, "--config", config, "--json").splitlines()
    assert {json.loads(line)["stream"] for line in tapped[:-1]} == {f"test/{name}" for name in DISTRICTS}
    assert json.loads(tapped[-1]) == {"records": 600, "findings": 0}
    verified = last(run("verify", "--whole", "--config", config, "--json"))
    assert (verified["records"], verified["findings"], len(verified["totals"])) == (600, 0, 3)
