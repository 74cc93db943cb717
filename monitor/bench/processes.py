"""Measured processes: started, held at the line, let go together; and what everybody's work cost in CPU time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bus.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TICKS = os.sysconf("SC_CLK_TCK")
_END_S = 20.0


class Measured(NamedTuple):
    """What one process reports.

    Attributes:
        first, last: (time, records) of the first and the last confirm or delivery.
        cpu_s: its own user and system time.
        memory: (records, resident KB) in the course of the run.
        confirms: (time, records), where they were asked for.
    """

    first: tuple[float, int]
    last: tuple[float, int]
    cpu_s: float
    memory: tuple[tuple[int, int], ...] = ()
    confirms: tuple[tuple[float, int], ...] = ()


class Worker:
    """One `monitor.bench.worker`; construction returns when it is ready.

    Args:
        role, options: see the worker.
        log: file for what it says on standard error.
    """

    def __init__(self, role: str, options: Mapping[str, Any], *, log: Path) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "monitor.bench.worker", role, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if self._read() != "ready\n":
            raise self._failure()

    def go(self) -> None:
        """Let it work."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> Measured:
        """Wait for the end of the work.

        Raises:
            FatalError: the process failed; the text names its log.
        """
        line = self._read()
        self.close()
        if not line:
            raise self._failure()
        found = json.loads(line)
        if found["problems"]:
            raise self._failure()
        return Measured(
            tuple(found["first"]),
            tuple(found["last"]),
            found["cpu_s"],
            tuple(map(tuple, found.get("memory", ()))),
            tuple(map(tuple, found.get("confirms", ()))),
        )

    def close(self) -> None:
        """End it, at once if it does not end by itself; may be called twice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _failure(self) -> FatalError:
        self._process.kill()
        self.close()
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return FatalError(f"a measured process failed; its log is {self._log}:\n{tail}")


def run_together(workers: Sequence[Worker]) -> list[Measured]:
    """Let all go at the same moment and wait for all; when one fails, none is left."""
    try:
        for worker in workers:
            worker.go()
        return [worker.result() for worker in workers]
    finally:
        for worker in workers:
            worker.close()


def cpu_of(pid: int) -> float:
    """User and system time of a process, of its children that have ended, and of those alive now, in seconds."""
    total = 0
    for each in (pid, *_children(pid)):
        try:
            fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / _TICKS


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(each) for task in tasks for each in (task / "children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def machine_busy_s() -> float:
    """CPU time that the whole machine has spent, in seconds, stolen time included."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(
        int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / _TICKS
