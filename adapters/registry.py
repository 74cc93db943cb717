"""Adapter name → class, imported on use.

Adapters of this distribution stand in a table, so that a stale metadata folder cannot hide one; third parties use the
entry-point group `supervision.adapters`. An adapter is anything that can be called as
`factory(division=…, options={…})` and returns a SourceAdapter.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from bus.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.ports import SourceAdapter

GROUP: Final = "supervision.adapters"

BUILT_IN: Final[Mapping[str, str]] = {
    "cgs": "adapters.cgs:CgsSource",
}


class SourceFactory(Protocol):
    """What a name stands for."""

    def __call__(self, *, division: str, options: Mapping[str, Any]) -> SourceAdapter:
        """Make the adapter; touches neither network nor disk. Raises ConfigurationError with every problem."""
        ...


def names() -> tuple[str, ...]:
    """Every adapter that can be named in a configuration, sorted."""
    return tuple(sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


def factory(name: str) -> SourceFactory:
    """The adapter called `name`.

    Raises:
        ConfigurationError: no such name (the known ones are listed), or its module cannot be imported.
    """
    target = BUILT_IN.get(name) or next((p.value for p in entry_points(group=GROUP) if p.name == name), None)
    if target is None:
        raise ConfigurationError([f"adapter: {name!r} is unknown; known are {', '.join(names())}"])
    module, _, attribute = target.partition(":")
    try:
        return cast("SourceFactory", getattr(import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise ConfigurationError([f"adapter: {name!r} ({target}) cannot be imported: {error}"]) from error


def create(name: str, *, division: str, options: Mapping[str, Any]) -> SourceAdapter:
    """A source adapter ready for `open`. Raises ConfigurationError with every problem of name and options."""
    return factory(name)(division=division, options=options)
