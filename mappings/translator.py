"""The Message Translator: native records → unified records, by plans compiled at start."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from bus.errors import ConfigurationError
from bus.message import NAMESPACE, Fault, Record, Translation
from mappings.binding import Bound, bind
from mappings.compiler import Plan, compile_document
from mappings.document import canonical
from mappings.library import Platform, read_platform
from mappings.lint import lint_platform
from mappings.outcome import BLANKS
from xsd.catalogue import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.resources.abc import Traversable

    from mappings.outcome import Outcome

#: Bounds of the two caches; platforms with tables have one shape a kind, documents with absent fields have many.
_SHAPES: Final = 256
_TEMPLATES: Final = 256

#: Bytes that XML text cannot hold as they are: markup, carriage return (a parser makes a line feed of it), controls;
#: and how many of them an element has in its two tags.
_SPECIAL: Final = bytes(code for code in range(0x20) if code not in (0x09, 0x0A)) + b"&<>"
_SPECIAL_IN_TAGS: Final = 4
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class MappingTranslator:
    """Implements `bus.ports.Translator` for one platform.

    Attributes:
        id: `<platform>/<12 hex digits>` of all its documents and tables.
        platform: what was read.
        plans: KIND → plan.
    """

    def __init__(self, platform: Platform, *, plans: Mapping[str, Plan]) -> None:
        self.id = platform.id
        self.platform = platform
        self.plans = plans
        self._kinds = {kind: _Kind(plan) for kind, plan in plans.items()}

    @classmethod
    def load(cls, platform: str, *, directory: Traversable | None = None) -> MappingTranslator:
        """Read, lint and compile `<directory>/<platform>` (default: the mappings of the package).

        Raises:
            ConfigurationError: with every error of the lint; warnings do not keep a mapping from loading.
        """
        read = read_platform(platform, directory=directory)
        errors = [problem for problem in lint_platform(read).problems if problem.severity == "error"]
        if errors:
            raise ConfigurationError([problem.render("en") for problem in errors])
        kinds = load().kinds
        plans = {
            kind: compile_document(document, schema=kinds[kind], tables=read.tables)
            for kind, document in read.documents.items()
        }
        return cls(read, plans=plans)

    def translate(self, records: Sequence[Record]) -> list[Translation]:
        """One translation a record, in order; `record.faults` come first in its faults. Never raises for content."""
        translate_of = {kind: compiled.translate for kind, compiled in self._kinds.items()}
        return [translate_of.get(record.kind, self._unmapped)(record) for record in records]

    def _unmapped(self, record: Record) -> Translation:
        zh = f"平台 {self.platform.name} 没有记录种类 {record.kind} 的映射"
        en = f"platform {self.platform.name} has no mapping for kind {record.kind}"
        return Translation(record.kind, b"", {}, (*record.faults, Fault("MAP_KIND", "", "reject", zh, en)))


class _Shape:
    """What is settled for all records whose content has the same columns in the same order."""

    __slots__ = ("steps", "values", "whole")

    def __init__(self, content: Mapping[str, Any], plan: Plan) -> None:
        columns: dict[str, str] = {}
        for own in content:
            columns.setdefault(canonical(own), own)
        bound = [step for step in (bind(compiled, columns) for compiled in plan.targets) if step is not None]
        self.steps = tuple((step.name, step.hidden, step.recall, step.run) for step in bound)
        self.whole = tuple(place for place, step in enumerate(bound) if step.column is None)
        self.values = _values(bound)


def _values(bound: Sequence[Bound]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """Content → one value a step, in one call; the places of steps that take the whole record are to be filled."""
    named = [step.column for step in bound if step.column is not None]
    if len(named) < 2:  # itemgetter gives a bare value for one column
        return lambda content: [None if step.column is None else content[step.column] for step in bound]
    get = itemgetter(*(step.column or named[0] for step in bound))
    return lambda content: [*get(content)]


class _Kind:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._kind = plan.document.kind
        self._root = plan.schema.root
        self._contexts = {compiled.field.name: compiled.context for compiled in plan.targets}
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._templates: dict[tuple[str, ...], list[str]] = {}

    def translate(self, record: Record) -> Translation:
        """One record; see `MappingTranslator.translate`.

        The one clever function of this package; `python -m tests.mappings.bench_translate` is the benchmark that
        justifies it. Values are taken in one call, and nothing is asked value by value afterwards: joining fails if
        one of them is a `Flawed` (it is no text), encoding fails if one holds an undecoded byte, and deleting every
        special byte must shorten the payload by exactly what its tags have of them, or a value holds markup or a
        control character. A regular expression on each value would cost a third of the budget. Whatever is unusual
        goes through `_unusual`, which looks at every value.
        """
        content = record.content
        shape = self._shapes.get(tuple(content)) or self._learn(content)
        values = shape.values(content)
        for place in shape.whole:
            values[place] = record
        found: dict[str, Any] = {}
        for (name, hidden, recall, run), value in zip(shape.steps, values, strict=True):
            if value is None:
                continue
            text: Any  # a text, or a Flawed: told apart below
            if hidden and value.__class__ is str:
                text = value.strip(BLANKS)
                if text in hidden:
                    continue
            else:
                text = (recall and value.__class__ is str and recall(value)) or run(value)
                if not text:
                    continue
            found[name] = text
        names = tuple(found)
        parts = (self._templates.get(names) or self._template(names)).copy()
        parts[1::2] = found.values()
        try:
            written = "".join(parts)
            payload = written.encode()
        except (TypeError, UnicodeEncodeError):
            return self._unusual(record, found)
        tags = _SPECIAL_IN_TAGS * (len(names) + 1)
        if len(payload) - len(payload.translate(None, _SPECIAL)) != tags or "\uffff" in written or "\ufffe" in written:
            return self._unusual(record, found)
        return Translation(self._kind, payload, found, record.faults)

    def _learn(self, content: Mapping[str, Any]) -> _Shape:
        if len(self._shapes) >= _SHAPES:
            self._shapes.clear()
        shape = self._shapes[tuple(content)] = _Shape(content, self._plan)
        return shape

    def _template(self, names: tuple[str, ...]) -> list[str]:
        """Tags and, at every odd place, room for a value."""
        if len(self._templates) >= _TEMPLATES:
            self._templates.clear()
        parts = [f'<{self._root} xmlns="{NAMESPACE}">']
        for name in names:
            parts[-1] += f"<{name}>"
            parts += ["", f"</{name}>"]
        parts[-1] += f"</{self._root}>"
        self._templates[names] = parts
        return parts

    def _unusual(self, record: Record, found: Mapping[str, Outcome]) -> Translation:
        """The long way: faults collected, every character that XML cannot carry named, every value escaped."""
        faults = list(record.faults)
        fields: dict[str, str] = {}
        for name, outcome in found.items():
            text, more = (outcome, ()) if isinstance(outcome, str) else outcome
            faults += more
            if text:
                fields[name] = text
        faults += [fault for name, text in fields.items() for fault in self._illegal(name, text)]
        if any(fault.severity == "reject" for fault in faults):
            return Translation(self._kind, b"", fields, tuple(faults))
        parts = self._template(tuple(fields)).copy()
        parts[1::2] = [text.translate(_ESCAPES) for text in fields.values()]
        return Translation(self._kind, "".join(parts).encode(), fields, tuple(faults))

    def _illegal(self, name: str, text: str) -> tuple[Fault, ...]:
        match = _ILLEGAL.search(text)
        if match is None:
            return ()
        context, character = self._contexts[name], f"U+{ord(match.group()):04X}"
        where = f"（第 {match.start() + 1} 个字符 {character}）"
        if "\ud800" <= match.group() <= "\udfff":
            zh, en = f"含有未能解码的字节{where}", f"has bytes that do not decode ({character})"
            return context.reject("MAP_UNDECODABLE", text, zh=zh, en=en).faults
        zh, en = f"含有 XML 不允许的控制字符{where}", f"has a character that XML does not allow ({character})"
        return context.reject("MAP_CONTROL_CHARACTER", text, zh=zh, en=en).faults
