"""A compiled document meets the columns that records really have: done once for each shape of content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mappings.document import RECORD_SOURCES
from mappings.outcome import BLANKS, Flawed, Outcome, Run, plain

if TYPE_CHECKING:
    from bus.message import Record
    from mappings.compiler import Chain, Compiled, Recall
    from mappings.document import Branch

#: What a condition sees of a value that is not text: present, and equal to nothing that a document can name.
_UNREADABLE: Final = "\x00"

Take = Callable[["Record"], Any]
#: canonical name → the content's own name
Columns = Mapping[str, str]


class Bound(NamedTuple):
    """One target for records of one shape.

    Attributes:
        name: element.
        column: the content's own name of the one column that `run` is given, or None: `run` is given the record.
        hidden: for a column without functions: what is not published; a text then needs no more than trimming.
        recall: the memory of a column's chain, or None.
        run: gives the text; never asked for a column's None.
    """

    name: str
    column: str | None
    hidden: frozenset[str] | None
    recall: Recall | None
    run: Run


def bind(compiled: Compiled, columns: Columns) -> Bound | None:
    """The target for records that have `columns` (canonical name → the content's own); None: never present."""
    chain, default = compiled.chain, compiled.target.default
    if not compiled.branches and chain is not None and chain.recipe.columns and not chain.recipe.is_concat:
        present = [name for name in chain.recipe.columns if name in columns or name in RECORD_SOURCES]
        if not present and default is None:
            return None
        if len(present) == 1 and present[0] in columns and default is None:
            hidden = None if chain.steps else chain.hidden
            return Bound(compiled.field.name, columns[present[0]], hidden, chain.recall, chain.run)
    return Bound(compiled.field.name, None, None, None, _with_default(_producer(compiled, columns), default))


def _nothing(record: Any) -> Outcome:
    del record
    return ""


def _with_default(run: Run, default: str | None) -> Run:
    if default is None:
        return run

    def defaulted(value: Any) -> Outcome:
        outcome = run(value)
        if outcome == "":
            return default
        if outcome.__class__ is Flawed and is_flag_only(outcome) and not outcome[0]:
            return Flawed(default, outcome[1])
        return outcome

    return defaulted


def is_flag_only(outcome: Outcome) -> bool:
    """Whether no fault of a flawed value rejects."""
    return not isinstance(outcome, str) and all(fault.severity == "flag" for fault in outcome.faults)


def _producer(compiled: Compiled, columns: Columns) -> Run:
    otherwise = _nothing if compiled.chain is None else recipe_runner(compiled.chain, columns)
    if not compiled.branches:
        return otherwise
    clauses = [
        (condition_test(branch, chain, columns), recipe_runner(chain, columns)) for branch, chain in compiled.branches
    ]

    def choose(record: Record) -> Outcome:
        for holds, run in clauses:
            if holds(record):
                return run(record)
        return otherwise(record)

    return choose


def recipe_runner(chain: Chain, columns: Columns) -> Run:
    """Record → outcome of one recipe."""
    recipe = chain.recipe
    if recipe.constant is not None:
        constant = recipe.constant
        return lambda record: constant  # noqa: ARG005 - the signature of a Run
    run = chain.run
    if len(recipe.columns) == 1 and not recipe.is_concat:
        take = taker(recipe.columns[0], columns)
        return lambda record: run(take(record))
    pick = picker(chain, columns)
    return lambda record: run(pick(record)[1])


def picker(chain: Chain, columns: Columns) -> Callable[[Record], tuple[str, Any]]:
    """Record → (source, raw value): the first column that has something, or all of them joined."""
    takes = [(name, taker(name, columns)) for name in chain.recipe.columns]
    return _joiner(chain, takes) if chain.recipe.is_concat else _first(chain, takes)


def _first(chain: Chain, takes: Sequence[tuple[str, Take]]) -> Callable[[Record], tuple[str, Any]]:
    stand_ins = chain.stand_ins

    def first(record: Record) -> tuple[str, Any]:
        fallback: tuple[str, Any] = ("", None)
        for name, take in takes:
            value = take(record)
            if not isinstance(value, str):
                if value is None:
                    continue
                return name, value
            text = value.strip(BLANKS)
            if text and text not in stand_ins:
                return name, value
            if text and not fallback[0]:
                fallback = (name, value)
        return fallback

    return first


def _joiner(chain: Chain, takes: Sequence[tuple[str, Take]]) -> Callable[[Record], tuple[str, Any]]:
    recipe, stand_ins = chain.recipe, chain.stand_ins

    def joined(record: Record) -> tuple[str, Any]:
        texts: list[str] = []
        for name, take in takes:
            value = take(record)
            text = "" if value is None else plain(value)
            if text is None:
                return name, value
            if text and text not in stand_ins:
                texts.append(text)
        return "/".join(recipe.columns), recipe.separator.join(texts)

    return joined


def taker(column: str, columns: Columns) -> Take:
    """Record → raw value of one source; None when the record's shape lacks the column."""
    if column in RECORD_SOURCES:
        return attrgetter(column.partition(".")[2])
    own = columns.get(column)
    if own is None:
        return _no_value
    return lambda record: record.content[own]


def _no_value(record: Any) -> Any:
    del record


def condition_test(branch: Branch, chain: Chain, columns: Columns) -> Callable[[Record], bool]:
    """Record → whether the branch's condition holds."""
    condition = branch.condition
    take = taker(condition.column, columns)
    stand_ins = chain.stand_ins
    wanted = frozenset(condition.values)

    def text(record: Record) -> str:
        value = take(record)
        found = "" if value is None else plain(value)
        if found is None:
            return _UNREADABLE
        return "" if found in stand_ins else found

    if condition.test == "empty":
        return lambda record: not text(record)
    if condition.test == "present":
        return lambda record: bool(text(record))
    return lambda record: text(record) in wanted
