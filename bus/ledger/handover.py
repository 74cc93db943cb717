"""Entries on their way from the intake to the outbox of the same process, so that the relay need not read them again.

A short cut and nothing else: what is in it has been committed, what is not in it is read from the store.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.message import Entry

#: Entries held at most, some 5 MB; a relay that is further behind reads the store.
LIMIT: Final = 2_000


class Handover:
    """Of one epoch of one stream; one thread puts, another one takes."""

    def __init__(self) -> None:
        self._runs: deque[Sequence[Entry]] = deque()
        self._lock = Lock()

    def put(self, entries: Sequence[Entry]) -> None:
        """Consecutive entries that have just been committed; left out when too many wait."""
        with self._lock:
            if entries and sum(map(len, self._runs)) + len(entries) <= LIMIT:
                self._runs.append(entries)

    def take(self, *, after: int, limit: int) -> Sequence[Entry]:
        """Entries with seq > `after`, in order and without a hole, at most `limit`; none = ask the store.

        What was taken stays until something behind it is asked for: a relay that goes back may find it again.
        """
        taken: list[Entry] = []
        with self._lock:
            while self._runs and self._runs[0][-1].seq <= after:
                self._runs.popleft()
            for run in self._runs:
                start = after + 1 + len(taken) - run[0].seq
                if start < 0 or len(taken) >= limit:
                    break
                taken += run[start : start + limit - len(taken)]
        return taken
