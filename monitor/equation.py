"""How the equation is shown: as a sum, and as the `sources` object of `--json` (architecture §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bus.ledger.values import Equation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.ledger.values import Progress
    from monitor.terminal import Terminal
    from monitor.texts import Language

#: Field of the equation → its word.
WORDS: Final[Mapping[Language, tuple[str, ...]]] = {
    "zh": ("已读", "已发布", "待发布", "重复", "过期", "冲突", "隔离", "挂起", "弃置"),
    "en": Equation._fields,
}
_BALANCED: Final = {"zh": "平衡", "en": "balanced"}
_TOTAL: Final = {"zh": "合计", "en": "total"}
_NONE: Final = {"zh": "（尚无数据来源运行过）", "en": "(no source has run yet)"}


def sources_object(progress: Sequence[Progress]) -> dict[str, dict[str, Any]]:
    """Source → counters and `balanced`."""
    return {p.name: {**p.equation._asdict(), "balanced": p.equation.is_balanced} for p in progress}


def total(progress: Sequence[Progress]) -> Equation:
    """The equation of all sources together."""
    return Equation(*(sum(values) for values in zip(*(p.equation for p in progress), strict=True)))


def show_equation(terminal: Terminal, progress: Sequence[Progress]) -> None:
    """One column a source, written as the sum that it is: read = published + pending + … ."""
    language = terminal.language
    if not progress:
        terminal.write(_NONE[language])
        return
    read, published, *terms = WORDS[language]
    labels = [f"  {read}", f"= {published}", *(f"+ {term}" for term in terms), f"  {_BALANCED[language]}"]
    columns = [(p.name, _cells(p.equation)) for p in progress]
    if len(progress) > 1:
        columns.append((_TOTAL[language], _cells(total(progress))))
    terminal.sheet(labels, columns)


def _cells(equation: Equation) -> tuple[object, ...]:
    return (*equation, "✓" if equation.is_balanced else "✗")
