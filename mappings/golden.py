"""Golden pairs: `<platform>/golden/<KIND>/<name>.yaml` holds a record and what has to become of it, element by element.

    note: what the case is about
    record: {division: "440604", application_no: …, version: 1, content: {COLUMN: value, …}}
    expect: {fields: {element: text, …}, faults: [CODE element, …]}

`fields` names every element; without it the record has to be rejected. `faults` are compared as a set of
`CODE element`; without it there must be none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

from bus.message import Record, business_key
from mappings.nodes import Reader
from mappings.problem import Position, error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from bus.message import Translation
    from mappings.library import Platform
    from mappings.problem import Language, Problem
    from mappings.translator import MappingTranslator

_CASE: Final = ("note", "record", "expect")
_RECORD: Final = ("division", "application_no", "version", "content")
_EXPECT: Final = ("fields", "faults")


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One pair.

    Attributes:
        name: `<KIND>/<file name>`.
        note: what it is about.
        record: what is translated.
        fields: element → text, or None: the record has to be rejected.
        faults: `CODE element`, sorted.
        places: where an expected element stands; "" = the case.
    """

    name: str
    note: str
    record: Record
    fields: Mapping[str, str] | None
    faults: tuple[str, ...]
    places: Mapping[str, Position]


@dataclass(frozen=True, slots=True)
class Difference:
    """One element (or `faults`) that came out otherwise; None = absent."""

    at: Position
    case: str
    element: str
    expected: str | None
    got: str | None

    def render(self, lang: Language = "en") -> str:
        """`file:line:column: case: element: expected …, got …`."""
        expected, got = (_quoted(text, lang) for text in (self.expected, self.got))
        said = f"应为 {expected}，得到 {got}" if lang == "zh" else f"expected {expected}, got {got}"
        return f"{self.at}: {self.case}: {self.element}: {said}"


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """What became of all pairs of a platform."""

    platform: str
    cases: int
    problems: tuple[Problem, ...]
    differences: tuple[Difference, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every case could be read and came out as expected, and there was one."""
        return self.cases > 0 and not self.problems and not self.differences

    def render(self, lang: Language = "en") -> str:
        """One line a difference, and a last line with the counts."""
        failed = len({difference.case for difference in self.differences})
        if lang == "zh":
            last = f"{self.platform}：{self.cases} 个样例，{failed} 个不符，{len(self.problems)} 处读不出"
        else:
            last = f"{self.platform}: {self.cases} cases, {failed} differ, {len(self.problems)} could not be read"
        lines = [*(problem.render(lang) for problem in self.problems)]
        return "\n".join([*lines, *(difference.render(lang) for difference in self.differences), last])


def run_golden(translator: MappingTranslator) -> GoldenReport:
    """Translate every golden record of the translator's platform and compare."""
    cases, problems = read_cases(translator.platform)
    differences = [found for case in cases for found in compare(case, translator.translate([case.record])[0])]
    return GoldenReport(translator.platform.name, len(cases), tuple(problems), tuple(differences))


def compare(case: GoldenCase, translation: Translation) -> Iterator[Difference]:
    """Differences between what a case expects and a translation, in the order of the elements."""
    here = case.places[""]
    faults = tuple(sorted(f"{fault.code} {fault.field}".strip() for fault in translation.faults))
    if faults != case.faults:
        yield Difference(case.places.get("faults", here), case.name, "faults", _listed(case.faults), _listed(faults))
    if case.fields is None or translation.is_rejected:
        is_expected = case.fields is None and translation.is_rejected and not translation.payload
        if not is_expected:
            expected = "rejected" if case.fields is None else "published"
            got = "rejected" if translation.is_rejected else "published"
            yield Difference(here, case.name, "record", expected, got)
        return
    for element in dict.fromkeys([*case.fields, *translation.fields]):
        expected_text, got_text = case.fields.get(element), translation.fields.get(element)
        if expected_text != got_text:
            yield Difference(case.places.get(element, here), case.name, element, expected_text, got_text)


def read_cases(platform: Platform) -> tuple[list[GoldenCase], list[Problem]]:
    """Every pair of a platform, by kind and name, and what is wrong with those that cannot be read."""
    cases: list[GoldenCase] = []
    problems: list[Problem] = []
    folder = platform.directory.joinpath(platform.name, "golden")
    for kind in platform.documents:
        files = list(_files(folder.joinpath(kind)))
        if not files:
            at = Position(platform.documents[kind].file, 1, 1)
            zh, en = f"没有样例（golden/{kind}/*.yaml）", f"no golden pair (golden/{kind}/*.yaml)"
            problems.append(error(at, "no-golden", kind, zh=zh, en=en))
        for file in files:
            reader = Reader(str(file))
            case = _case(file.read_text(encoding="utf-8"), kind=kind, name=file.name, reader=reader)
            problems += reader.problems
            if case is not None and not reader.problems:
                cases.append(case)
    return cases, problems


def _files(folder: Traversable) -> Iterator[Traversable]:
    if folder.is_dir():
        yield from sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda file: file.name)


def _case(text: str, *, kind: str, name: str, reader: Reader) -> GoldenCase | None:
    root = reader.compose(text)
    if root is None:
        return None
    keys = reader.mapping(root, "case", allowed=_CASE)
    for key in ("record", "expect"):
        if key not in keys:
            reader.problem(root, "missing-key", key, zh="缺少这个键", en="this key is missing")
            return None
    said = reader.mapping(keys["record"].value, "record", allowed=_RECORD)
    if "content" in said:
        reader.mapping(said["content"].value, "content")
    expect = reader.mapping(keys["expect"].value, "expect", allowed=_EXPECT)
    fields = reader.mapping(expect["fields"].value, "fields") if "fields" in expect else None
    texts = None if fields is None else {key: reader.text(pair.value, key) or "" for key, pair in fields.items()}
    faults = reader.texts(expect["faults"].value, "faults") if "faults" in expect else ()
    note = (reader.text(keys["note"].value, "note") or "") if "note" in keys else ""
    if reader.problems:
        return None
    places = {key: reader.at(pair.key) for key, pair in (fields or {}).items()} | {"": reader.at(root)}
    if "faults" in expect:
        places["faults"] = reader.at(expect["faults"].key)
    label = f"{kind}/{name.removesuffix('.yaml')}"
    return GoldenCase(label, note, read_record(text, kind), texts, tuple(sorted(faults)), places)


def read_record(text: str, kind: str) -> Record:
    """The record as YAML types say: quoted text, integers, date-times, null."""
    given: dict[str, Any] = YAML(typ="safe", pure=True).load(text)["record"]
    division, number = str(given.get("division", "")), str(given.get("application_no", ""))
    return Record(
        key=business_key(division, kind, number),
        division=division,
        kind=kind,
        application_no=number,
        version=given.get("version"),
        digest=b"",
        changed_at="",
        content=given.get("content") or {},
    )


def _listed(faults: tuple[str, ...]) -> str | None:
    return ", ".join(faults) or None


def _quoted(text: str | None, lang: Language) -> str:
    if text is None:
        return "无此元素" if lang == "zh" else "nothing"
    return f"「{text}」" if lang == "zh" else repr(text)
