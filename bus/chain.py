"""What a verifier knows of one epoch of one stream (docs/reference/stream.md §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.findings import Hole, State
from bus.seal import Sealer

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = tuple[str, int]
"""Stream and epoch."""


class Chain:
    """One epoch of one stream.

    Attributes:
        seq, head: the highest that has arrived (or that a checkpoint covers) and the head after it.
        signed: the highest covered by a good checkpoint.
        anchor: where the unbroken chain that ends at `seq` begins.
        holes: below `seq`, in rising order.
        is_silent: the first hole is where the verifier began, not what somebody lost.
    """

    __slots__ = ("anchor", "head", "holes", "is_silent", "place", "recent", "sealer", "seq", "signed", "size")

    def __init__(self, place: Place, key_hash: bytes, size: int, *, is_silent: bool) -> None:
        self.place = place
        self.sealer = Sealer(*place, key_hash)
        self.seq, self.head, self.signed, self.anchor = 0, self.sealer.genesis(), 0, 1
        self.holes: list[Hole] = []
        self.is_silent = is_silent
        self.size = size
        self.recent: dict[int, tuple[int, bytes, bytes]] = {}  # seq modulo size → seq, leaf, head (b"" unknown)

    def remember(self, first: int, leaves: Sequence[bytes], heads: Sequence[bytes]) -> None:
        """Keep leaves and heads of a run, so that it can be compared when it comes again."""
        for seq, leaf, head in zip(range(first, first + len(leaves)), leaves, heads, strict=True):
            self.recent[seq % self.size] = (seq, leaf, head)

    def recall(self, seq: int) -> tuple[bytes, bytes] | None:
        """Leaf and head of `seq` (the head b"" when unknown), or None when they are forgotten."""
        found = self.recent.get(seq % self.size)
        return (found[1], found[2]) if found is not None and found[0] == seq else None

    def head_at(self, seq: int) -> bytes:
        """Head after `seq`, b"" when unknown."""
        if seq == self.seq:
            return self.head
        if seq == 0:
            return self.sealer.genesis()
        if found := self.recall(seq):
            return found[1]
        for hole in self.holes:
            if hole.first - 1 == seq and hole.before:
                return hole.before
            if hole.last == seq and not hole.leaves:
                return hole.after
        return b""

    def hole_of(self, seq: int) -> Hole | None:
        """The hole that `seq` lies in."""
        return next((hole for hole in self.holes if hole.first <= seq <= hole.last), None)

    def is_new(self, seq: int) -> bool:
        """Whether `seq` has not arrived yet."""
        return seq > self.seq or self.hole_of(seq) is not None

    def fits_behind(self, head: bytes, last: int) -> bool:
        """Whether what stands behind `last` continues from `head`, as far as that is known."""
        hole = self.hole_of(last)
        if hole is not None and hole.last == last and hole.leaves:
            return self.sealer.chain(head, hole.leaves)[-1] == hole.after
        return True

    def fill(self, first: int, leaves: tuple[bytes, ...], head: bytes) -> list[tuple[int, int]]:
        """Take `first` … out of the holes; returns the holes that are closed."""
        last, holes, closed = first + len(leaves) - 1, list[Hole](), list[tuple[int, int]]()
        for hole in self.holes:
            if hole.last < first or hole.first > last:
                holes.append(hole)
                continue
            if hole.first < first:
                holes.append(hole._replace(last=first - 1, leaves=leaves, after=head))
            if hole.last > last:
                holes.append(hole._replace(first=last + 1, before=head))
            if first <= hole.first and hole.last <= last:
                closed.append((hole.first, hole.last))
        self.holes = holes
        return closed

    def state(self) -> State:
        """What is to be kept."""
        return State(*self.place, self.seq, self.head, self.signed, self.anchor, tuple(self.holes))
