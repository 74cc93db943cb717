"""`gateway status`: judged by progress, not by whether a process exists."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from bus import clock
from bus.ledger.ledger import Ledger
from monitor.equation import show_equation, sources_object
from monitor.settings import load
from monitor.terminal import exit_codes
from monitor.texts import say

if TYPE_CHECKING:
    from pathlib import Path

    from bus.ledger.ledger import HeldRecord
    from bus.ledger.values import Progress
    from monitor.terminal import Terminal

_NEWEST = 1000
_SHOWN = 10


def run_status(terminal: Terminal, config: Path) -> None:
    """Print the equation, how far each stream has come, and what is held back and why."""
    with exit_codes(terminal):
        settings = load(config)
        ledger = Ledger(settings.store, key_hash=b"")
        try:
            progress = [p for p in ledger.progress() if p.name in settings.sources]
            held = ledger.held(("quarantined", "parked", "conflict"), limit=_NEWEST)
        finally:
            ledger.close()
        never = [name for name in settings.sources if name not in {p.name for p in progress}]
        show_equation(terminal, progress)
        _show_streams(terminal, progress)
        _show_held(terminal, held)
        for name in never:
            terminal.say(zh=f"{name}: 尚未运行过", en=f"{name}: has never run")
        terminal.result(
            {
                "sources": sources_object(progress),
                "streams": {p.name: _stream_object(p) for p in progress},
                "held": [_held_object(record) for record in held],
                "never_run": never,
            }
        )


def _age_s(at: str | None) -> float | None:
    return None if at is None else round((clock.now() - clock.from_text(at)).total_seconds(), 1)


def _stream_object(p: Progress) -> dict[str, Any]:
    return {
        "stream": p.stream,
        "epoch": p.epoch,
        "seq": p.seq,
        "sent": p.sent,
        "confirmed": p.confirmed,
        "lag_entries": p.seq - p.confirmed,
        "read_age_s": _age_s(p.read_at),
        "confirmed_age_s": _age_s(p.confirmed_at),
        "unassigned": p.unassigned,
    }


def _show_streams(terminal: Terminal, progress: list[Progress]) -> None:
    title = say(terminal.language, zh="流", en="streams")
    columns = {
        "zh": ("流", "纪元", "已封", "已试发", "已确认", "落后", "上次读取 (秒前)", "上次确认 (秒前)"),
        "en": ("stream", "epoch", "sealed", "sent", "confirmed", "lag", "read, s ago", "confirmed, s ago"),
    }[terminal.language]
    rows = [
        (p.stream, p.epoch, p.seq, p.sent, p.confirmed, p.seq - p.confirmed, _age_s(p.read_at), _age_s(p.confirmed_at))
        for p in progress
    ]
    terminal.table(title, columns, [["–" if cell is None else cell for cell in row] for row in rows])


def _show_held(terminal: Terminal, held: list[HeldRecord]) -> None:
    if not held:
        return
    causes = Counter((record.source, record.state, record.reason) for record in held)
    columns = {"zh": ("来源", "状态", "原因", "条数"), "en": ("source", "state", "reason", "records")}[
        terminal.language
    ]
    title = say(terminal.language, zh="被扣留的记录", en="held back")
    terminal.table(title, columns, [(*cause, count) for cause, count in causes.most_common()])
    for record in held[:_SHOWN]:
        for fault in json.loads(record.faults):
            text = fault[terminal.language]
            terminal.say(zh=f"  {record.key} {fault['code']}: {text}", en=f"  {record.key} {fault['code']}: {text}")


def _held_object(record: HeldRecord) -> dict[str, Any]:
    return {**record._asdict(), "faults": json.loads(record.faults)}
