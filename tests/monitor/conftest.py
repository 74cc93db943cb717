"""The command line in this process, and one deployment that has been drained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import structlog

from adapters.simulators.cgs_quirks import Quirks
from bus.ledger.ledger import Ledger
from monitor.bootstrap import build
from monitor.cli import main
from monitor.settings import load
from tests.monitor.deployments import deploy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bus.ledger.values import Progress


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line of stdout."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


@pytest.fixture(autouse=True)
def _plain_logging() -> Iterator[None]:
    """A command's log goes to the stderr of its own test only."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def gateway(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run the command in this process."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        return Done(int(ended.value.code), *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """gateway.yaml of a deployment whose two sources have been drained; some records are held. Only to be read."""
    folder = tmp_path_factory.mktemp("drained")
    quirks = Quirks(missing_parent=0.05, undecodable=0.03)
    config = deploy(folder, {"chancheng": "440604", "gaoming": "440608"}, records=120, quirks=quirks)
    run_drain(config)
    return config


def run_drain(config: Path) -> list[Progress]:
    """Drain a deployment without the command line."""
    import threading

    gateway = build(load(config))
    try:
        gateway.run(threading.Event(), drain=True, timeout_s=20)
        return gateway.progress()
    finally:
        gateway.close()


def ledger_of(config: Path) -> Ledger:
    """The store of a deployment."""
    return Ledger(load(config).store, key_hash=b"")
