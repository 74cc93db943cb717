"""The error taxonomy: an error's type says what the runtime will do (docs/decisions/0001).

ExchangeError
├── ConfigurationError   stop at start; every problem listed
├── TransientError       back off and try again; nothing is lost, nothing is acknowledged
├── RejectedError        this one record goes to quarantine (or a dead letter) with all its faults
├── FatalError           stop this endpoint, keep its messages, say what an operator has to do
└── BatchError           some members failed; the failures are named by index
EndOfSource              not an error: a source that drains has nothing left
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.message import Fault


class ExchangeError(Exception):
    """Head of the tree; never raised itself."""


class ConfigurationError(ExchangeError):
    """The deployment cannot start.

    Attributes:
        problems: one text a problem, each `file:line:column: key: what is wrong and what to do`.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class TransientError(ExchangeError):
    """A service is away or busy: the runtime backs off (tenacity) and tries the same thing again.

    Attributes:
        retry_after_s: how long the other side asked us to wait, or None.
    """

    def __init__(self, text: str, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(text)


class RejectedError(ExchangeError):
    """One record (or one message at a consumer) cannot be used; it is kept with its faults.

    Attributes:
        faults: every fault found, not the first one only.
    """

    def __init__(self, text: str, *, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        super().__init__(text)


class FatalError(ExchangeError):
    """This endpoint stops and keeps its messages; the text says what an operator has to do."""


class BatchError(ExchangeError):
    """Some members of a batch failed.

    Attributes:
        failures: index in the batch → its error.
    """

    def __init__(self, failures: Mapping[int, ExchangeError]) -> None:
        self.failures = dict(failures)
        super().__init__("; ".join(f"[{i}] {e}" for i, e in sorted(self.failures.items())))


class EndOfSource(Exception):  # noqa: N818 - a signal, named like StopIteration
    """A draining source has handed on everything that was committed before it started, and has swept its keys."""
