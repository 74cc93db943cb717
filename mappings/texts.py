"""Functions on text: trim, absent, upper, list. None of them shortens a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from mappings.outcome import BLANKS, Context, Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIST_SEPARATORS: Final = (";", "；", "\n")


def build_trim(arguments: Mapping[str, object], context: Context) -> Run:
    """`trim`: takes blanks (ASCII, full-width, no-break) and the given `characters` off both ends."""
    del context
    characters = BLANKS + str(arguments.get("characters", ""))

    def run(value: str) -> Outcome:
        return value.strip(characters)

    return run


def build_absent(arguments: Mapping[str, object], context: Context) -> Run:
    """`absent`: the named values stand for nothing."""
    del context
    values = frozenset(cast("Sequence[str]", arguments["values"]))

    def run(value: str) -> Outcome:
        return "" if value in values else value

    return run


def build_upper(arguments: Mapping[str, object], context: Context) -> Run:
    """`upper`: letters A-Z in upper case."""
    del arguments, context
    return cast("Run", str.upper)


def build_list(arguments: Mapping[str, object], context: Context) -> Run:
    """`list`: parts separated by `;`, `；` or a new line → joined by half-width `;`, without blank parts."""
    del context
    separators = cast("Sequence[str]", arguments.get("separators", LIST_SEPARATORS))

    def run(value: str) -> Outcome:
        for separator in separators:
            value = value.replace(separator, ";")
        return ";".join([part for part in (part.strip(BLANKS) for part in value.split(";")) if part])

    return run
