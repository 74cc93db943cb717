"""The handover gives what was put, in order and without a hole, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.ledger.handover import LIMIT, Handover
from bus.message import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence


def entries(first: int, last: int) -> list[Entry]:
    return [
        Entry(seq, "record", "SL", "SL", f"440604:SL:{seq}:1", str(seq), b"", b"", b"", "", "", "", b"")
        for seq in range(first, last + 1)
    ]


def seqs(taken: Sequence[Entry]) -> list[int]:
    return [entry.seq for entry in taken]


def test_runs_are_joined_and_cut_to_the_limit() -> None:
    handover = Handover()
    handover.put([])
    handover.put(entries(1, 3))
    handover.put(entries(4, 6))
    assert seqs(handover.take(after=0, limit=5)) == [1, 2, 3, 4, 5]
    assert seqs(handover.take(after=2, limit=9)) == [3, 4, 5, 6]
    assert seqs(handover.take(after=1, limit=1)) == [2]
    assert seqs(handover.take(after=6, limit=9)) == []


def test_nothing_is_given_across_a_hole() -> None:
    handover = Handover()
    handover.put(entries(5, 6))
    assert seqs(handover.take(after=3, limit=9)) == []
    handover.put(entries(9, 9))
    assert seqs(handover.take(after=4, limit=9)) == [5, 6]
    assert seqs(handover.take(after=6, limit=9)) == []
    assert seqs(handover.take(after=8, limit=9)) == [9]


def test_a_relay_far_behind_is_sent_to_the_store() -> None:
    handover = Handover()
    handover.put(entries(1, LIMIT))
    handover.put(entries(LIMIT + 1, LIMIT + 1))
    assert seqs(handover.take(after=LIMIT - 1, limit=9)) == [LIMIT]
    assert seqs(handover.take(after=LIMIT, limit=9)) == []
    handover.put(entries(LIMIT + 2, LIMIT + 2))
    assert seqs(handover.take(after=LIMIT + 1, limit=9)) == [LIMIT + 2]
