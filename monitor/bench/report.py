"""What a run has shown: ratios with their medians, tables for people, one object for programs, a page for the docs."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.bench.bars import BARS, GROWTH, MEMORY_MB, MOST_LATE, P50_MS, P99_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.bench.bars import Bar
    from monitor.bench.latency import Latency
    from monitor.bench.memory import Memory
    from monitor.bench.rounds import Sample
    from monitor.terminal import Terminal
    from monitor.texts import Language


class Ratio(NamedTuple):
    """One bar as measured: the ratio is taken within each round, then the median of the rounds."""

    bar: Bar
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the rounds."""
        return median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the bar."""
        return self.median >= self.bar.least


class Findings(NamedTuple):
    """Everything that one run has measured.

    Attributes:
        samples: series → one sample a round.
        latency, memory: when they were measured.
        machine: what it ran on.
    """

    samples: Mapping[str, Sequence[Sample]]
    latency: Latency | None
    memory: Memory | None
    machine: Mapping[str, str]

    def ratios(self) -> list[Ratio]:
        """Those that the chosen parts allow."""
        return [
            Ratio(bar, tuple(own.rate / other.rate for own, other in zip(mine, theirs, strict=True)))
            for bar in BARS
            if (mine := self.samples.get(bar.part)) and (theirs := self.samples.get(bar.to))
        ]

    @property
    def is_met(self) -> bool:
        """Whether every bar that was measured is reached."""
        return (
            all(ratio.is_met for ratio in self.ratios())
            and (self.latency is None or self.latency.is_met)
            and (self.memory is None or self.memory.is_met)
        )

    def as_object(self) -> dict[str, Any]:
        """For `--json`."""
        found: dict[str, Any] = {
            "ratios": {ratio.bar.name: round(ratio.median, 3) for ratio in self.ratios()},
            "rates": {name: [round(each.rate) for each in series] for name, series in self.samples.items()},
            "cpu_s_per_1000": {
                name: {
                    "client": round(median(each.client_s for each in series), 4),
                    "broker": round(median(each.broker_s for each in series), 4),
                    "database": round(median(each.database_s for each in series), 4),
                }
                for name, series in self.samples.items()
            },
            "machine": dict(self.machine),
            "is_met": self.is_met,
        }
        if self.latency is not None:
            found["latency"] = self.latency.as_object()
        if self.memory is not None:
            found["memory"] = self.memory.as_object()
        return found


_RATIO_COLUMNS = {
    "zh": ("比值", "中位数", "最小–最大", "下限", "目标", "达到"),
    "en": ("ratio", "median", "min–max", "bar", "goal", "met"),
}
_RATE_COLUMNS = {
    "zh": ("序列", "条/秒 中位数", "最小–最大", "客户端 CPU 毫秒/千条", "代理 CPU", "数据库 CPU", "他人占用"),
    "en": ("series", "records/s median", "min–max", "client CPU ms/1000", "broker CPU", "database CPU", "others"),
}


def ratio_rows(found: Findings) -> list[tuple[str, ...]]:
    """Rows of the table of ratios."""
    return [
        (
            ratio.bar.name,
            f"{ratio.median:.2f}",
            f"{min(ratio.values):.2f}–{max(ratio.values):.2f}",
            f"≥ {ratio.bar.least:g}",
            "" if ratio.bar.goal is None else f"{ratio.bar.goal:g}",
            "✓" if ratio.is_met else "✗",
        )
        for ratio in found.ratios()
    ]


def rate_rows(found: Findings) -> list[tuple[str, ...]]:
    """Rows of the table of series."""
    return [
        (
            name,
            f"{median(each.rate for each in series):,.0f}",
            f"{min(each.rate for each in series):,.0f}–{max(each.rate for each in series):,.0f}",
            *(
                f"{median(each[place] for each in series) * 1000:.1f}" if any(each[place] for each in series) else ""
                for place in (1, 2, 3)
            ),
            f"{median(each.elsewhere for each in series):.0%}" if any(each.client_s for each in series) else "",
        )
        for name, series in found.samples.items()
    ]


def other_rows(found: Findings) -> list[tuple[str, ...]]:
    """Rows of the table of latency and memory: what, measured, allowed, met."""
    rows: list[tuple[str, ...]] = []
    if (latency := found.latency) is not None:
        sync = latency.fdatasync_ms
        rows += [
            ("latency p50 ms", f"{latency.p50_ms:.1f}", f"≤ {P50_MS:g}", _mark(is_met=latency.p50_ms <= P50_MS)),
            (
                "latency p99 ms",
                f"{latency.p99_ms:.1f}",
                f"≤ {P99_MS:g} + {sync:.1f} (fdatasync p99.9)",
                _mark(is_met=latency.p99_ms <= P99_MS + sync),
            ),
            (
                "rows committed late",
                f"{latency.late:.1%}",
                f"≤ {MOST_LATE:.0%}",
                _mark(is_met=latency.late <= MOST_LATE),
            ),
        ]
    if (memory := found.memory) is not None:
        growth = f"{memory.growth:+.1%}"
        rows += [
            ("memory MB", f"{memory.most_mb:.1f}", f"≤ {MEMORY_MB:g}", _mark(is_met=memory.most_mb <= MEMORY_MB)),
            (f"memory growth to {memory.records:,}", growth, f"≤ {GROWTH:.0%}", _mark(is_met=memory.growth <= GROWTH)),
        ]
    return rows


def _mark(*, is_met: bool) -> str:
    return "✓" if is_met else "✗"


def show(terminal: Terminal, found: Findings) -> None:
    """Print everything, and the object."""
    language = terminal.language
    terminal.say(zh="各序列", en="series")
    terminal.table(_RATE_COLUMNS[language], rate_rows(found))
    if rows := ratio_rows(found):
        terminal.say(zh="比值（每轮之内，再取中位数）", en="ratios")
        terminal.table(_RATIO_COLUMNS[language], rows)
    if rows := other_rows(found):
        columns = {"zh": ("量", "实测", "允许", "达到"), "en": ("quantity", "measured", "allowed", "met")}
        terminal.say(zh="时延与内存", en="latency and memory")
        terminal.table(columns[language], rows)
    terminal.result(found.as_object())


def page(found: Findings, *, command: str) -> str:
    """The page docs/reference/bench.md."""
    language: Language = "en"
    machine = "\n".join(f"- {name}: {value}" for name, value in found.machine.items())
    parts = [_INTRODUCTION, f"## This run\n\n`{command}`\n\n{machine}\n"]
    if rows := ratio_rows(found):
        parts.append("## Ratios\n\n" + _markdown(_RATIO_COLUMNS[language], rows))
    parts.append("## Series\n\n" + _markdown(_RATE_COLUMNS[language], rate_rows(found)))
    if rows := other_rows(found):
        parts.append("## Latency and memory\n\n" + _markdown(("quantity", "measured", "allowed", "met"), rows))
    return "\n".join(parts)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_INTRODUCTION = """\
