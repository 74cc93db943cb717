"""`gateway status`: judged by progress, not by whether a process exists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import make_url

from bus import clock
from bus.ledger.ledger import Ledger
from bus.ledger.store import check_url
from monitor.equation import show_equation, sources_object
from monitor.held import held_object, notes, read_causes, show_notes
from monitor.patience import patiently
from monitor.settings import load
from monitor.terminal import Exit, exit_codes
from monitor.texts import duration, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.ledger.ledger import Cause
    from bus.ledger.values import Progress
    from monitor.settings import Settings
    from monitor.terminal import Terminal
    from monitor.texts import Language

Verdict = Literal["working", "up-to-date", "not-reading", "not-confirmed", "unbalanced"]

_SILENT_S: Final = 30.0
"""An idle source is noted as read every 10 s."""

_VERDICTS: Final[Mapping[Verdict, tuple[str, str]]] = {
    "working": ("正在发布", "publishing"),
    "up-to-date": ("已跟上", "up to date"),
    "not-reading": ("未在读取", "not reading"),
    "not-confirmed": ("总线未确认", "bus not confirming"),
    "unbalanced": ("不平衡！", "UNBALANCED"),
}
_LABELS: Final[Mapping[Language, tuple[str, ...]]] = {
    "zh": ("判断", "上次读取", "上次确认", "已封序号", "已试发", "已确认", "落后", "纪元", "无人认领的行"),
    "en": (
        "verdict",
        "last read",
        "last confirm",
        "sealed seq",
        "sent",
        "confirmed",
        "lag",
        "epoch",
        "unassigned rows",
    ),
}


def run_status(terminal: Terminal, config: Path, *, timeout_s: float) -> None:
    """Print the equation, how far each stream has come, and what is held back and why; changes nothing."""
    with exit_codes(terminal):
        settings = load(config)
        progress, causes = patiently(terminal, lambda: _read(settings), timeout_s=timeout_s)
        never = [name for name in settings.sources if name not in {p.name for p in progress}]
        show_equation(terminal, progress)
        _show_streams(terminal, settings, progress)
        show_notes(terminal, notes(progress, causes), examples=3)
        for name in never:
            terminal.say(zh=f"{name}：尚未运行过", en=f"{name}: has never run")
        terminal.result(
            {
                "sources": sources_object(progress),
                "streams": {p.name: _stream_object(settings, p) for p in progress},
                "held": held_object(causes),
                "never_run": never,
            }
        )
        if not all(p.equation.is_balanced for p in progress):
            raise SystemExit(Exit.FOUND)


def _read(settings: Settings) -> tuple[list[Progress], list[Cause]]:
    if not _exists(settings.store):
        return [], []
    ledger = Ledger(settings.store, key_hash=b"")
    try:
        progress = [p for p in ledger.progress() if p.name in settings.sources]
        return progress, read_causes(ledger, progress)
    finally:
        ledger.close()


def _exists(store: str) -> bool:
    """Whether there is something to look at: opening an SQLite file would make it."""
    check_url(store)
    url = make_url(store)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _age_s(at: str | None) -> float | None:
    return None if at is None else round((clock.now() - clock.from_text(at)).total_seconds(), 1)


def judge(p: Progress, *, poll_s: float) -> Verdict:
    """What a stream's progress says of the processes that should make it.

    Args:
        p: as the ledger has it.
        poll_s: pause between two looks of this source.
    """
    read_age_s, confirmed_age_s = _age_s(p.read_at), _age_s(p.confirmed_at)
    if not p.equation.is_balanced:
        return "unbalanced"
    if read_age_s is None or read_age_s > _SILENT_S + 2 * poll_s:
        return "not-reading"
    if p.confirmed == p.seq:
        return "up-to-date"
    return "working" if confirmed_age_s is not None and confirmed_age_s <= _SILENT_S else "not-confirmed"


def _verdict(settings: Settings, p: Progress) -> Verdict:
    return judge(p, poll_s=float(settings.sources[p.name].options.get("poll_s", 0)))


def _stream_object(settings: Settings, p: Progress) -> dict[str, Any]:
    return {
        "stream": p.stream,
        "verdict": _verdict(settings, p),
        "epoch": p.epoch,
        "seq": p.seq,
        "sent": p.sent,
        "confirmed": p.confirmed,
        "lag_entries": p.seq - p.confirmed,
        "read_age_s": _age_s(p.read_at),
        "confirmed_age_s": _age_s(p.confirmed_at),
        "unassigned": p.unassigned,
    }


def _show_streams(terminal: Terminal, settings: Settings, progress: Sequence[Progress]) -> None:
    language = terminal.language

    def ago(at: str | None) -> str:
        age_s = _age_s(at)
        return "–" if age_s is None else duration(language, age_s)

    def cells(p: Progress) -> tuple[object, ...]:
        zh, en = _VERDICTS[_verdict(settings, p)]
        numbers = (p.seq, p.sent, p.confirmed, p.seq - p.confirmed, p.epoch, p.unassigned)
        return (say(language, zh=zh, en=en), ago(p.read_at), ago(p.confirmed_at), *numbers)

    labels = [f"  {label}" for label in _LABELS[language]]
    terminal.sheet(labels, [(p.name, cells(p)) for p in progress])
