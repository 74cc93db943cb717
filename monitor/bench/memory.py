"""Resident memory of one gateway process from the first ten thousand records to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.bench.bars import GROWTH, MEMORY_MB
from monitor.bench.material import GatewayOptions
from monitor.bench.processes import run_together

if TYPE_CHECKING:
    from monitor.bench.material import Bench

FROM_RECORDS: Final = 10_000
_DIVISION: Final = "chancheng"


class Memory(NamedTuple):
    """What was seen.

    Attributes:
        records: how many went through.
        early_mb: at 10,000 records.
        late_mb: the median of the last tenth.
        most_mb: the most.
    """

    records: int
    early_mb: float
    late_mb: float
    most_mb: float

    @property
    def growth(self) -> float:
        """From early to late."""
        return self.late_mb / self.early_mb - 1

    @property
    def is_met(self) -> bool:
        """Whether it is small and flat."""
        return self.most_mb <= MEMORY_MB and self.growth <= GROWTH

    def as_object(self) -> dict[str, Any]:
        """For `--json`."""
        return {**self._asdict(), "growth": round(self.growth, 4), "is_met": self.is_met}


def measure_memory(bench: Bench, records: int) -> Memory:
    """Drain a platform of `records` rows, packages as in production."""
    url = bench.platform(_DIVISION, records)
    with bench.vhost() as bus:
        options = GatewayOptions("auto", url=url, records=records)
        (found,) = run_together([bench.gateway(_DIVISION, bus, options)])
    early = [kb for count, kb in found.memory if count >= min(FROM_RECORDS, records // 10)]
    tail = sorted(early[-max(1, len(early) // 10) :])
    return Memory(records, early[0] / 1024, tail[len(tail) // 2] / 1024, max(early) / 1024)
