"""One mapping document, `<platform>/<KIND>.yaml`: how a platform's table becomes one kind of the unified schema.

The language is data: sources, named functions with arguments, conditions on one column. There is no expression in it
and nothing is evaluated. README.md beside this file describes it for authors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mappings.functions import FUNCTIONS, Function

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.problem import Position

#: Sources that are no columns: the parts of the key, which adapter and ledger have settled before translation.
RECORD_SOURCES: Final = ("record.application_no", "record.division", "record.version")

_PARENT: Final = "parent."

Test = Literal["equals", "in", "empty", "present"]


def canonical(column: str) -> str:
    """A column's name as compared: without letter case; the prefix `parent.` stays."""
    name = column.strip()
    if name.lower().startswith(_PARENT):
        return _PARENT + name[len(_PARENT) :].upper()
    return name.lower() if name.lower() in RECORD_SOURCES else name.upper()


class Call(NamedTuple):
    """A function with its arguments, as one member of `do:`."""

    name: str
    arguments: Mapping[str, str | tuple[str, ...]]
    at: Position

    @property
    def function(self) -> Function:
        """The registered function."""
        return FUNCTIONS[self.name]

    def __str__(self) -> str:
        said = ", ".join(
            f"{key}: {value if isinstance(value, str) else list(value)}" for key, value in self.arguments.items()
        )
        return f"{self.name}({said})"


class Recipe(NamedTuple):
    """How one value is made.

    Attributes:
        columns: canonical names; the first present and not empty wins, or (`is_concat`) all are joined.
        is_concat, separator: join the columns that are not empty.
        constant: a fixed value instead of columns.
        calls: functions in order.
        at: where it stands.
    """

    columns: tuple[str, ...]
    is_concat: bool
    separator: str
    constant: str | None
    calls: tuple[Call, ...]
    at: Position


class Condition(NamedTuple):
    """A test of one column, after trimming and stand-ins: `equals` and `in` compare exactly."""

    column: str
    test: Test
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.column} {self.test} {', '.join(self.values)}".rstrip()


class Branch(NamedTuple):
    """A `when` clause: the first whose condition holds makes the value."""

    condition: Condition
    recipe: Recipe
    at: Position


class Target(NamedTuple):
    """One element of the unified record.

    Attributes:
        name: element name.
        recipe: how its value is made when no branch holds; None: it is then absent.
        branches: `when` clauses in order.
        default: canonical text when the value is absent, or None.
        default_at: where `default` stands.
        at: where the target stands.
    """

    name: str
    recipe: Recipe | None
    branches: tuple[Branch, ...]
    default: str | None
    default_at: Position
    at: Position

    def recipes(self) -> tuple[Recipe, ...]:
        """Every recipe, the branches' first."""
        own = (self.recipe,) if self.recipe is not None else ()
        return (*(branch.recipe for branch in self.branches), *own)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document.

    Attributes:
        file: where it was read.
        platform, kind, table: what it maps.
        columns: canonical name (the parent's as `parent.X`) → where it is declared.
        ignored: columns that are not mapped on purpose → where that is said.
        absent: stand-ins for nothing; see `compiler` for where they apply.
        targets: in the order of the document.
        at: where `targets` begins.
    """

    file: str
    platform: str
    kind: str
    table: str
    columns: Mapping[str, Position]
    ignored: Mapping[str, Position]
    absent: tuple[str, ...]
    targets: tuple[Target, ...]
    at: Position
