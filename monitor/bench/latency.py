"""From the return of a row's COMMIT to its confirm, at a steady rate."""

from __future__ import annotations

import time
from bisect import bisect_left
from contextlib import closing
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import sql

from adapters.cgs.platform import PLATFORM, application_no
from adapters.simulators.cgs_cases import District
from bus.ledger.ledger import Ledger
from bus.message import business_key
from bus.trust import load_trust
from monitor.bench.bars import MOST_LATE, P50_MS, P99_MS
from monitor.bench.machine import fdatasync_times, quantile
from monitor.bench.material import DIVISIONS, GROUP, GatewayOptions
from monitor.commands.simulate import platform_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from adapters.simulators.cgs_cases import Step
    from monitor.bench.material import Bench

RATE: Final = 1000
_NAME: Final = "chancheng"
_POLLING: Final[Mapping[str, Any]] = {"poll_s": 0.01, "load_percent": 100}
_OPEN: Final = 40


class Latency(NamedTuple):
    """What was seen.

    Attributes:
        records: how many rows.
        p50_ms, p99_ms, most_ms: commit to confirm.
        fdatasync_ms: p99.9 of the same disk during the same time.
        late: share of rows that the writer committed more than 10 ms after they were due.
    """

    records: int
    p50_ms: float
    p99_ms: float
    most_ms: float
    fdatasync_ms: float
    late: float

    @property
    def is_met(self) -> bool:
        """Whether both quantiles are within what is allowed, at the rate that was asked for."""
        return self.p50_ms <= P50_MS and self.p99_ms <= P99_MS + self.fdatasync_ms and self.late <= MOST_LATE

    def as_object(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            **{name: round(value, 4) for name, value in self._asdict().items()},
            "is_met": self.is_met,
        }


def measure_latency(bench: Bench, seconds: int) -> Latency:
    """One thousand rows a second for `seconds`, one commit a row, the gateway polling every 10 ms."""
    url = bench.platform(_NAME, 0)
    steps = list(_steps(RATE * seconds))
    store = bench.store()
    options = GatewayOptions(
        "auto", store=f"sqlite:///{store}", url=url, records=len(steps), adapter=_POLLING, keeps_confirms=True
    )
    stop = Event()
    syncs: list[float] = []

    def sync() -> None:
        syncs.extend(fdatasync_times(bench.folder / "fdatasync", stop, every_s=0.02, most=1_000_000))

    with bench.vhost() as bus:
        worker = bench.gateway(_NAME, bus, options)
        worker.go()
        time.sleep(2.0)
        prober = Thread(target=sync)
        prober.start()
        committed, late = _write(url, steps)
        stop.set()
        prober.join()
        found = worker.result()
    times = _latencies(_seqs(bench, store), committed, found.confirms)
    return Latency(
        len(times),
        quantile(times, 0.5) * 1000,
        quantile(times, 0.99) * 1000,
        max(times) * 1000,
        quantile(syncs, 0.999) * 1000,
        late,
    )


def _steps(rows: int) -> Iterator[Step]:
    """Rows of cases that run side by side, the steps of each in order."""
    district = District(DIVISIONS[_NAME], seed=7)
    start = datetime(2010, 3, 1, 8)  # noqa: DTZ001 - the platform's columns have no zone
    cases: list[Iterator[Step]] = []
    number = made = 0
    while made < rows:
        while len(cases) < _OPEN:
            cases.append(iter(district.case(number, start + timedelta(seconds=number))))
            number += 1
        case = cases.pop(0)
        step = next(case, None)
        if step is None:
            continue
        cases.append(case)
        made += 1
        yield step


def _write(url: str, steps: Sequence[Step]) -> tuple[dict[str, float], float]:
    """Commit each row when it is due; business key → when its COMMIT returned, and the share of late ones."""
    tables = {declaration.kind: declaration for declaration in PLATFORM.tables}
    statements = {
        kind: sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table.table.lower()),
            sql.SQL(", ").join(sql.Identifier(column.name.lower()) for column in table.columns),
            sql.SQL(", ").join(sql.Placeholder() for _ in table.columns),
        )
        for kind, table in tables.items()
    }
    committed: dict[str, float] = {}
    late = 0
    dsn = url.replace("postgresql+psycopg:", "postgresql:", 1)
    # Whether the platform's own commits wait for its disk is not what is measured, and would not let it keep the pace.
    options = "-c synchronous_commit=off"
    with (
        psycopg.connect(dsn, autocommit=True, prepare_threshold=1, options=options) as connection,
        connection.cursor() as cursor,
    ):
        texts = {kind: statement.as_bytes(connection) for kind, statement in statements.items()}
        began = time.monotonic()
        for place, step in enumerate(steps):
            due = began + place / RATE
            ahead = due - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            values = {"ISGET": "0", **step.values, "GXSJ": platform_now()}
            row = [values.get(column.name) for column in tables[step.kind].columns]
            cursor.execute(texts[step.kind], row)
            now = time.monotonic()
            committed[_key(step, tables[step.kind].part, tables[step.kind].part_default)] = now
            late += now - due > 0.01
    return committed, late / len(steps)


def _key(step: Step, part: str, default: str) -> str:
    number = application_no(DIVISIONS[_NAME], str(step.values["YWLSH"]).strip())
    return business_key(DIVISIONS[_NAME], step.kind, number, str(step.values.get(part) or "").strip() or default)


def _seqs(bench: Bench, store: Path) -> dict[str, int]:
    """Business key → place in the stream."""
    key_hash = load_trust(bench.folder / "trust.yaml").key_hash
    found: dict[str, int] = {}
    with closing(Ledger(f"sqlite:///{store}", key_hash=key_hash)) as ledger:
        outbox = ledger.source(_NAME, group=GROUP, division=DIVISIONS[_NAME], is_explicit=True).outbox
        while entries := outbox.entries(after=len(found), limit=1000):
            found |= {entry.key.rpartition(":")[0]: entry.seq for entry in entries}
    return found


def _latencies(
    seqs: Mapping[str, int], committed: Mapping[str, float], confirms: Sequence[tuple[float, int]]
) -> list[float]:
    """Seconds from commit to confirm of each row."""
    counts = [records for _, records in confirms]
    return [confirms[bisect_left(counts, seqs[key])][0] - at for key, at in committed.items()]
