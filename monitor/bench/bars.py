"""What is asked of the gateway, as ratios inside one run."""

from __future__ import annotations

from typing import Final, NamedTuple


class Bar(NamedTuple):
    """One ratio.

    Attributes:
        name: as in `--json`.
        part: that measures it.
        to: what it is a ratio to, the name of a series.
        least: the bar; below it the bench exits with 1.
        goal: what is hoped for, or None.
    """

    name: str
    part: str
    to: str
    least: float
    goal: float | None = None


BARS: Final = (
    Bar("single_to_yardstick", "single", "yardstick", 0.38, 0.45),
    Bar("single_to_naive", "single", "naive", 25.0),
    Bar("double_to_yardstick", "double", "yardstick", 0.48, 0.55),
    Bar("package_to_yardstick", "package", "yardstick", 0.60, 0.80),
    Bar("package_double_to_yardstick", "package-double", "yardstick", 0.90, 1.15),
    Bar("consume_to_kombu", "consume", "kombu", 1.3),
)

#: Of `latency`, in milliseconds; the second is allowed the disk's own fdatasync p99.9 on top.
P50_MS: Final = 20.0
P99_MS: Final = 40.0
#: With more rows committed late than this, the rate was not what it should be, and nothing is proved.
MOST_LATE: Final = 0.01
#: Of `memory`: resident megabytes, and growth from 10,000 records to the last.
MEMORY_MB: Final = 150.0
GROWTH: Final = 0.03

#: Parts that are interleaved, round by round, and those that run once at the end.
ROUND_PARTS: Final = ("single", "double", "package", "package-double", "consume", "pg-store", "journal")
LAST_PARTS: Final = ("latency", "memory")
PARTS: Final = (*ROUND_PARTS, *LAST_PARTS)
