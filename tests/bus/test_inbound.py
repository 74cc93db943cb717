"""One source's loop: retry and back-off live here, nothing is acknowledged before it is durable."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bus import clock, inbound
from bus.errors import EndOfSource, FatalError, TransientError
from bus.inbound import Inbound, InboundOptions
from bus.message import Batch
from bus.ports import SourceAdapter
from tests.bus.parts import FakeNotices, FakeTranslator, FakeValidator, row
from tests.bus.test_intake import AT, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.ledger.ledger import Ledger
    from bus.message import Record
    from bus.ports import KeyIndex

QUICK = InboundOptions(poll_s=0.01, max_records=10, longest_wait_s=0.02)


class Scripted(SourceAdapter):
    """Plays a script: records, an exception, or nothing."""

    def __init__(self, *script: Sequence[Record] | Exception) -> None:
        self.script = list(script)
        self.opened: list[tuple[str | None, bool]] = []
        self.acknowledged: list[str] = []
        self.closed = 0
        self.reads = 0

    def open(self, keys: KeyIndex, *, position: str | None, drain: bool) -> None:
        assert keys.parked("no-parent") == []
        self.opened.append((position, drain))

    def read(self, max_records: int) -> Batch:
        assert max_records == 10
        self.reads += 1
        step = self.script.pop(0) if self.script else ()
        if isinstance(step, Exception):
            raise step
        return Batch(tuple(step), f"p{self.reads}", AT, AT + timedelta(hours=1), unassigned=len(step))

    def acknowledge(self, position: str) -> None:
        self.acknowledged.append(position)

    def close(self) -> None:
        self.closed += 1


def loop(source: Source, adapter: Scripted, woken: list[int] | None = None) -> Inbound:
    return Inbound(
        adapter,
        open_ledger=source.open,
        translator=FakeTranslator(),
        validator=FakeValidator(),
        notices=FakeNotices(),
        is_explicit=True,
        options=QUICK,
        on_append=lambda: (woken if woken is not None else []).append(1),
    )


@pytest.fixture
def source(ledger: Ledger) -> Source:
    return Source(ledger)


def test_a_drained_source_ends(source: Source) -> None:
    adapter, woken = Scripted([row("1")], [row("2"), row("3")], EndOfSource()), list[int]()
    loop(source, adapter, woken).run(threading.Event(), drain=True)
    assert adapter.opened == [(None, True)]
    assert adapter.acknowledged == ["p1", "p2"]
    assert (source.equation.read, source.ledger.progress()[0].unassigned) == (3, 3)
    assert woken == [1, 1]
    assert adapter.closed >= 1


def test_after_a_failure_it_goes_on_from_the_committed_position(source: Source) -> None:
    adapter = Scripted([row("1")], TransientError("gone"), TransientError("still gone"), [row("2")], EndOfSource())
    runner = loop(source, adapter)
    runner.run(threading.Event(), drain=True)
    assert [position for position, _ in adapter.opened] == [None, "p1", "p1"]
    assert source.equation.read == 2
    assert runner.last_error is None


def test_what_keeps_it_from_reading_is_told(source: Source) -> None:
    adapter, stop = Scripted(*[TransientError("the platform is away")] * 1000), threading.Event()
    runner = loop(source, adapter)
    thread = threading.Thread(target=runner.run, args=[stop], kwargs={"drain": False})
    thread.start()
    deadline = time.monotonic() + 5
    while runner.last_error is None and time.monotonic() < deadline:
        time.sleep(0.005)
    stop.set()
    thread.join()
    assert runner.last_error == "the platform is away"


def test_a_fatal_error_ends_the_source_and_closes_it(source: Source) -> None:
    adapter = Scripted([row("1")], FatalError("too much has vanished"))
    with pytest.raises(FatalError, match="too much has vanished"):
        loop(source, adapter).run(threading.Event(), drain=False)
    assert adapter.closed == 2
    assert source.equation.read == 1


def test_a_row_that_comes_twice_in_a_batch_is_taken_in_turn(source: Source) -> None:
    adapter = Scripted([row("1"), row("1", text="b", changed_at="t2")], EndOfSource())
    loop(source, adapter).run(threading.Event(), drain=True)
    assert source.equation.conflict == 1
    assert source.open().intake.position == "p1"


def test_an_idle_source_notes_now_and_then_that_it_was_read(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, stop = Scripted([row("1")]), threading.Event()
    monkeypatch.setattr(inbound, "_QUIET_S", 0.05)
    thread = threading.Thread(target=loop(source, adapter).run, args=[stop], kwargs={"drain": False})
    thread.start()
    deadline = time.monotonic() + 5
    while len(adapter.acknowledged) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    stop.set()
    thread.join()
    assert len(adapter.acknowledged) >= 3
    assert adapter.reads > len(adapter.acknowledged)
    read_at = source.ledger.progress()[0].read_at
    assert read_at is not None
    assert clock.from_text(read_at) == AT


def test_times_are_written_in_utc_with_milliseconds() -> None:
    text = clock.to_text(clock.from_text("2010-03-01T10:03:04.567890+08:00"))
    assert text == "2010-03-01T02:03:04.567Z"
    assert clock.now().tzinfo is not None
