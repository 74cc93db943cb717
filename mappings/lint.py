"""What can be known to be wrong before a record is read: documents against the schema and their code tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from mappings.codes import tables_read
from mappings.outcome import ValueType
from mappings.problem import Language, Problem, error, warning
from mappings.times import parse_time
from xsd.catalogue import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mappings.document import Document, Recipe, Target
    from mappings.library import Platform
    from mappings.problem import Position
    from mappings.tables import CodeTable
    from xsd.catalogue import Catalogue, Field, KindSchema

#: Type of the schema → types of a chain's value that may stand there.
_ACCEPTS: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"text", "code", "list", "integer", "decimal"}),
    "code": frozenset({"code"}),
    "dateTime": frozenset({"date-time"}),
    "date": frozenset({"date"}),
    "integer": frozenset({"integer"}),
    "decimal": frozenset({"decimal"}),
}
_SOURCE_TYPES: Final[Mapping[str, ValueType]] = {"record.version": "integer"}
_LEXICAL: Final[Mapping[str, str]] = {
    "integer": r"-?[0-9]+",
    "decimal": r"-?[0-9]+(\.[0-9]+)?",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
}


@dataclass(frozen=True, slots=True)
class LintReport:
    """All problems of a platform, by file, line and column."""

    platform: str
    documents: int
    problems: tuple[Problem, ...]

    @property
    def has_errors(self) -> bool:
        """Whether the mapping can be loaded."""
        return any(problem.severity == "error" for problem in self.problems)

    def render(self, lang: Language = "en") -> str:
        """One line a problem, and a last line with the counts."""
        errors = sum(problem.severity == "error" for problem in self.problems)
        warnings = len(self.problems) - errors
        if lang == "zh":
            last = f"{self.platform}：{self.documents} 份映射，{errors} 个错误，{warnings} 个警告"
        else:
            last = f"{self.platform}: {self.documents} documents, {errors} errors, {warnings} warnings"
        return "\n".join([*(problem.render(lang) for problem in self.problems), last])


def lint_platform(platform: Platform, *, catalogue: Catalogue | None = None) -> LintReport:
    """Every problem of the platform's documents and tables, the parser's included."""
    kinds = (catalogue or load()).kinds
    problems = list(platform.problems)
    for document in platform.documents.values():
        if document.kind in kinds:
            problems += lint_document(document, schema=kinds[document.kind], tables=platform.tables)
    problems.sort(key=lambda problem: problem.at)
    return LintReport(platform.name, len(platform.documents), tuple(problems))


def lint_document(document: Document, *, schema: KindSchema, tables: Mapping[str, CodeTable]) -> list[Problem]:
    """Problems of one document beyond its syntax."""
    fields = {field.name: field for field in schema.fields}
    problems = list(_unmapped(document, schema))
    for target in document.targets:
        if target.name in fields:
            problems += _target(target, fields[target.name], tables)
        else:
            zh, en = f"{schema.root} 没有这个元素", f"{schema.root} has no such element"
            problems.append(error(target.at, "unknown-target", target.name, zh=zh, en=en))
    problems += _unused(document)
    return problems


def _unmapped(document: Document, schema: KindSchema) -> Iterator[Problem]:
    mapped = {target.name for target in document.targets}
    for field in schema.fields:
        if field.is_required and field.name not in mapped:
            zh = f"必填元素没有映射（{field.zh}，{' '.join(field.abbreviations)}）"
            en = f"required element is not mapped ({field.en}; {' '.join(field.abbreviations)})"
            yield error(document.at, "unmapped-required", field.name, zh=zh, en=en)


def _unused(document: Document) -> Iterator[Problem]:
    used: set[str] = set()
    for target in document.targets:
        used.update(column for recipe in target.recipes() for column in recipe.columns)
        used.update(branch.condition.column for branch in target.branches)
    for column, at in document.columns.items():
        if column not in used and column not in document.ignored:
            zh, en = (
                "该列没有用到；确实不用请写入 ignored 并说明理由",
                "not used; if that is meant, name it under ignored",
            )
            yield warning(at, "unused-column", column, zh=zh, en=en)
    for column, at in document.ignored.items():
        if column in used:
            zh, en = "该列列为不用，却有映射", "said to be ignored, and yet mapped"
            yield warning(at, "ignored-but-used", column, zh=zh, en=en)


def _target(target: Target, field: Field, tables: Mapping[str, CodeTable]) -> Iterator[Problem]:
    for recipe in target.recipes():
        if recipe.constant is not None:
            yield from _constant(recipe.constant, field, recipe.at)
        else:
            yield from _chain(recipe, field)
        yield from _tables(recipe, field, tables)
    if target.default is not None:
        yield from _constant(target.default, field, target.default_at)
    yield from _never_produced(target, field, tables)


def _chain(recipe: Recipe, field: Field) -> Iterator[Problem]:
    types = {_SOURCE_TYPES.get(column, "text") for column in recipe.columns}
    value: ValueType = types.pop() if len(types) == 1 else "text"
    for call in recipe.calls:
        if value not in call.function.takes:
            taken = "、".join(name for name in get_args(ValueType) if name in call.function.takes)
            zh, en = f"该函数接受 {taken}，得到的是 {value}", f"takes {taken.replace('、', ', ')}, is given {value}"
            yield error(call.at, "wrong-input-type", call.name, zh=zh, en=en)
        value = call.function.gives or value
    if value not in _ACCEPTS[field.xs_type]:
        at = recipe.calls[-1].at if recipe.calls else recipe.at
        zh = f"元素类型是 {field.xs_type}，映射得到的是 {value}"
        yield error(
            at, "wrong-type", field.name, zh=zh, en=f"the element is a {field.xs_type}, the mapping gives {value}"
        )


def _constant(text: str, field: Field, at: Position) -> Iterator[Problem]:
    facets = field.facets
    if facets.codes and text not in facets.codes:
        listed = " ".join(facets.codes)
        zh, en = f"「{text}」不在代码表内，允许 {listed}", f"'{text}' is not in the code list, allowed are {listed}"
        yield error(at, "constant-code", field.name, zh=zh, en=en)
    if facets.max_length is not None and len(text) > facets.max_length:
        zh, en = f"{len(text)} 个字符，最多 {facets.max_length}", f"{len(text)} characters, at most {facets.max_length}"
        yield error(at, "constant-too-long", field.name, zh=zh, en=en)
    lexical = _LEXICAL.get(field.xs_type)
    is_wrong = lexical is not None and re.fullmatch(lexical, text) is None
    if field.xs_type == "dateTime":
        is_wrong = parse_time(text) is None or not text.endswith("+08:00") or "T" not in text
    if is_wrong or (field.is_required and not text.strip()):
        zh, en = f"「{text}」不是 {field.xs_type} 的写法", f"'{text}' is not written as {field.xs_type}"
        yield error(at, "constant-type", field.name, zh=zh, en=en)


def _tables(recipe: Recipe, field: Field, tables: Mapping[str, CodeTable]) -> Iterator[Problem]:
    for call in recipe.calls:
        name = str(call.arguments.get("name", ""))
        if call.name == "table" and name not in tables:
            known = " ".join(tables)
            yield error(
                call.at,
                "unknown-table",
                name,
                zh=f"没有这个代码表，可用 {known}",
                en=f"no such table, known are {known}",
            )
        elif field.codes and call.name == "table" and call is recipe.calls[-1]:
            for row in tables[name].rows.values():
                if row.target not in field.codes:
                    zh = f"目标代码 {row.target} 不在 {field.name} 的代码表内，允许 {' '.join(field.codes)}"
                    en = f"target {row.target} is not a code of {field.name}, allowed are {' '.join(field.codes)}"
                    yield error(row.at, "table-target", name, zh=zh, en=en)
        elif call.name == "code" and not field.codes:
            zh, en = "该元素没有代码表，不能用 code", "the element has no code list, code cannot stand here"
            yield error(call.at, "no-code-list", field.name, zh=zh, en=en)


def _never_produced(target: Target, field: Field, tables: Mapping[str, CodeTable]) -> Iterator[Problem]:
    if not field.codes:
        return
    produced = {target.default} if target.default is not None else set()
    for recipe in target.recipes():
        calls = recipe.calls
        if recipe.constant is not None:
            produced.add(recipe.constant)
        elif not calls or calls[-1].name != "table" or str(calls[-1].arguments["name"]) not in tables:
            return  # `code` gives every code; anything else is another problem
        else:
            (table,) = tables_read("table", calls[-1].arguments, tables)
            produced |= table.targets()
    missing = [f"{code} {label}".strip() for code, label in field.codes.items() if code not in produced]
    if missing:
        listed = "、".join(missing)
        zh, en = f"这些代码永远不会产生：{listed}", f"codes that are never produced: {listed}"
        yield warning(target.at, "code-never-produced", field.name, zh=zh, en=en)
