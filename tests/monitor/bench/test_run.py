"""The whole bench, small; its roles in this process; its options."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from monitor.bench import run as run_module
from monitor.bench import worker
from monitor.bench.bars import BARS, PARTS, ROUND_PARTS
from monitor.bench.material import Bench, GatewayOptions, writes
from monitor.bench.naive import Case, Way, run_naive
from monitor.bench.rounds import Rounds, Sample
from monitor.bench.yardstick import pour
from monitor.commands.bench import run_bench
from monitor.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests import services

RECORDS = 600


def test_an_unknown_part_is_named_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_bench(Terminal("en", is_json=False), rounds=1, records=1000, parts=["tripple"])
    assert ended.value.code == 2
    assert f"--part tripple: unknown; known are {', '.join(PARTS)}" in capsys.readouterr().err


def test_a_worker_waits_for_the_word_and_prints_one_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def role(options: dict[str, Any]) -> dict[str, Any]:
        worker.ready(lambda: None)
        return options

    monkeypatch.setitem(worker.ROLES, "echo", role)
    monkeypatch.setattr("sys.stdin", io.StringIO("go\n"))
    worker.main(["echo", '{"a": 1}'])
    assert capsys.readouterr().out == 'ready\n{"a": 1}\n'


@pytest.mark.services
def test_every_role_does_its_work(
    rabbit: services.RabbitMQ, postgres: services.PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ready", lambda: None)
    tasks: dict[str, dict[str, Any]] = {}

    class Noted:
        """Takes the place of a process."""

        def __init__(self, role: str, options: dict[str, Any], *, log: Path) -> None:
            assert log.parent == tmp_path
            tasks[role] = options

    monkeypatch.setattr("monitor.bench.material.Worker", Noted)
    bench = Bench(rabbit, postgres, tmp_path, records=RECORDS)
    with bench.vhost() as bus:
        store = bench.store()
        options = GatewayOptions("never", store=f"sqlite:///{store}", keeps_confirms=True)
        bench.gateway("chancheng", bus, options)
        found = worker.run_gateway(tasks["gateway"])
        assert (found["last"].records, found["problems"]) == (RECORDS, [])
        assert found["confirms"][0] == found["first"]
        assert found["memory"][-1][0] == RECORDS
        bench.stream = list(bench.messages(store))
    assert len(bench.records_of_stream()) == RECORDS
    assert len(bench.stream) == RECORDS + 3
    for role in (worker.run_consume, worker.run_kombu):
        with bench.vhost() as bus:
            pour(bus.partition("?")[0], writes(bench.stream))
            count = RECORDS if role is worker.run_consume else len(bench.stream)
            url = bus if role is worker.run_consume else bus.partition("?")[0]
            task = {"bus": url, "records": count, "queue": "core", "trust": str(tmp_path / "trust.yaml")}
            done = role(task | {"store": f"sqlite:///{bench.store()}"})
        assert done["last"][1] == count


def test_the_naive_pipeline_stops_at_a_row_that_is_not_there(
    vhost: Any, postgres: services.PostgreSQL, tmp_path: Path
) -> None:
    from sqlalchemy import create_engine

    from adapters.simulators import cgs
    from bus.errors import FatalError

    database = postgres.database()
    engine = create_engine(postgres.url(database))
    cgs.create(engine)
    engine.dispose()
    way = Way(postgres.dsn(database), vhost.url, "core", tmp_path / "naive.db")
    with pytest.raises(FatalError, match="has no row"):
        run_naive([Case("1", {"applicationNo": "1"})], way)


@pytest.mark.parametrize("part", [*ROUND_PARTS, "memory"])
def test_only_what_was_asked_for_is_measured(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Prepared:
        """A bench without services."""

        def __init__(self, *_services: object, records: int) -> None:
            assert records == 1000

        def prepare(self) -> None:
            pass

    class Counted:
        """Rounds that only count."""

        def __init__(self, _bench: object) -> None:
            self.samples: dict[str, list[Sample]] = {}

        _add = Rounds._add
        run = Rounds.run

        def _measured(self, *_options: object, **_more: object) -> Sample:
            return Sample(1.0)

        _yardstick = _naive = _gateway = _consumer = _measured

    for name in ("rabbitmq", "postgresql"):
        monkeypatch.setattr(run_module, name, contextlib.nullcontext)
    monkeypatch.setattr(run_module, "describe", lambda *_services: {})
    monkeypatch.setattr(run_module, "Bench", Prepared)
    monkeypatch.setattr(run_module, "Rounds", Counted)
    monkeypatch.setattr(run_module, "measure_memory", lambda _bench, records: records)
    found = run_module.run(Terminal("en", is_json=False), run_module.Plan(2, 1000, (part,), memory_records=7))
    others = {"single": {"naive"}, "consume": {"kombu"}, "journal": {"yardstick-journal", "single-journal"}}
    if part == "memory":
        memory: object = found.memory
        assert memory == 7
        assert not found.samples
    else:
        own = set() if part == "journal" else {part}
        assert set(found.samples) == {"yardstick"} | own | others.get(part, set())
        assert all(len(series) == 2 for series in found.samples.values())


@pytest.mark.services
@pytest.mark.timeout(600)
def test_everything_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One small round of every part: what is asked is measured, and the page is written; whether it is fast is not."""
    report = tmp_path / "bench.md"
    terminal = Terminal("zh", is_json=True)
    try:
        run_bench(terminal, rounds=1, records=1000, parts=[], seconds=1, memory_records=2000, report=report)
    except SystemExit as ended:
        assert ended.code == 1  # noqa: PT017 - a bar that so small a run does not reach
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found["ratios"]) == {bar.name for bar in BARS}
    assert all(ratio > 0 for ratio in found["ratios"].values())
    assert {"pg-store", "single-journal", "yardstick-journal"} < set(found["rates"])
    assert found["latency"]["records"] == 1000
    assert found["memory"]["records"] == 2000
    assert "single_to_yardstick" in report.read_text(encoding="utf-8")
