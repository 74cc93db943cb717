"""Settings of the interpreter for a process that moves records all day."""

from __future__ import annotations

import gc
from typing import Final

#: The path of a record makes some fifty tuples a record and no cycles, so the collector finds nothing: with its own
#: thresholds it takes 8 % of the gateway's CPU time (`gateway bench`).
_THRESHOLDS: Final = (50_000, 20, 50)


def tune() -> None:
    """Leave what was made at start out of every collection, and collect seldom; for the moment after the wiring."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
