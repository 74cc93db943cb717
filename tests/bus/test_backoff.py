"""Back-off: longer each time, as long as the other side asks, from the start again once something worked."""

from __future__ import annotations

import threading
import time

import pytest

from bus.backoff import Backoff
from bus.errors import FatalError, TransientError


class Session:
    """Fails as told, then ends."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.at: list[float] = []

    def __call__(self) -> None:
        self.at.append(time.monotonic())
        if self.errors:
            raise self.errors.pop(0)

    @property
    def pauses(self) -> list[float]:
        return [b - a for a, b in zip(self.at, self.at[1:], strict=False)]


def test_pauses_double_up_to_the_longest() -> None:
    session = Session(*[TransientError("away")] * 3)
    Backoff("read", longest_wait_s=0.15).run(session, threading.Event())
    first, second, third = session.pauses
    assert 0.1 <= first < 0.15 <= second < 0.3
    assert 0.15 <= third < 0.3


def test_a_pause_that_was_asked_for_is_kept() -> None:
    session = Session(TransientError("busy", retry_after_s=0.01))
    Backoff("read", longest_wait_s=60).run(session, threading.Event())
    assert session.pauses[0] < 0.1


def test_after_success_the_next_failure_is_a_first_one() -> None:
    backoff = Backoff("read", longest_wait_s=60)
    seen: list[str | None] = []

    def session() -> None:
        seen.append(backoff.last_error)
        backoff.worked()
        seen.append(backoff.last_error)
        if len(seen) < 6:
            raise TransientError("away")

    began = time.monotonic()
    backoff.run(session, threading.Event())
    assert seen == [None, None, "away", None, "away", None]
    assert time.monotonic() - began < 0.35


def test_stopping_ends_the_waiting_without_an_error() -> None:
    stop = threading.Event()
    session = Session(TransientError("away", retry_after_s=60))
    thread = threading.Thread(target=Backoff("read", longest_wait_s=60).run, args=[session, stop])
    thread.start()
    time.sleep(0.05)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_other_errors_are_not_retried() -> None:
    session = Session(FatalError("no"))
    with pytest.raises(FatalError):
        Backoff("read", longest_wait_s=60).run(session, threading.Event())
    assert len(session.at) == 1
