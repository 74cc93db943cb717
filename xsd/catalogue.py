"""What the XSD says, as values: kinds, fields, types, lengths, code lists, names in Chinese and English.

Read with lxml (a few ms) because `gateway` must not pay 670 ms for importing xmlschema; the file is flat on purpose
(one group, sequences, simple types that restrict a built-in one), and a test compares everything here with what
xmlschema makes of the same file.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lxml import etree

from bus.message import NAMESPACE, ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TYPE_NAMES: Final = ("string", "code", "dateTime", "date", "integer", "decimal")
XsType = Literal["string", "code", "dateTime", "date", "integer", "decimal"]

SCHEMA_ID: Final = f"{NAMESPACE}/exchange.xsd"
_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_SIDE_ROOTS: Final[Mapping[str, str]] = {"SX": "itemCatalogue", "JCJG": "supervisionResult"}


class Facets(NamedTuple):
    """A simple type.

    Attributes:
        xs_type: built-in type it restricts; `code` for an enumeration.
        min_length, max_length: in characters (code points); None where the schema sets none.
        min_value, max_value: inclusive, of numbers.
        total_digits, fraction_digits: of decimals.
        pattern: as it stands in the XSD (XSD's own dialect, anchored), or "".
        codes: code → Chinese label, in the schema's order; empty unless `xs_type` is `code`.
        zh: the type's own Chinese name, e.g. that of the code list.
    """

    xs_type: XsType
    min_length: int | None = None
    max_length: int | None = None
    min_value: Decimal | None = None
    max_value: Decimal | None = None
    total_digits: int | None = None
    fraction_digits: int | None = None
    pattern: str = ""
    codes: Mapping[str, str] = MappingProxyType({})
    zh: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One element of a record.

    Attributes:
        name: element name.
        abbreviations: the standard's own first, then those of older platforms.
        zh, note, en: Chinese name, Chinese note ("" when none), short English name.
        type_name: the named simple type of the XSD, e.g. `IdTypeCode`.
        facets: that type.
        is_required: the XSD demands it (a conditional field is not required here).
    """

    name: str
    abbreviations: tuple[str, ...]
    zh: str
    note: str
    en: str
    type_name: str
    facets: Facets
    is_required: bool

    @property
    def xs_type(self) -> XsType:
        """Built-in type, or `code`."""
        return self.facets.xs_type

    @property
    def max_length(self) -> int | None:
        """Longest text in characters, or None."""
        return self.facets.max_length

    @property
    def codes(self) -> Mapping[str, str]:
        """Code → Chinese label; empty unless `xs_type` is `code`."""
        return self.facets.codes

    @property
    def pattern(self) -> str:
        """Pattern in XSD's dialect, or ""."""
        return self.facets.pattern


@dataclass(frozen=True, slots=True)
class KindSchema:
    """One kind of record.

    Attributes:
        kind, root: KIND code and root element.
        zh, en: names.
        aliases: what sources call this kind.
        fields: in the order of the schema, common fields first, without `quality`.
    """

    kind: str
    root: str
    zh: str
    en: str
    aliases: tuple[str, ...]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field called `name`. Raises KeyError when the kind has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything the schema says.

    Attributes:
        kinds: the kinds of record (`bus.message.ROOTS`, same order).
        side: SX item catalogue and JCJG supervision result.
        types: every named simple type.
    """

    kinds: Mapping[str, KindSchema]
    side: Mapping[str, KindSchema]
    types: Mapping[str, Facets]


def schema_bytes() -> bytes:
    """The main schema document as shipped."""
    return files("xsd").joinpath("v1", "exchange.xsd").read_bytes()


@cache
def load() -> Catalogue:
    """Read the shipped schema once; the result is immutable and shared."""
    tree = etree.fromstring(schema_bytes())
    types = {str(node.get("name")): _facets(node) for node in tree.iterchildren(f"{_XS}simpleType")}
    groups = {node.get("name"): node for node in tree.iterchildren(f"{_XS}group")}
    roots = {node.get("name"): node for node in tree.iterchildren(f"{_XS}element")}

    def kinds(names: Mapping[str, str]) -> Mapping[str, KindSchema]:
        made = {kind: _kind(kind, node=roots[root], groups=groups, types=types) for kind, root in names.items()}
        return MappingProxyType(made)

    return Catalogue(kinds(ROOTS), kinds(_SIDE_ROOTS), MappingProxyType(types))


def _documentation(node: etree._Element, language: str) -> str:
    for text in node.iterfind(f"{_XS}annotation/{_XS}documentation"):
        if text.get(_LANG) == language:
            return text.text or ""
    return ""


def _abbreviations(node: etree._Element) -> tuple[str, ...]:
    return tuple((node.findtext(f"{_XS}annotation/{_XS}appinfo") or "").split())


def _facets(node: etree._Element) -> Facets:
    restriction = node.find(f"{_XS}restriction")
    if restriction is None:  # a list, used by attributes only
        return Facets("string", zh=_documentation(node, "zh"))
    codes: dict[str, str] = {}
    values: dict[str, str] = {}
    for facet in restriction.iterchildren(f"{_XS}*"):
        name, value = etree.QName(facet).localname, str(facet.get("value"))
        if name == "enumeration":
            codes[value] = _documentation(facet, "zh")
        else:
            values[name] = value
    built_in = str(restriction.get("base")).removeprefix("xs:")
    xs_type = next(name for name in _TYPE_NAMES if name == ("code" if codes else built_in))

    def integer(name: str) -> int | None:
        return int(values[name]) if name in values else None

    def number(name: str) -> Decimal | None:
        return Decimal(values[name]) if name in values else None

    return Facets(
        xs_type,
        integer("minLength"),
        integer("maxLength"),
        number("minInclusive"),
        number("maxInclusive"),
        integer("totalDigits"),
        integer("fractionDigits"),
        values.get("pattern", ""),
        MappingProxyType(codes),
        _documentation(node, "zh"),
    )


def _elements(node: etree._Element, groups: Mapping[str | None, etree._Element]) -> Iterator[etree._Element]:
    for sequence in node.iter(f"{_XS}sequence"):
        for child in sequence.iterchildren(f"{_XS}element", f"{_XS}group"):
            if etree.QName(child).localname == "group":
                yield from _elements(groups[child.get("ref")], groups)
            elif child.get("ref") is None:
                yield child


def _kind(
    kind: str,
    *,
    node: etree._Element,
    groups: Mapping[str | None, etree._Element],
    types: Mapping[str, Facets],
) -> KindSchema:
    fields = tuple(_field(element, types) for element in _elements(node, groups))
    aliases = _abbreviations(node)
    return KindSchema(
        kind, str(node.get("name")), _documentation(node, "zh"), _documentation(node, "en"), aliases, fields
    )


def _field(node: etree._Element, types: Mapping[str, Facets]) -> Field:
    zh, _, note = _documentation(node, "zh").partition("：")
    type_name = str(node.get("type"))
    return Field(
        name=str(node.get("name")),
        abbreviations=_abbreviations(node),
        zh=zh,
        note=note,
        en=_documentation(node, "en"),
        type_name=type_name,
        facets=types[type_name],
        is_required=node.get("minOccurs") != "0",
    )
