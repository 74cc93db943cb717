"""The collector is told once what lives for ever."""

from __future__ import annotations

import gc

from monitor.tuning import tune


def test_what_was_made_at_start_is_left_out_of_collections() -> None:
    before = gc.get_threshold()
    try:
        tune()
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold()[0] == 50_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert gc.get_freeze_count() == 0
