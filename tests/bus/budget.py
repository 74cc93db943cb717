"""Measures the hot paths beside a yardstick; run by a test in a process of its own, where nothing traces.

`python -m tests.bus.budget` prints microseconds of CPU time a record. The yardstick is plain Python of the same sort;
it takes 1.15 µs on the machine that the budgets speak of, so a busy one can be told from slower code.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import timeit
from typing import TYPE_CHECKING

from bus.envelope import Wrapper
from bus.seal import Leaf, Sealer
from bus.verify import Verifier
from tests.bus.journals import KEY_HASH, STREAM, TRUST, new_entry, write

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 500


def yardstick() -> list[dict[str, object]]:
    """A hash, a text and a small dictionary for each of `COUNT`."""
    made: list[dict[str, object]] = []
    for number in range(COUNT):
        digest = hashlib.sha256(bytes(400)).hexdigest()
        made.append({"place": f"stream/e1/{number}", "digest": digest, "head": bytes.fromhex(digest)})
    return made


def costs() -> dict[str, float]:
    """Microseconds a record of 1.5 KB."""
    entries = write([new_entry(n, case=f"1000{n:06d}", text="x" * 1450) for n in range(1, COUNT + 1)]).entries
    wrapper, sealer = Wrapper(STREAM), Sealer(STREAM.name, 1, KEY_HASH)
    leaves = [Leaf("record", e.key, e.row_digest, e.payload_digest, "s", "m", e.collected_at) for e in entries]
    alone = [wrapper.wrap(entry) for entry in entries]
    packages = [wrapper.wrap_package(entries[n : n + 50]) for n in range(0, COUNT, 50)]

    def feed_alone() -> None:
        verifier = Verifier(TRUST)
        for message in alone:
            verifier.feed(message)

    def feed_packages() -> None:
        verifier = Verifier(TRUST)
        for message in packages:
            verifier.feed(message)

    tasks: dict[str, Callable[[], object]] = {
        "yardstick": yardstick,
        "seal": lambda: sealer.seal(bytes(32), 1, leaves),
        "wrap": lambda: [wrapper.wrap(entry) for entry in entries],
        "wrap_package": lambda: [wrapper.wrap_package(entries[n : n + 50]) for n in range(0, COUNT, 50)],
        "verify": feed_alone,
        "verify_package": feed_packages,
    }
    best = dict.fromkeys(tasks, 1e9)
    for _ in range(15):  # interleaved, so that what else runs on the machine hits all alike
        for name, task in tasks.items():
            best[name] = min(best[name], timeit.timeit(task, timer=time.process_time, number=1) / COUNT * 1e6)
    return best


if __name__ == "__main__":
    sys.stdout.write(json.dumps(costs()) + "\n")
