"""One round: the yardstick, then every chosen part once, each on a fresh vhost and a fresh store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bus.topology import CORE
from monitor.bench.material import DIVISIONS, GatewayOptions, writes
from monitor.bench.naive import Way, cases, run_naive
from monitor.bench.processes import Worker, cpu_of, machine_busy_s, run_together
from monitor.bench.yardstick import pour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.bench.material import Bench
    from monitor.bench.processes import Measured

NAIVE_RECORDS: Final = 500


class Sample(NamedTuple):
    """One measurement.

    Attributes:
        rate: records (yardstick: messages) a second, from the first to the last.
        client_s, broker_s, database_s: CPU seconds of a thousand records.
        elsewhere: share of the machine's CPU time that went to none of us.
    """

    rate: float
    client_s: float = 0.0
    broker_s: float = 0.0
    database_s: float = 0.0
    elsewhere: float = 0.0


class Rounds:
    """Makes measurements; `samples` holds them by series."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.samples: dict[str, list[Sample]] = {}
        self._writes = writes(bench.records_of_stream())
        self._stream_writes = writes(bench.stream)
        self._cases = cases(bench.records_of_stream(), division=DIVISIONS["chancheng"], most=NAIVE_RECORDS)

    def run(self, parts: Sequence[str]) -> None:
        """One round of `parts`."""
        self._add("yardstick", self._yardstick())
        if "single" in parts:
            self._add("naive", self._naive())
        gateways = {"single": ("never", 1), "double": ("never", 2), "package": ("50", 1), "package-double": ("50", 2)}
        for part, (packages, processes) in gateways.items():
            if part in parts:
                self._add(part, self._gateway(packages, processes))
        if "consume" in parts:
            self._add("kombu", self._consumer("kombu"))
            self._add("consume", self._consumer("consume"))
        if "pg-store" in parts:
            self._add("pg-store", self._gateway("never", 1, is_postgresql=True))
        if "journal" in parts:
            self._add("yardstick-journal", self._yardstick(has_journal=True))
            self._add("single-journal", self._gateway("never", 1, has_journal=True))

    def _add(self, series: str, sample: Sample) -> None:
        self.samples.setdefault(series, []).append(sample)

    def _yardstick(self, *, has_journal: bool = False) -> Sample:
        with self._bench.vhost(has_journal=has_journal) as bus:
            before = cpu_of(self._bench.broker.pid)
            pace = pour(bus, self._writes)
            spent = cpu_of(self._bench.broker.pid) - before
        return Sample(pace.rate, broker_s=spent / self._bench.records * 1000)

    def _naive(self) -> Sample:
        bench = self._bench
        platform = bench.platforms["chancheng"].replace("postgresql+psycopg:", "postgresql:", 1)
        with bench.vhost() as bus:
            way = Way(platform, without_options(bus), CORE, bench.store())
            return Sample(run_naive(self._cases, way).rate)

    def _gateway(
        self, packages: str, processes: int, *, is_postgresql: bool = False, has_journal: bool = False
    ) -> Sample:
        bench = self._bench
        names = list(DIVISIONS)[:processes]
        with bench.vhost(has_journal=has_journal) as bus:
            store = bench.database.url(bench.database.database()) if is_postgresql else ""
            options = GatewayOptions(packages, store=store, has_journal=has_journal)
            workers = [bench.gateway(name, bus, options) for name in names]
            return self._measure(workers, bench.records * processes)

    def _measure(self, workers: Sequence[Worker], records: int) -> Sample:
        bench = self._bench
        pids = (bench.broker.pid, bench.database.pid)
        before = [cpu_of(pid) for pid in pids]
        busy = machine_busy_s()
        found = run_together(workers)
        broker, database = (cpu_of(pid) - then for pid, then in zip(pids, before, strict=True))
        client = sum(each.cpu_s for each in found)
        busy = machine_busy_s() - busy
        per_thousand = 1000 / records
        return Sample(
            rate_of(found),
            client * per_thousand,
            broker * per_thousand,
            database * per_thousand,
            max(0.0, 1 - (client + broker + database) / busy),
        )

    def _consumer(self, role: str) -> Sample:
        """Drain a queue that holds the whole stream, checkpoints included."""
        bench = self._bench
        with bench.vhost() as bus:
            pour(bus, self._stream_writes)
            options: dict[str, Any] = {"bus": bus, "records": bench.records}
            if role == "kombu":
                options = {"bus": without_options(bus), "records": len(bench.stream), "queue": CORE}
            else:
                options |= {"trust": str(bench.folder / "trust.yaml"), "store": f"sqlite:///{bench.store()}"}
            return self._measure([Worker(role, options, log=bench.log)], len(bench.stream))


def rate_of(found: Sequence[Measured]) -> float:
    """Records a second of processes that ran together: from the first confirm of any to the last of any."""
    begin = min(found, key=lambda each: each.first[0])
    end = max(each.last[0] for each in found)
    return (sum(each.last[1] for each in found) - begin.first[1]) / (end - begin.first[0])


def without_options(url: str) -> str:
    """An AMQP URL as other clients understand it."""
    return url.partition("?")[0]
