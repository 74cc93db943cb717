"""Why a value is what it is: source column, raw value, each function's result, table row, line of the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mappings.binding import condition_test, picker
from mappings.codes import cited_row
from mappings.compiler import follow
from mappings.document import canonical
from mappings.outcome import NATIVE, Flawed, plain, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.message import Fault, Record, Translation
    from mappings.compiler import Chain, Compiled
    from mappings.document import Branch, Call
    from mappings.outcome import Outcome
    from mappings.problem import Language, Position
    from mappings.tables import TableRow
    from mappings.translator import MappingTranslator

_WORDS: Final = {
    "zh": {
        "absent": "（空）",
        "value": "定值",
        "default": "缺省值",
        "when": "条件",
        "row": "代码表",
        "none": "没有来源",
    },
    "en": {
        "absent": "(absent)",
        "value": "fixed",
        "default": "default",
        "when": "when",
        "row": "row",
        "none": "no source",
    },
}


@dataclass(frozen=True, slots=True)
class FunctionTrace:
    """One function as it ran: what it was given, what it gave ("" = absent), the table row that decided."""

    call: Call
    given: str
    text: str
    row: TableRow | None


class _Ran(NamedTuple):
    source: str
    raw: Any
    steps: tuple[FunctionTrace, ...]
    outcome: Outcome


_NOTHING: Final = _Ran("", None, (), "")


@dataclass(frozen=True, slots=True)
class TargetTrace:
    """How one element came about.

    Attributes:
        name, zh: the element.
        target_at: where the document names the element.
        at: the line of the document that made the value.
        branch: the `when` clause that held, or None.
        source: column, `value` for a fixed one, "" when no column had anything.
        raw: the source's value, printable.
        functions: in order, as far as they ran.
        is_default: the value is the default.
        text: what goes out; "" = absent.
        faults: of this element.
    """

    name: str
    zh: str
    target_at: Position
    at: Position
    branch: Branch | None
    source: str
    raw: str
    functions: tuple[FunctionTrace, ...]
    is_default: bool
    text: str
    faults: tuple[Fault, ...]

    def render(self, lang: Language = "en") -> str:
        """Several lines: the element and its value, then one line a stage."""
        words = _WORDS[lang]
        lines = [f"{self.name} {self.zh} = {self.text or words['absent']}    {self.at}"]
        if self.branch is not None:
            lines.append(f"    {words['when']}: {self.branch.condition}    {self.branch.at}")
        source = words["value"] if self.source == "value" else self.source
        lines.append(f"    {source}: {self.raw}" if source else "    -")
        for step in self.functions:
            cited = f"    {words['row']} {step.row.at} {step.row.note}".rstrip() if step.row is not None else ""
            lines.append(f"    {step.call}: {step.text or words['absent']}{cited}")
        if self.is_default:
            lines.append(f"    {words['default']}: {self.text}")
        lines += [f"    {fault.code}: {fault.zh if lang == 'zh' else fault.en}" for fault in self.faults]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One record explained: every mapped element in the order of the schema, and all faults of its translation."""

    key: str
    mapping_id: str
    targets: tuple[TargetTrace, ...]
    faults: tuple[Fault, ...]

    def target(self, name: str) -> TargetTrace | None:
        """The trace of one element, or None when it is not mapped."""
        return next((trace for trace in self.targets if trace.name == name), None)

    def render(self, lang: Language = "en") -> str:
        """The traces below the record's key and the mapping's id."""
        return "\n".join([f"{self.key}    {self.mapping_id}", *(trace.render(lang) for trace in self.targets)])


def explain_record(translator: MappingTranslator, record: Record) -> Explanation:
    """Run the record's plan stage by stage; texts and faults are those of `translate`."""
    (translation,) = translator.translate([record])
    plan = translator.plans.get(record.kind)
    columns: dict[str, str] = {}
    for own in record.content:
        columns.setdefault(canonical(own), own)
    targets = () if plan is None else plan.targets
    traces = tuple(_target(compiled, record, columns=columns, translation=translation) for compiled in targets)
    return Explanation(record.key, translator.id, traces, translation.faults)


def _target(compiled: Compiled, record: Record, *, columns: Mapping[str, str], translation: Translation) -> TargetTrace:
    name, target = compiled.field.name, compiled.target
    branch, chain = _chosen(compiled, record, columns)
    source, raw, steps, outcome = _NOTHING if chain is None else _run(chain, record, columns)
    made = outcome if isinstance(outcome, str) else outcome.text
    text = translation.fields.get(name, "")
    return TargetTrace(
        name=name,
        zh=compiled.field.zh,
        target_at=target.at,
        at=chain.recipe.at if chain is not None else target.at,
        branch=branch,
        source=source,
        raw=_seen(raw),
        functions=steps,
        is_default=not made and bool(text),
        text=text,
        faults=tuple(fault for fault in translation.faults if fault.field == name),
    )


def _chosen(compiled: Compiled, record: Record, columns: Mapping[str, str]) -> tuple[Branch | None, Chain | None]:
    for branch, chain in compiled.branches:
        if condition_test(branch, chain, columns)(record):
            return branch, chain
    return None, compiled.chain


def _run(chain: Chain, record: Record, columns: Mapping[str, str]) -> _Ran:
    if chain.recipe.constant is not None:
        return _Ran("value", chain.recipe.constant, (), chain.recipe.constant)
    source, raw = picker(chain, columns)(record)
    is_native = raw.__class__ in NATIVE and bool(chain.steps) and chain.steps[0].call.function.takes_native
    outcome: Any = raw if is_native else chain.head(raw)
    traces: list[FunctionTrace] = []
    for step in chain.steps:
        given = _text(outcome)
        if not given:
            break
        outcome = step.run(outcome) if is_native and not traces else follow(outcome, step.run)
        row = cited_row(step.call.name, given, step.tables)
        traces.append(FunctionTrace(step.call, given, _text(outcome), row))
    return _Ran(source, raw, tuple(traces), outcome)


def _text(outcome: Any) -> str:
    if isinstance(outcome, str):
        return outcome
    return outcome.text if isinstance(outcome, Flawed) else _seen(outcome)


def _seen(value: Any) -> str:
    """A raw value as it was, blanks included; a date or number as its text."""
    if value is None:
        return ""
    return shown(value if isinstance(value, str) else plain(value) or value)
