"""Where in a YAML file a key stands, so that every problem names file, line and column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Keys = tuple[str | int, ...]

_KEYED: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*): (.*)", re.DOTALL)


class Places:
    """A file and its document as ruamel.yaml loaded it (round trip)."""

    def __init__(self, path: Path, document: Any) -> None:
        self._path = path
        self._document = document

    def at(self, keys: Sequence[str | int]) -> str:
        """`file:line:column` of the deepest node on the way to `keys` that the file has."""
        line, column = 1, 1
        node = self._document
        for key in keys:
            places = node.lc.data if hasattr(node, "lc") else None
            if not places or key not in places:
                break
            line, column = places[key][0] + 1, places[key][1] + 1
            node = node[key]
        return f"{self._path}:{line}:{column}"

    def problem(self, keys: Sequence[str | int], text: str) -> str:
        """`file:line:column: key: text`.

        Keys that the text itself begins with (`options.url: …`) lead deeper into the file.
        """
        match = _KEYED.fullmatch(text)
        if match is not None:
            keys, text = (*keys, *match[1].split(".")), match[2]
        return f"{self.at(keys)}: {'.'.join(map(str, keys))}: {text}"
