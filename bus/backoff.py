"""Back off and try again while a service is away: once, for every loop of the runtime (docs/decisions/0001)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from tenacity import Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set

from bus.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from tenacity import RetryCallState

_log = structlog.get_logger(__name__)

_FIRST_WAIT_S: Final = 0.1


class Backoff:
    """Runs a session again after each TransientError; the pause doubles until something has worked again.

    Args:
        action: of the log line, e.g. `publish`.
        longest_wait_s: the longest pause.

    Attributes:
        last_error: what keeps the session from working, or None.
    """

    def __init__(self, action: str, *, longest_wait_s: float) -> None:
        self._action = action
        self._longest_wait_s = longest_wait_s
        self._failures = 0
        self.last_error: str | None = None

    def run(self, session: Callable[[], None], stop: Event) -> None:
        """Until the session ends by itself or `stop` is set.

        Raises:
            Whatever the session raises but TransientError.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            wait=self._pause_s,
            sleep=sleep_using_event(stop),
            stop=stop_when_event_set(stop),
            reraise=True,
            before_sleep=self._note,
        )
        try:
            retrying(session)
        except TransientError:
            if not stop.is_set():
                raise

    def worked(self) -> None:
        """The service has answered: the next failure is a first one again."""
        self._failures, self.last_error = 0, None

    def _pause_s(self, state: RetryCallState) -> float:
        error = _error(state)
        if isinstance(error, TransientError) and error.retry_after_s is not None:
            return error.retry_after_s
        return min(self._longest_wait_s, _FIRST_WAIT_S * 2.0 ** min(self._failures, 20))

    def _note(self, state: RetryCallState) -> None:
        self._failures += 1
        self.last_error = str(_error(state))
        _log.warning("away", action=self._action, failures=self._failures, error=self.last_error)


def _error(state: RetryCallState) -> BaseException | None:
    assert state.outcome is not None
    return state.outcome.exception()
