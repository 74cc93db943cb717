"""Document + schema → plan: closures made once, at start; a record then only runs them.

Where stand-ins (`absent:` of the document) apply: everywhere, except in a required text without default, which keeps
them, because standard §3.1.9 publishes a placeholder in required text with a flag (the validator's) and §3.3 must not
lose the record. Between several source columns a stand-in always counts as empty while another column has something.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mappings.codes import tables_read
from mappings.outcome import BLANKS, NATIVE, Context, Flawed, Outcome, Run, plain, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mappings.document import Branch, Call, Document, Recipe, Target
    from mappings.tables import CodeTable
    from xsd.catalogue import Field, KindSchema

#: Outcomes remembered a chain, for source texts up to this length: codes, names of departments, regions repeat.
_REMEMBERED: Final = 512
_REMEMBERED_CHARACTERS: Final = 64


Recall = Callable[[Any], Outcome | None]


class Step(NamedTuple):
    """One function of a chain, ready to run; `tables` are the code tables it reads."""

    call: Call
    run: Run
    tables: tuple[CodeTable, ...]


class Chain(NamedTuple):
    """One recipe, compiled.

    Attributes:
        recipe: where it comes from.
        head: the driver's value → trimmed text; a first function that takes the driver's own value goes without.
        steps: the functions.
        run: head and steps in one call.
        recall: what `run` gave for a text lately, or None; keyed by text alone, since True, 1 and 1.0 are one key.
        hidden: values that this target never publishes, "" among them.
        stand_ins: values that count as empty when columns compete.
    """

    recipe: Recipe
    head: Run
    steps: tuple[Step, ...]
    run: Run
    hidden: frozenset[str]
    recall: Recall | None
    stand_ins: frozenset[str]


class Compiled(NamedTuple):
    """One target, compiled: `chain` is its own recipe, `branches` its `when` clauses, `context` names its faults."""

    field: Field
    target: Target
    context: Context
    branches: tuple[tuple[Branch, Chain], ...]
    chain: Chain | None


class Plan(NamedTuple):
    """A document compiled against its kind's schema; `targets` in the order of the schema."""

    document: Document
    schema: KindSchema
    targets: tuple[Compiled, ...]


def compile_document(document: Document, *, schema: KindSchema, tables: Mapping[str, CodeTable]) -> Plan:
    """Compile a document that `lint` has found without error."""
    by_name = {target.name: target for target in document.targets}
    fields = [field for field in schema.fields if field.name in by_name]
    stand_ins = frozenset(document.absent)
    compiled = [
        _compile_target(by_name[field.name], field=field, stand_ins=stand_ins, tables=tables) for field in fields
    ]
    return Plan(document, schema, tuple(compiled))


def keeps_stand_ins(field: Field, target: Target) -> bool:
    """Whether a placeholder is published (and flagged by the validator) rather than left out."""
    return field.is_required and field.xs_type == "string" and target.default is None


def _compile_target(
    target: Target, *, field: Field, stand_ins: frozenset[str], tables: Mapping[str, CodeTable]
) -> Compiled:
    hidden = frozenset({""}) if keeps_stand_ins(field, target) else stand_ins | {""}

    def chain(recipe: Recipe) -> Chain:
        return _chain(recipe, context=context(recipe.columns), hidden=hidden, stand_ins=stand_ins)

    def context(columns: Iterable[str]) -> Context:
        return Context(field, "/".join(dict.fromkeys(columns)) or field.name, tables)

    branches = tuple((branch, chain(branch.recipe)) for branch in target.branches)
    own = chain(target.recipe) if target.recipe is not None else None
    every = context(column for recipe in target.recipes() for column in recipe.columns)
    return Compiled(field, target, every, branches, own)


def _chain(recipe: Recipe, *, context: Context, hidden: frozenset[str], stand_ins: frozenset[str]) -> Chain:
    steps = tuple(
        Step(
            call,
            call.function.build(call.arguments, context._replace(rule=call.name)),
            tables_read(call.name, call.arguments, context.tables),
        )
        for call in recipe.calls
    )
    head = _head(context, hidden=hidden)
    if not steps:
        return Chain(recipe, head, steps, head, hidden, None, stand_ins)
    is_native = steps[0].call.function.takes_native
    run, recall = _composed(head, tuple(step.run for step in steps), is_native=is_native)
    return Chain(recipe, head, steps, run, hidden, recall, stand_ins)


def _head(context: Context, *, hidden: frozenset[str]) -> Run:
    def head(value: Any) -> Outcome:
        if value.__class__ is str:
            text: str = value.strip(BLANKS)
            return "" if text in hidden else text
        if value is None:
            return ""
        found = str(value) if value.__class__ is int else plain(value)
        if found is None:
            return refused(context, value)
        return "" if found in hidden else found

    return head


def _composed(head: Run, runs: tuple[Run, ...], *, is_native: bool) -> tuple[Run, Recall]:
    first, rest = runs[0], runs[1:]
    known: dict[str | int, Outcome] = {}  # no bool, float or Decimal: they equal an integer and are other values

    def chain(value: Any) -> Outcome:
        outcome = first(value) if is_native and value.__class__ in NATIVE else follow(head(value), first)
        for run in rest:
            outcome = follow(outcome, run)
        return outcome

    def remembered(value: Any) -> Outcome:
        kind = value.__class__
        if kind is datetime and is_native and not rest:
            return first(value)
        if kind is not int and (kind is not str or len(value) > _REMEMBERED_CHARACTERS):
            return chain(value)
        outcome = known.get(value)
        if outcome is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            outcome = known[value] = chain(value)
        return outcome

    return remembered, known.get


def follow(outcome: Outcome, run: Run) -> Outcome:
    """The next function on what the former gave; absent stays absent, faults are kept."""
    if isinstance(outcome, str):
        return run(outcome) if outcome else outcome
    if not outcome.text:
        return outcome
    after = run(outcome.text)
    if isinstance(after, str):
        return Flawed(after, outcome.faults)
    return Flawed(after.text, outcome.faults + after.faults)