# Bench

Written by `gateway bench --report FILE`. Absolute figures depend on the machine and on what else it does, so what
counts are ratios inside one run, everything interleaved round by round, each on a fresh vhost and a fresh store.

- *yardstick*: a raw socket writes frames that were encoded beforehand, 64 messages a write and at most 1,000
  unconfirmed, into one quorum queue with the arguments of `core`. Bodies and headers are those that the gateway
  publishes from the same rows.
- *naive*: a record at a time: SELECT, element tree, XSD, RSA-2048 signature, two SQLite commits, one confirm waited
  for (kombu); its values are mapped beforehand, and it knows neither rules nor keys nor a chain.
- *single*, *double*: one or two gateway processes: PostgreSQL, mapping, rules and XSD, seal, ledger (SQLite,
  synchronous=FULL), confirmed publish into the same kind of quorum queue; one record a message, a signed checkpoint
  after at most 256.
- *package*, *package-double*: the same with 50 records a message, counted in records.
- *pg-store*: *single* with the ledger in PostgreSQL; no bar.
- *yardstick-journal*, *single-journal*: both with the journal bound beside `core`, as in production: the broker then
  writes every message twice. No bar.
- *consume*: the core's library, every check on, a handler that only counts; *kombu*: kombu with raw bodies,
  prefetch 500, one acknowledgement a hundred messages, and no check.
- *latency*: from the return of a row's COMMIT to its confirm, one commit a row.

A rate is counted from the first confirm (or delivery) to the last. `others` is the share of the machine's CPU time
that went to processes which are not the bench's.
"""
