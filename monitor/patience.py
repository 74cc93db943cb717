"""How long a command waits for a service that is away (`--timeout`)."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, sleep_using_event, stop_after_delay

from bus.errors import TransientError
from monitor.terminal import Stopped, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

    from monitor.terminal import Terminal

_LONGEST_WAIT_S: Final = 5.0
_Made = TypeVar("_Made")


def patiently(
    terminal: Terminal | None, work: Callable[[], _Made], *, timeout_s: float, stop: Event | None = None
) -> _Made:
    """Do `work`; while a service is away, say so once and try again until `timeout_s` has passed.

    Args:
        terminal: is told of the first failure; None: nobody is.
        work: may be done several times.
        timeout_s: 0: one try.
        stop: set by a signal: ends the waiting.

    Raises:
        TransientError: still away after `timeout_s`.
        Stopped: `stop` was set.
    """
    stop = stop or Event()
    until = time.monotonic() + timeout_s

    def pause_s(state: RetryCallState) -> float:
        return min(0.1 * 2.0 ** min(state.attempt_number, 10), _LONGEST_WAIT_S, max(until - time.monotonic(), 0.01))

    def notice(state: RetryCallState) -> None:
        assert state.outcome is not None
        if state.attempt_number == 1 and terminal is not None:
            error = state.outcome.exception()
            assert isinstance(error, TransientError)
            reason = one_line(error)
            terminal.warn(
                zh=f"服务不可用，最多再试 {timeout_s:g} 秒：{reason}",
                en=f"a service is away, trying for {timeout_s:g} s more: {reason}",
            )

    def attempt() -> _Made:
        if stop.is_set():
            raise Stopped
        return work()

    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_delay(timeout_s),
        wait=pause_s,
        sleep=sleep_using_event(stop),
        before_sleep=notice,
        reraise=True,
    )
    return retrying(attempt)
