"""What the golden pairs exercise: targets, functions, `when` branches, defaults, and rows of code tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mappings.explain import explain_record
from mappings.golden import read_cases

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mappings.compiler import Compiled
    from mappings.explain import TargetTrace
    from mappings.problem import Language, Position
    from mappings.translator import MappingTranslator

CoverageKind = Literal["target", "function", "branch", "default", "row"]

_ZH: Final[Mapping[CoverageKind, str]] = {
    "target": "元素",
    "function": "函数",
    "branch": "条件",
    "default": "缺省值",
    "row": "代码表行",
}


@dataclass(frozen=True, slots=True)
class CoverageItem:
    """One thing that a golden pair can exercise, and in how many pairs it was."""

    kind: CoverageKind
    at: Position
    name: str
    hits: int


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Everything that can be exercised, by place."""

    platform: str
    cases: int
    items: tuple[CoverageItem, ...]

    def uncovered(self) -> tuple[CoverageItem, ...]:
        """What no pair exercises."""
        return tuple(item for item in self.items if not item.hits)

    def render(self, lang: Language = "en") -> str:
        """One line for each thing that no pair exercises, then one line a kind with its counts."""
        is_zh = lang == "zh"
        said = "没有样例用到" if is_zh else "exercised by no golden pair"
        lines = [f"{i.at}: {_ZH[i.kind] if is_zh else i.kind} {i.name}: {said}" for i in self.uncovered()]
        totals = Counter(item.kind for item in self.items)
        missed = Counter(item.kind for item in self.uncovered())
        counts = [(kind, label if is_zh else kind) for kind, label in _ZH.items() if totals[kind]]
        lines += [f"{label}: {totals[kind] - missed[kind]}/{totals[kind]}" for kind, label in counts]
        return "\n".join(lines)


def measure_coverage(translator: MappingTranslator) -> CoverageReport:
    """Explain every golden record and count what was exercised."""
    cases, _ = read_cases(translator.platform)
    hits: Counter[tuple[CoverageKind, Position]] = Counter()
    for case in cases:
        hits.update({key for trace in explain_record(translator, case.record).targets for key in _exercised(trace)})
    known: dict[tuple[CoverageKind, Position], str] = {}
    for plan in translator.plans.values():
        for compiled in plan.targets:
            known.update(_exercisable(compiled))
    items = [CoverageItem(kind, at, name, hits[kind, at]) for (kind, at), name in known.items()]
    items.sort(key=lambda item: (item.at, item.kind))
    return CoverageReport(translator.platform.name, len(cases), tuple(items))


def _exercised(trace: TargetTrace) -> Iterator[tuple[CoverageKind, Position]]:
    if trace.text:
        yield "target", trace.target_at
    if trace.branch is not None:
        yield "branch", trace.branch.at
    if trace.is_default:
        yield "default", trace.target_at
    for step in trace.functions:
        yield "function", step.call.at
        if step.row is not None:
            yield "row", step.row.at


def _exercisable(compiled: Compiled) -> Iterator[tuple[tuple[CoverageKind, Position], str]]:
    target = compiled.target
    yield ("target", target.at), target.name
    if target.default is not None:
        yield ("default", target.at), f"{target.name}: {target.default}"
    for branch, _ in compiled.branches:
        yield ("branch", branch.at), f"{target.name}: {branch.condition}"
    chains = [chain for _, chain in compiled.branches] + ([compiled.chain] if compiled.chain is not None else [])
    for step in (step for chain in chains for step in chain.steps):
        yield ("function", step.call.at), f"{target.name}: {step.call}"
        for table in step.tables:
            for row in table.rows.values():
                yield ("row", row.at), f"{table.name}: {row.source} → {row.target}"
