"""Reads a mapping document: every problem with file, line and column, none raised one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ruamel.yaml.nodes import MappingNode

from bus.message import ROOTS
from mappings.document import RECORD_SOURCES, Branch, Call, Condition, Document, Recipe, Target, canonical
from mappings.functions import FUNCTIONS, Parameter
from mappings.nodes import Pair, Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ruamel.yaml.nodes import Node

    from mappings.problem import Position, Problem

_PARENT: Final = "parent."
_HEAD: Final = ("platform", "kind", "table", "columns", "parent", "ignored", "absent", "note", "targets")
_RECIPE: Final = ("from", "concat", "separator", "value", "do")
_TARGET: Final = (*_RECIPE, "when", "default", "note")
_TESTS: Final = ("equals", "in", "empty", "present")
_BRANCH: Final = ("column", *_TESTS, *_RECIPE, "note")
_SOURCES: Final = ("from", "concat", "value")


def parse_document(text: str, *, file: str) -> tuple[Document | None, list[Problem]]:
    """Read one document. Returns None when there is nothing to work with; every problem is listed."""
    reader = Reader(file)
    root = reader.compose(text)
    document = None if root is None else _Parser(reader).document(root)
    return document, reader.problems


class _Parser:
    def __init__(self, reader: Reader) -> None:
        self._read = reader
        self._columns: dict[str, Position] = {}

    def document(self, root: Node) -> Document:
        head = self._read.mapping(root, "document", allowed=_HEAD)
        for name in ("platform", "kind", "table", "columns", "targets"):
            if name not in head:
                self._read.problem(root, "missing-key", name, zh="缺少这个键", en="this key is missing")
        self._declare(head)
        ignored = self._ignored(head.get("ignored"))
        kind = self._one(head.get("kind"))
        if kind and kind not in ROOTS:
            known = " ".join(ROOTS)
            zh, en = f"不认识的记录种类，可用 {known}", f"unknown kind, known are {known}"
            self._read.problem(head["kind"].value, "unknown-kind", kind, zh=zh, en=en)
        absent = head.get("absent")
        targets = head.get("targets")
        pairs = self._read.mapping(targets.value, "targets") if targets else {}
        return Document(
            file=self._read.file,
            platform=self._one(head.get("platform")),
            kind=kind,
            table=self._one(head.get("table")),
            columns=self._columns,
            ignored=ignored,
            absent=self._read.texts(absent.value, "absent") if absent else (),
            targets=tuple(self._target(pair) for pair in pairs.values()),
            at=self._read.at(targets.key if targets else root),
        )

    def _one(self, pair: Pair | None) -> str:
        return (self._read.text(pair.value, pair.name) or "") if pair else ""

    def _declare(self, head: Mapping[str, Pair]) -> None:
        own = head.get("columns")
        if own:
            self._declare_all(own, prefix="")
        if "parent" in head:
            parent = self._read.mapping(head["parent"].value, "parent", allowed=("table", "columns"))
            self._one(parent.get("table"))
            if "columns" in parent:
                self._declare_all(parent["columns"], prefix=_PARENT)

    def _declare_all(self, pair: Pair, *, prefix: str) -> None:
        rows = [self._read.items(row) for row in self._read.items(pair.value)]
        for node in (node for row in rows for node in row):
            name = canonical(prefix + (self._read.text(node, pair.name) or ""))
            if name in self._columns:
                self._read.problem(node, "duplicate-value", name, zh="该列重复", en="this column stands twice")
            self._columns.setdefault(name, self._read.at(node))

    def _ignored(self, pair: Pair | None) -> dict[str, Position]:
        found: dict[str, Position] = {}
        for name, reason in (self._read.mapping(pair.value, "ignored") if pair else {}).items():
            self._read.text(reason.value, name)
            column = self._column(reason.key, name)
            if column:
                found[column] = self._read.at(reason.key)
        return found

    def _column(self, node: Node, name: str | None) -> str | None:
        column = canonical(name or "")
        if column in self._columns or column in RECORD_SOURCES:
            return column
        if name is not None:
            zh = "没有声明的列，请写入 columns 或改正列名"
            self._read.problem(
                node, "unknown-column", name, zh=zh, en="not a declared column: add it to columns or correct it"
            )
        return None

    def _target(self, pair: Pair) -> Target:
        at = self._read.at(pair.key)
        if not _is_mapping(pair.value):
            recipe = Recipe(
                self._column_list(pair.value, pair.name), is_concat=False, separator="", constant=None, calls=(), at=at
            )
            return Target(pair.name, recipe, (), None, at, at)
        keys = self._read.mapping(pair.value, pair.name, allowed=_TARGET)
        has_source = any(name in keys for name in _SOURCES)
        if not has_source and not {"when", "default", "do"} & set(keys):
            self._no_source(pair)
        recipe_or_none = self._recipe(pair, keys) if has_source or "do" in keys else None
        branches = self._read.items(keys["when"].value) if "when" in keys else []
        default = keys.get("default")
        return Target(
            pair.name,
            recipe_or_none,
            tuple(self._branch(node, pair.name) for node in branches),
            self._read.text(default.value, "default") if default else None,
            self._read.at(default.value) if default else at,
            at,
        )

    def _no_source(self, pair: Pair) -> None:
        zh, en = "缺少来源：from、concat 或 value", "no source: from, concat or value"
        self._read.problem(pair.key, "missing-key", pair.name, zh=zh, en=en)

    def _recipe(self, owner: Pair, keys: Mapping[str, Pair]) -> Recipe:
        given = [name for name in _SOURCES if name in keys]
        if len(given) > 1:
            zh, en = f"{given[0]} 和 {given[1]} 只能用一个", f"{given[0]} and {given[1]} exclude each other"
            self._read.problem(keys[given[1]].key, "exclusive-keys", given[1], zh=zh, en=en)
        elif not given:
            self._no_source(owner)
        source = keys[given[0]] if given else None
        is_column = source is not None and source.name != "value"
        constant = self._read.text(source.value, "value") if source and not is_column else None
        do = keys.get("do")
        if do and constant is not None:
            zh, en = "value 是定值，不能再用函数", "a value is fixed, no function can follow"
            self._read.problem(do.key, "exclusive-keys", "do", zh=zh, en=en)
        calls = [self._call(node) for node in self._read.items(do.value)] if do else []
        return Recipe(
            columns=self._column_list(source.value, source.name) if source and is_column else (),
            is_concat=source is not None and source.name == "concat",
            separator=self._one(keys.get("separator")),
            constant=constant,
            calls=tuple(call for call in calls if call is not None),
            at=self._read.at(owner.key),
        )

    def _column_list(self, node: Node, key: str) -> tuple[str, ...]:
        columns = (self._column(item, self._read.text(item, key)) for item in self._read.items(node))
        return tuple(dict.fromkeys(column for column in columns if column))

    def _branch(self, node: Node, owner: str) -> Branch:
        keys = self._read.mapping(node, "when", allowed=_BRANCH)
        column = self._column(keys["column"].value, self._one(keys["column"])) if "column" in keys else None
        tests = [name for name in _TESTS if name in keys]
        if "column" not in keys or len(tests) != 1:
            zh, en = (
                "需要 column 和 equals、in、empty、present 之一",
                "needs column and one of equals, in, empty, present",
            )
            self._read.problem(node, "wrong-condition", owner, zh=zh, en=en)
        condition = Condition(column or "", "present", ())
        if tests:
            condition = self._condition(column or "", keys[tests[0]])
        recipe = self._recipe(Pair(owner, node, node), keys)
        return Branch(condition, recipe, self._read.at(node))

    def _condition(self, column: str, pair: Pair) -> Condition:
        if pair.name in ("empty", "present"):
            self._read.flag(pair.value, pair.name)
            return Condition(column, "empty" if pair.name == "empty" else "present", ())
        if pair.name == "equals":
            return Condition(column, "equals", (self._one(pair),))
        return Condition(column, "in", self._read.texts(pair.value, "in"))

    def _call(self, node: Node) -> Call | None:
        if not _is_mapping(node):
            return self._checked(node, self._read.text(node, "do"), {})
        pairs = list(self._read.mapping(node, "do").values())
        if len(pairs) != 1:
            zh, en = "一项只写一个函数", "one function an item"
            self._read.problem(node, "wrong-call", "do", zh=zh, en=en)
            return None
        name, _, value = pairs[0]
        function = FUNCTIONS.get(name)
        if function is None or not function.parameters:
            if function is not None:
                self._read.problem(value, "wrong-call", name, zh="该函数没有参数", en="this function takes no argument")
            return self._checked(node, name, {})
        if not _is_mapping(value):
            return self._checked(
                node, name, {function.parameters[0].name: self._argument(function.parameters[0], value)}
            )
        names = [parameter.name for parameter in function.parameters]
        given = self._read.mapping(value, name, allowed=names)
        known = {parameter.name: parameter for parameter in function.parameters}
        return self._checked(node, name, {key: self._argument(known[key], pair.value) for key, pair in given.items()})

    def _argument(self, parameter: Parameter, node: Node) -> str | tuple[str, ...]:
        if parameter.type == "texts":
            return self._read.texts(node, parameter.name)
        text = self._read.text(node, parameter.name) or ""
        if parameter.choices and text not in parameter.choices:
            allowed = ", ".join(parameter.choices)
            zh, en = f"只能是 {allowed}", f"must be one of {allowed}"
            self._read.problem(node, "wrong-argument", parameter.name, zh=zh, en=en)
        return text

    def _checked(self, node: Node, name: str | None, arguments: dict[str, str | tuple[str, ...]]) -> Call | None:
        function = FUNCTIONS.get(name or "")
        if function is None:
            if name is not None:
                known = ", ".join(FUNCTIONS)
                zh, en = f"没有这个函数，可用 {known}", f"no such function, known are {known}"
                self._read.problem(node, "unknown-function", name, zh=zh, en=en)
            return None
        for parameter in function.parameters:
            if parameter.is_required and not arguments.get(parameter.name):
                zh, en = f"缺少参数 {parameter.name}", f"argument {parameter.name} is missing"
                self._read.problem(node, "wrong-argument", function.name, zh=zh, en=en)
                return None
        return Call(function.name, arguments, self._read.at(node))


def _is_mapping(node: Node) -> bool:
    return isinstance(node, MappingNode)
