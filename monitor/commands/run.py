"""`gateway run`."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from monitor import logs
from monitor.bootstrap import build
from monitor.equation import show_equation, sources_object
from monitor.held import notes, read_causes, show_notes
from monitor.patience import patiently
from monitor.settings import load
from monitor.terminal import Exit, exit_codes
from monitor.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType
    from typing import Any

    from bus.ledger.values import Progress
    from monitor.running import Gateway
    from monitor.terminal import Terminal


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; what is committed stays, what is under way is finished or sent again."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    former = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def run_gateway(
    terminal: Terminal, config: Path, *, is_draining: bool, sources: Sequence[str], timeout_s: float
) -> None:
    """Run until a signal, or until everything is drained; print the equation."""
    with exit_codes(terminal) as known, stop_on_signals() as stop:
        settings = load(config)
        logs.configure(is_quiet=is_draining)
        gateway = patiently(terminal, lambda: build(settings, only=sources), timeout_s=timeout_s, stop=stop)
        tune()
        try:
            _work(terminal, gateway, stop, is_draining=is_draining, timeout_s=timeout_s)
        finally:
            progress = _show(terminal, gateway, known)
            gateway.close()
        terminal.result(known)
        if not all(p.equation.is_balanced for p in progress):
            raise SystemExit(Exit.FOUND)


def _work(terminal: Terminal, gateway: Gateway, stop: threading.Event, *, is_draining: bool, timeout_s: float) -> None:
    if not is_draining:
        names = ", ".join(run.name for run in gateway.runs)
        terminal.say(zh=f"运行中：{names}。按 Ctrl-C 停止。", en=f"Running: {names}. Stop with Ctrl-C.")
        gateway.run(stop, drain=False, timeout_s=timeout_s)
        return
    with terminal.progress(zh="已发布", en="published") as update:
        gateway.run(
            stop,
            drain=True,
            timeout_s=timeout_s,
            on_tick=lambda: update(sum(p.equation.published for p in gateway.progress())),
        )


def _show(terminal: Terminal, gateway: Gateway, known: dict[str, Any]) -> list[Progress]:
    """The equation and what is held back, on the screen and in the JSON object, also when the run has failed."""
    progress = gateway.progress()
    known["sources"] = sources_object(progress)
    show_equation(terminal, progress)
    show_notes(terminal, notes(progress, read_causes(gateway.ledger, progress)))
    return progress
