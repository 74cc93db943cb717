"""A service that is away is waited for, as long as the user said, and no longer."""

from __future__ import annotations

import threading
import time

import pytest

from bus.errors import FatalError, TransientError
from monitor.patience import patiently
from monitor.terminal import Stopped, Terminal

TERMINAL = Terminal("en", is_json=False)


class Service:
    """Away for the first `failures` calls."""

    def __init__(self, failures: float) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise TransientError("no\nanswer")
        return "there"


def test_a_service_that_comes_back_is_used_and_its_absence_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    service = Service(2)
    assert patiently(TERMINAL, service, timeout_s=10) == "there"
    assert service.calls == 3
    assert capsys.readouterr() == ("", "a service is away, trying for 10 s more: no answer\n")


def test_after_the_time_the_error_stands(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    with pytest.raises(TransientError, match="no\nanswer"):
        patiently(None, Service(float("inf")), timeout_s=0.5)
    assert 0.5 <= time.monotonic() - began < 2
    assert capsys.readouterr() == ("", "")


def test_without_patience_there_is_one_try() -> None:
    service = Service(1)
    with pytest.raises(TransientError):
        patiently(TERMINAL, service, timeout_s=0)
    assert service.calls == 1


def test_what_waiting_does_not_mend_is_raised_at_once() -> None:
    def broken() -> None:
        raise FatalError("broken")

    with pytest.raises(FatalError):
        patiently(TERMINAL, broken, timeout_s=60)


def test_a_signal_ends_the_waiting() -> None:
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        patiently(TERMINAL, Service(float("inf")), timeout_s=60, stop=stop)
    assert time.monotonic() - began < 5
    timer.join()
