"""How the equation is shown: as a table, and as the `sources` object of `--json` (architecture §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.ledger.values import Progress
    from monitor.terminal import Terminal

_COLUMNS = {
    "zh": ("来源", "已读", "已发布", "待发布", "重复", "过期", "冲突", "隔离", "挂起", "弃置", "平衡"),
    "en": (
        "source",
        "read",
        "published",
        "pending",
        "duplicate",
        "stale",
        "conflict",
        "quarantined",
        "parked",
        "discarded",
        "balanced",
    ),
}


def sources_object(progress: Sequence[Progress]) -> dict[str, dict[str, Any]]:
    """Source → counters and `balanced`."""
    return {p.name: {**p.equation._asdict(), "balanced": p.equation.is_balanced} for p in progress}


def show_equation(terminal: Terminal, progress: Sequence[Progress]) -> None:
    """Read = published + pending + duplicate + stale + conflict + quarantined + parked + discarded."""
    title = {
        "zh": "平衡等式: 已读 = 已发布 + 待发布 + 重复 + 过期 + 冲突 + 隔离 + 挂起 + 弃置",
        "en": "read = published + pending + duplicate + stale + conflict + quarantined + parked + discarded",
    }[terminal.language]
    rows = [(p.name, *p.equation, "✓" if p.equation.is_balanced else "✗") for p in progress]
    terminal.table(title, _COLUMNS[terminal.language], rows)
