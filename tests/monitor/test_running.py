"""Sources at work: one that fails or waits does not end the others, and nothing ends unnoticed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from bus.errors import ConfigurationError, ExchangeError, FatalError, TransientError
from bus.ledger.values import Equation, Progress
from monitor.running import Gateway, SourceRun

if TYPE_CHECKING:
    from collections.abc import Callable


class Half:
    """Stands in for Inbound and Relay: does what it is told."""

    def __init__(self, work: Callable[[threading.Event], None], *, last_error: str | None = None) -> None:
        self.work = work
        self.last_error = last_error
        self.wake = threading.Event()

    def run(self, halt: threading.Event, **_options: bool) -> None:
        """See Inbound and Relay."""
        self.work(halt)


class Store:
    """A ledger whose sources have come so far: name → (seq, confirmed)."""

    def __init__(self, **places: tuple[int, int]) -> None:
        self.places = places
        self.is_closed = False

    def progress(self) -> list[Progress]:
        """See Ledger."""
        zero = Equation(*[0] * 9)
        return [
            Progress(name, f"t/{name}", 1, seq, seq, confirmed, None, None, 0, zero)
            for name, (seq, confirmed) in self.places.items()
        ]

    def close(self) -> None:
        """See Ledger."""
        self.is_closed = True


def until_halt(halt: threading.Event) -> None:
    """Work until told to stop."""
    halt.wait(10)


def at_once(_halt: threading.Event) -> None:
    """Have nothing to do."""


def failing(error: Exception) -> Callable[[threading.Event], None]:
    """End with an error."""

    def work(_halt: threading.Event) -> None:
        raise error

    return work


def source(name: str, read: Half, publish: Half | None = None) -> SourceRun:
    """A source made of two halves."""
    return SourceRun(name, cast("Any", read), cast("Any", publish or Half(until_halt)))


def gateway(store: Store, *runs: SourceRun) -> Gateway:
    """A gateway of these sources."""
    return Gateway(cast("Any", store), cast("Any", None), cast("Any", None), runs)


def drain(made: Gateway, *, timeout_s: float = 10, within_s: float = 5) -> None:
    """Drain, and fail rather than hang."""
    stop = threading.Event()
    timer = threading.Timer(within_s, stop.set)
    timer.start()
    try:
        made.run(stop, drain=True, timeout_s=timeout_s)
    finally:
        timer.cancel()
        timer.join()
    assert not stop.is_set(), "did not end by itself"


def test_draining_ends_when_everything_read_is_confirmed_and_may_be_done_again() -> None:
    store = Store(a=(3, 0), other=(9, 0))
    made = gateway(store, source("a", Half(at_once)))
    timer = threading.Timer(0.4, lambda: store.places.update(a=(3, 3)))
    began = time.monotonic()
    timer.start()
    drain(made)
    assert time.monotonic() - began >= 0.4
    timer.join()
    drain(made)
    assert [p.name for p in made.progress()] == ["a"]
    made.close()
    assert store.is_closed


def test_a_source_that_fails_lets_the_others_finish() -> None:
    finished: list[str] = []

    def slow(_halt: threading.Event) -> None:
        time.sleep(0.5)
        finished.append("b")

    made = gateway(Store(a=(1, 1), b=(1, 1)), source("a", Half(failing(FatalError("gone")))), source("b", Half(slow)))
    with pytest.raises(FatalError, match="a: gone"):
        drain(made)
    assert finished == ["b"]


def test_what_a_failed_source_had_committed_is_still_published() -> None:
    store = Store(a=(2, 0))
    timer = threading.Timer(0.3, lambda: store.places.update(a=(2, 2)))
    timer.start()
    with pytest.raises(FatalError):
        drain(gateway(store, source("a", Half(failing(FatalError("gone"))))))
    assert store.places["a"] == (2, 2)
    timer.join()


def test_faults_of_configuration_alone_are_faults_of_configuration() -> None:
    errors = ConfigurationError(["options.url: no such table", "x: y"])
    made = gateway(Store(a=(0, 0)), source("a", Half(failing(errors))))
    with pytest.raises(ConfigurationError) as caught:
        drain(made)
    assert caught.value.problems == ("sources.a: options.url: no such table", "sources.a: x: y")


def test_a_relay_that_fails_is_not_waited_for() -> None:
    made = gateway(Store(a=(5, 0)), source("a", Half(at_once), Half(failing(FatalError("two writers")))))
    with pytest.raises(FatalError, match="a: two writers"):
        drain(made)


def test_a_service_that_stays_away_is_given_up_after_the_time_and_named() -> None:
    away = source("a", Half(until_halt, last_error="no answer"))
    mute = source("b", Half(at_once), Half(until_halt, last_error="broker away"))
    made = gateway(Store(a=(0, 0), b=(1, 0), c=(1, 1)), away, mute, source("c", Half(at_once)))
    began = time.monotonic()
    with pytest.raises(TransientError, match="a: no answer; b: broker away"):
        drain(made, timeout_s=0.5)
    assert time.monotonic() - began >= 0.5


def test_a_service_that_comes_back_in_time_is_no_trouble() -> None:
    half = Half(until_halt, last_error="no answer")

    def work(_halt: threading.Event) -> None:
        time.sleep(0.3)
        half.last_error = None
        time.sleep(0.4)

    half.work = work
    drain(gateway(Store(a=(0, 0)), source("a", half)), timeout_s=0.5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_of_our_own_ends_its_source_and_not_in_silence() -> None:
    made = gateway(Store(a=(0, 0)), source("a", Half(failing(ZeroDivisionError("bug")))))
    with pytest.raises(FatalError, match="a: read: ended by an internal error"):
        drain(made)


def test_a_service_runs_until_the_signal_and_ticks() -> None:
    stop, ticks = threading.Event(), list[float]()
    made = gateway(Store(a=(0, 0)), source("a", Half(until_halt)))
    timer = threading.Timer(0.45, stop.set)
    timer.start()
    made.run(stop, drain=False, timeout_s=0, on_tick=lambda: ticks.append(time.monotonic()))
    assert 2 <= len(ticks) <= 4
    timer.join()


def test_a_service_goes_on_while_one_source_works_and_ends_when_none_does() -> None:
    stop = threading.Event()
    errors: tuple[ExchangeError, ...] = (FatalError("x"), FatalError("y"))

    def later(_halt: threading.Event) -> None:
        time.sleep(0.3)
        raise errors[1]

    made = gateway(Store(a=(0, 0), b=(0, 0)), source("a", Half(failing(errors[0]))), source("b", Half(later)))
    began = time.monotonic()
    with pytest.raises(FatalError, match="a: x; b: y"):
        made.run(stop, drain=False, timeout_s=0)
    assert 0.3 <= time.monotonic() - began < 5
