"""Measured processes: held until all are ready, their failures named, their CPU time counted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bus.errors import FatalError
from monitor.bench import processes
from monitor.bench.machine import fdatasync_times, quantile
from monitor.bench.processes import Measured, Worker, cpu_of, machine_busy_s, run_together
from monitor.bench.rounds import rate_of, without_options
from monitor.bench.watch import WatchedTransport
from monitor.bench.worker import cpu_s, rss_kb
from tests.bus.test_relay import TOPOLOGY, Broker

if TYPE_CHECKING:
    from pathlib import Path

    from bus.ports import Transport
    from bus.topology import Topology


def test_a_worker_that_fails_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "workers.log"
    with pytest.raises(FatalError, match=r"workers\.log(.|\n)*KeyError"):
        Worker("nobody", {}, log=log)


def worker_of(code: str, log: Path) -> Worker:
    """A worker whose process is ready and then runs `code`."""
    made = Worker.__new__(Worker)
    made._log = log
    log.write_text("why it failed")
    made._process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return made


@pytest.mark.parametrize("code", ['print(\'{"problems": ["broker away"]}\')', "raise SystemExit(0)"])
def test_a_worker_that_reports_problems_or_nothing_has_failed(code: str, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="why it failed"):
        worker_of(code, tmp_path / "log").result()


def test_when_one_fails_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_END_S", 0.1)
    failing = worker_of("input()", tmp_path / "a")
    endless = worker_of("input()\nimport time\ntime.sleep(60)", tmp_path / "b")
    with pytest.raises(FatalError):
        run_together([failing, endless])
    assert endless._process.returncode == -9


def test_cpu_time_of_a_process_and_of_its_children_is_counted() -> None:
    before, machine = cpu_of(os.getpid()), machine_busy_s()
    child = subprocess.run([sys.executable, "-c", "sum(range(8_000_000))"], check=True)
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert child.returncode == 0
    assert cpu_of(os.getpid()) - before >= 0.05
    assert machine_busy_s() > machine
    assert cpu_of(2**22 + 1) == 0.0
    assert cpu_s() > 0
    assert rss_kb() > 10_000


def test_the_rate_of_two_is_from_the_first_confirm_of_any_to_the_last_of_any() -> None:
    assert rate_of([Measured((1.0, 10), (3.0, 110), 0.0), Measured((2.0, 5), (5.0, 110), 0.0)]) == 210 / 4


def test_other_clients_get_a_plain_url() -> None:
    assert without_options("amqp://h/v?management=http://x") == "amqp://h/v"


def test_a_quantile_of_few_values() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.999) == 3.0
    assert quantile([], 0.5) == 0.0


def test_the_disk_is_asked_until_enough_is_known(tmp_path: Path) -> None:
    import threading

    times = fdatasync_times(tmp_path / "probe", threading.Event(), every_s=0.0, most=3)
    assert len(times) == 3
    assert (tmp_path / "probe").stat().st_size == 3 * 4096


class WholeBroker(Broker):
    """The relay tests' broker with the rest of a transport."""

    def declare(self, topology: Topology) -> None:
        assert topology is TOPOLOGY

    def consumer(self, queue: str, *, prefetch: int, start: str | None) -> tuple[str, int, str | None]:
        return queue, prefetch, start


def test_confirmed_records_are_noted_and_everything_is_passed_on() -> None:
    from bus.message import Message

    broker = WholeBroker()
    inner: Transport = broker  # type: ignore[assignment]
    watched = WatchedTransport(inner)
    channel = watched.publisher()
    one = Message("approval.440604.SL", {}, {"x-seq": 1}, b"")
    package = Message("approval.440604.PACKAGE", {}, {"x-seq": 2, "x-count": 50}, b"")
    checkpoint = Message("checkpoint.440604.x", {}, {"x-stream": "s"}, b"")
    channel.publish([one])
    assert channel.confirmed(timeout_s=0) == 1
    channel.publish([package, checkpoint])
    assert channel.confirmed(timeout_s=0) == 3
    assert channel.confirmed(timeout_s=0) == 3
    channel.close()
    watched.declare(TOPOLOGY)
    consumer: object = watched.consumer("core", prefetch=7)
    assert consumer == ("core", 7, None)
    assert [confirm.records for confirm in watched.confirms] == [1, 51]
    thrifty = WatchedTransport(inner, keeps_all=False)
    channel = thrifty.publisher()
    for count in (1, 2, 3):
        channel.publish([one])
        assert channel.confirmed(timeout_s=0) == count
    assert [confirm.records for confirm in thrifty.confirms] == [1, 3]
    assert broker.seen == [one, package, checkpoint, one, one, one]
