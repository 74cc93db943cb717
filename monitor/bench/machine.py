"""What a run ran on: commit, processor, memory, versions, and how its disk takes a write."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from monitor.bench.services import PostgreSQL, RabbitMQ

_LIBRARIES: Final = ("lxml", "sqlalchemy", "psycopg", "pika", "kombu", "amqp", "cryptography")


def describe(broker: RabbitMQ, database: PostgreSQL) -> dict[str, str]:
    """Name → value, for the report."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "cores": str(os.cpu_count()),
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "load before": " ".join(f"{each:.2f}" for each in os.getloadavg()),
        "python": platform.python_version(),
        "rabbitmq": broker.evaluate("rabbit_misc:version()").strip('"'),
        "postgresql": database.run([*database.psql, "-Atc", "SHOW server_version"]).strip(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    }


def _commit() -> str:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or f"version {version('foshan-exchange')}"


def _field(file: Path, name: str) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def fdatasync_times(file: Path, stop: Event, *, every_s: float, most: int) -> list[float]:
    """Seconds of each `fdatasync` after 4 KB appended to `file`, until `stop` is set or `most` are made."""
    times: list[float] = []
    with file.open("ab", buffering=0) as output:
        while len(times) < most and not stop.wait(every_s):
            output.write(bytes(4096))
            began = time.monotonic()
            os.fdatasync(output.fileno())
            times.append(time.monotonic() - began)
    return times


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie; 0.0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
