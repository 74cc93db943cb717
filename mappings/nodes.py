"""YAML as nodes with places: what ruamel.yaml composes, read with every problem collected and nothing guessed.

Documents are read from composed nodes, not from constructed values: every scalar keeps its line and column, a key that
occurs twice is seen twice, and `no`, `1` or `1900-01-01` without quotes is a problem instead of another type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mappings.problem import Position, Problem, error

if TYPE_CHECKING:
    from collections.abc import Sequence

_STRING: Final = "tag:yaml.org,2002:str"


class Pair(NamedTuple):
    """One key of a mapping and its value."""

    name: str
    key: Node
    value: Node


class Reader:
    """Reads one file's nodes; problems go to `problems`, and what could not be read is None or empty."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def compose(self, text: str) -> Node | None:
        """The root node, or None when `text` is not YAML or is empty."""
        try:
            root: Node | None = YAML(typ="rt", pure=True).compose(text)
        except MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            at = Position(self.file, mark.line + 1, mark.column + 1) if mark else Position(self.file, 1, 1)
            self._syntax(at, str(fault.problem or fault.context))
            return None
        except YAMLError as fault:  # a character that YAML does not allow, with no place that could be named
            self._syntax(Position(self.file, 1, 1), " ".join(str(fault).split()))
            return None
        if root is None:
            self._syntax(Position(self.file, 1, 1), "empty document")
        return root

    def at(self, node: Node) -> Position:
        """Where `node` begins."""
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def problem(self, node: Node, code: str, key: str, *, zh: str, en: str) -> None:
        """Add one problem at `node`."""
        self.problems.append(error(self.at(node), code, key, zh=zh, en=en))

    def mapping(self, node: Node, key: str, *, allowed: Sequence[str] | None = None) -> dict[str, Pair]:
        """The pairs of a mapping by name; wrong node, repeated and unknown keys are problems."""
        if not isinstance(node, MappingNode):
            self.problem(node, "wrong-type", key, zh="这里应为“键: 值”", en="a mapping (key: value) is expected here")
            return {}
        pairs: dict[str, Pair] = {}
        for key_node, value in node.value:
            name = self.text(key_node, key)
            if name is None:
                continue
            if name in pairs:
                first = self.at(pairs[name].key).line
                zh, en = f"重复，已在第 {first} 行出现", f"stands twice, first in line {first}"
                self.problem(key_node, "duplicate-key", name, zh=zh, en=en)
            elif allowed is not None and name not in allowed:
                known = ", ".join(allowed)
                zh, en = f"不认识的键，可用 {known}", f"unknown key, known are {known}"
                self.problem(key_node, "unknown-key", name, zh=zh, en=en)
            else:
                pairs[name] = Pair(name, key_node, value)
        return pairs

    def text(self, node: Node, key: str) -> str | None:
        """A scalar that YAML reads as text; anything else is a problem that says to quote it."""
        if isinstance(node, ScalarNode) and (node.tag == _STRING or node.style in ("'", '"', "|", ">")):
            return str(node.value)
        if isinstance(node, ScalarNode):
            value = node.value or "null"
            zh, en = f"应为文字，请加引号：'{value}'", f"text is expected, put it in quotes: '{value}'"
        else:
            zh, en = "应为一个文字值", "one text is expected"
        self.problem(node, "wrong-type", key, zh=zh, en=en)
        return None

    def flag(self, node: Node, key: str) -> bool:
        """`true` and nothing else."""
        if isinstance(node, ScalarNode) and node.value == "true" and node.style is None:
            return True
        self.problem(node, "wrong-type", key, zh="这里只能写 true", en="only true can stand here")
        return False

    def items(self, node: Node) -> list[Node]:
        """The members of a sequence; any other node stands for a sequence of itself."""
        return list(node.value) if isinstance(node, SequenceNode) else [node]

    def texts(self, node: Node, key: str) -> tuple[str, ...]:
        """One text or a list of texts, without repetition."""
        found: dict[str, None] = {}
        for item in self.items(node):
            text = self.text(item, key)
            if text in found:
                self.problem(item, "duplicate-value", key, zh=f"{text} 重复", en=f"{text} stands twice")
            elif text is not None:
                found[text] = None
        return tuple(found)

    def _syntax(self, at: Position, said: str) -> None:
        self.problems.append(
            error(at, "syntax", "yaml", zh=f"不是合法的 YAML：{said}", en=f"not well-formed YAML: {said}")
        )
