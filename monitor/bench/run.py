"""A whole run: services, material, rounds, and the parts that run once."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitor.bench.bars import ROUND_PARTS
from monitor.bench.latency import measure_latency
from monitor.bench.machine import describe
from monitor.bench.material import Bench
from monitor.bench.memory import measure_memory
from monitor.bench.report import Findings
from monitor.bench.rounds import Rounds
from monitor.bench.services import postgresql, rabbitmq

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.bench.rounds import Sample
    from monitor.terminal import Terminal


class Plan(NamedTuple):
    """What to measure.

    Attributes:
        rounds: how often.
        records: rows of each platform, one pass a round.
        parts: names.
        seconds: of `latency`.
        memory_records: of `memory`.
    """

    rounds: int
    records: int
    parts: Sequence[str]
    seconds: int = 60
    memory_records: int = 1_000_000


def run(terminal: Terminal, plan: Plan) -> Findings:
    """Start the services, measure, stop them; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="fx-bench-"))
    try:
        with rabbitmq() as broker, postgresql() as database:
            machine = describe(broker, database)
            terminal.say(zh="正在准备平台数据 …", en="feeding the platforms …")
            bench = Bench(broker, database, folder, records=plan.records)
            samples = _rounds(terminal, bench, plan) if set(plan.parts) & set(ROUND_PARTS) else {}
            latency = memory = None
            if "latency" in plan.parts:
                terminal.say(zh="时延 …", en="latency …")
                latency = measure_latency(bench, plan.seconds)
            if "memory" in plan.parts:
                terminal.say(zh="内存 …", en="memory …")
                memory = measure_memory(bench, plan.memory_records)
            return Findings(samples, latency, memory, machine)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rounds(terminal: Terminal, bench: Bench, plan: Plan) -> Mapping[str, Sequence[Sample]]:
    bench.prepare()
    rounds = Rounds(bench)
    for number in range(1, plan.rounds + 1):
        terminal.say(zh=f"第 {number} 轮，共 {plan.rounds} 轮 …", en=f"round {number} of {plan.rounds} …")
        rounds.run(plan.parts)
    return rounds.samples
