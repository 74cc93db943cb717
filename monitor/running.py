"""Sources at work: two threads each, until a signal, or until everything is drained."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from bus.errors import ConfigurationError, ExchangeError, FatalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from bus.inbound import Inbound
    from bus.ledger.ledger import Ledger
    from bus.ledger.values import Progress
    from bus.ports import Transport
    from bus.relay import Relay
    from bus.topology import Topology

_log = structlog.get_logger(__name__)

_TICK_S: Final = 0.1


@dataclass(slots=True)
class SourceRun:
    """One source at work: its two halves, each in a thread of its own, and how they ended.

    Attributes:
        drained: the inbound half has ended, well or not.
        failures: what ended a half for good.
        is_mute: the publishing half has ended.
        trouble_at: since when (monotonic) a service has been away; None: none is.
        is_given_up: a service stayed away too long.
    """

    name: str
    inbound: Inbound
    relay: Relay
    drained: threading.Event = field(default_factory=threading.Event)
    failures: list[ExchangeError] = field(default_factory=list)
    is_mute: bool = False
    trouble_at: float | None = None
    is_given_up: bool = False

    def trouble(self) -> str | None:
        """Which service is away, or None."""
        return self.inbound.last_error or self.relay.last_error

    def start(self, halt: Event, *, drain: bool) -> list[threading.Thread]:
        """Start both halves."""
        self.drained.clear()
        self.failures.clear()
        self.trouble_at, self.is_given_up, self.is_mute = None, False, False
        threads = [
            threading.Thread(target=self._read, args=[halt], kwargs={"drain": drain}, name=f"read-{self.name}"),
            threading.Thread(target=self._publish, args=[halt], name=f"publish-{self.name}"),
        ]
        for thread in threads:
            thread.start()
        return threads

    def _read(self, halt: Event, *, drain: bool) -> None:
        with self._noted("read"):
            self.inbound.run(halt, drain=drain)
        self.drained.set()

    def _publish(self, halt: Event) -> None:
        with self._noted("publish"):
            self.relay.run(halt)

    @contextmanager
    def _noted(self, action: str) -> Iterator[None]:
        """How a half ended; a bug of our own ends it too, with its trace on stderr, and never unnoticed."""
        failure: ExchangeError | None = FatalError(f"{action}: ended by an internal error; its trace is on stderr")
        try:
            yield
            failure = None
        except ExchangeError as error:
            failure = error
        finally:
            if failure is not None:
                self.failures.append(failure)
                self.drained.set()
                self.is_mute = self.is_mute or action == "publish"
                _log.error("source has stopped", action=action, source=self.name, error=str(failure))

    def judge(self, timeout_s: float) -> None:
        """Give up when a service has been away for `timeout_s`."""
        if self.trouble() is None or self.is_given_up:
            self.trouble_at = None
            return
        self.trouble_at = self.trouble_at or time.monotonic()
        self.is_given_up = time.monotonic() - self.trouble_at >= timeout_s


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that `run` needs, wired.

    Attributes:
        ledger: the store.
        transport: the bus.
        topology: the model that the bus must follow.
        runs: one a source.
    """

    ledger: Ledger
    transport: Transport
    topology: Topology
    runs: tuple[SourceRun, ...]

    def run(self, stop: Event, *, drain: bool, timeout_s: float, on_tick: Callable[[], None] | None = None) -> None:
        """Run until `stop` is set, or, draining, until nothing is left to read or send. May be called again.

        A source that fails, or whose services stay away, does not end the others.

        Args:
            stop: set by a signal.
            drain: stop when every source has ended and everything is confirmed.
            timeout_s: how long, draining, a service may stay away.
            on_tick: called ten times a second from this thread.

        Raises:
            ConfigurationError: every failure of a source is one of its configuration.
            FatalError: a source has failed.
            TransientError: draining, and a service stayed away.
        """
        halt = threading.Event()
        threads = [thread for run in self.runs for thread in run.start(halt, drain=drain)]
        try:
            while not stop.wait(_TICK_S) and not self._is_done(drain=drain, timeout_s=timeout_s):
                if on_tick is not None:
                    on_tick()
        finally:
            halt.set()
            for run in self.runs:
                run.relay.wake.set()
            for thread in threads:
                thread.join()
        self._raise_failures()

    def _is_done(self, *, drain: bool, timeout_s: float) -> bool:
        if not drain:
            return all(run.failures for run in self.runs)
        for run in self.runs:
            run.judge(timeout_s)
        waiting = [run for run in self.runs if not (run.is_mute or run.is_given_up)]
        if not all(run.drained.is_set() for run in waiting):
            return False
        behind = {p.name for p in self.progress() if p.confirmed < p.seq}
        return not any(run.name in behind for run in waiting)

    def _raise_failures(self) -> None:
        failures = [(run.name, error) for run in self.runs for error in run.failures]
        if failures and all(isinstance(error, ConfigurationError) for _, error in failures):
            raise ConfigurationError([f"sources.{name}: {line}" for name, e in failures for line in str(e).split("\n")])
        if failures:
            raise FatalError("; ".join(f"{name}: {error}" for name, error in failures))
        away = [f"{run.name}: {run.trouble()}" for run in self.runs if run.is_given_up]
        if away:
            raise TransientError("; ".join(away))

    def progress(self) -> list[Progress]:
        """How far the configured sources have come."""
        names = {run.name for run in self.runs}
        return [progress for progress in self.ledger.progress() if progress.name in names]

    def close(self) -> None:
        """Release the store."""
        self.ledger.close()
