"""Every fault of one invalid record, in words for the people who have to repair it.

libxml2 has the last word on *whether* a record is valid; this module says *why*, completely. libxml2 itself stops
reading a record's content at the first element out of place, and its messages are for programmers, so the record is
walked once more against the catalogue. What libxml2 found and this walk did not is added from libxml2's own log, so
an invalid record never comes back without a fault.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from bus.message import NAMESPACE, Fault
from xsd import catalogue
from xsd.values import SECRET, Place, shown, value_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xsd.catalogue import Field, KindSchema

#: Bytes of markup that no record needs; with them out, "<" always begins a tag (see xsd.validator, batch guard).
FORBIDDEN_MARKUP: Final = (b"<!", b"<?")

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_OPEN_TAG: Final = re.compile(r"<([^\s<>/!?]+)[^<>]*>[^<]*\Z")
_PATH_STEP: Final = re.compile(r"^/[^/]+/[^/\[]+(?:\[(\d+)\])?")
_STRUCTURAL: Final = frozenset({"XSD_MISSING", "XSD_UNEXPECTED", "XSD_ORDER", "XSD_DUPLICATE", "XSD_TEXT"})


def hardened_parser() -> etree.XMLParser[etree._Element]:
    """A parser for XML from outside: no DTD, no entities, no network, libxml2's size limits kept."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=False
    )


def frame(root: str) -> tuple[bytes, bytes]:
    """What a record with this root begins and ends with, byte for byte."""
    return f'<{root} xmlns="{NAMESPACE}">'.encode(), f"</{root}>".encode()


class Explainer:
    """Explains records; compiled once, not for two threads at a time."""

    def __init__(self) -> None:
        self._kinds = catalogue.load().kinds
        self._schema = etree.XMLSchema(etree.fromstring(catalogue.schema_bytes()))
        self._parser = hardened_parser()

    def explain(self, payload: bytes, *, kind: str) -> tuple[Fault, ...]:
        """All faults of `payload` as a record of `kind`, in document order; () only when it is valid.

        Args:
            payload: the bytes that would be published.
            kind: KIND code; decides which root is expected.
        """
        schema = self._kinds[kind]
        place = Place("", "", f"/{schema.root}", 1)
        faults = [*_markup(payload, place)]
        if b"<!DOCTYPE" in payload:
            return tuple(faults)  # not parsed: what a DTD may do is not worth learning the rest
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            return (*faults, _encoding(error, place))
        faults += _control_characters(text, schema)
        try:
            # With control characters out of the way the rest of the record can be judged as well.
            root = etree.fromstring(_CONTROL.sub(" ", text).encode(), self._parser)
        except etree.XMLSyntaxError as error:
            return (*faults, *_malformed(error, place))
        if root.tag != f"{{{NAMESPACE}}}{schema.root}":
            return (*faults, _wrong_root(root, schema))
        faults += _Walk(root, schema).faults()
        if not self._schema.validate(root):
            faults += _from_libxml2(root, schema, log=self._schema.error_log, known=faults)
        begin, end = frame(schema.root)
        if not faults and not (payload.startswith(begin) and payload.endswith(end)):
            faults.append(_frame_fault(begin, end, place))
        return tuple(faults)


class _Walk:
    """One record against its kind: structure here, values in `xsd.values`."""

    def __init__(self, root: etree._Element, schema: KindSchema) -> None:
        self._root = root
        self._schema = schema
        self._positions: Mapping[str, int] = {field.name: i for i, field in enumerate(schema.fields)}
        self._counts: dict[str, int] = {}
        self._last = -1

    def faults(self) -> Iterator[Fault]:
        yield from _attributes(self._root, Place("", self._schema.zh, f"/{self._schema.root}", 1))
        yield from self._stray_text()
        for child in self._root.iterchildren("*"):
            yield from self._child(child)
        for field in self._schema.fields:
            if field.is_required and field.name not in self._counts:
                yield self._missing(field)

    def _place(self, child: etree._Element, name: str, zh: str) -> Place:
        count = self._counts.get(name, 0)
        suffix = f"[{count}]" if count > 1 else ""
        return Place(name, zh, f"/{self._schema.root}/{name}{suffix}", child.sourceline or 0)

    def _child(self, child: etree._Element) -> Iterator[Fault]:
        tag = etree.QName(child)
        name = tag.localname
        if name == "quality" and tag.namespace == NAMESPACE:
            self._last = len(self._schema.fields)  # always last; libxml2's log speaks for what is in it
            return
        if name not in self._positions or tag.namespace != NAMESPACE:
            yield self._unexpected(child, tag)
            return
        self._counts[name] = self._counts.get(name, 0) + 1
        position = self._positions[name]
        field = self._schema.fields[position]
        place = self._place(child, name, field.zh)
        if self._counts[name] > 1:
            yield _structural(
                "XSD_DUPLICATE", place, f"出现第 {self._counts[name]} 次，只能出现一次", "occurs again; once is allowed"
            )
        elif position < self._last:
            after = [*(other.name for other in self._schema.fields), "quality"][self._last]
            yield _structural(
                "XSD_ORDER",
                place,
                f"位置不对：必须在 {after} 之前",
                f"is out of order: it has to stand before {after}",
            )
        self._last = max(self._last, position)
        yield from _attributes(child, place)
        if len(child):
            yield _structural("XSD_CHILD", place, "不得含有下级元素或注释，只能是文本", "may hold text only, no markup")
        else:
            yield from value_faults(field, child.text or "", place)

    def _unexpected(self, child: etree._Element, tag: etree.QName) -> Fault:
        place = Place(tag.localname, "", f"/{self._schema.root}/{tag.localname}", child.sourceline or 0)
        hint_zh, hint_en = "", ""
        meant = [f for f in self._schema.fields if _means(f, tag.localname)]
        if tag.namespace != NAMESPACE:
            hint_zh = f"；命名空间应为 {NAMESPACE}，实为“{tag.namespace or ''}”"
            hint_en = f"; its namespace is '{tag.namespace or ''}' instead of {NAMESPACE}"
        elif meant:
            hint_zh, hint_en = f"；应写作 {meant[0].name}（{meant[0].zh}）", f"; write {meant[0].name}"
        zh = f"“{self._schema.zh}”记录没有元素 {tag.localname}{hint_zh}"
        en = f"a {self._schema.root} record has no element {tag.localname}{hint_en}"
        return Fault("XSD_UNEXPECTED", tag.localname, "reject", zh, en, place.xpath, place.line, "sequence")

    def _missing(self, field: Field) -> Fault:
        code = f"{field.abbreviations[0]}，" if field.abbreviations else ""
        zh = f"缺少必填字段“{field.zh}”（{code}{field.name}）"
        en = f"the required field {field.name} is missing"
        xpath = f"/{self._schema.root}/{field.name}"
        return Fault("XSD_MISSING", field.name, "reject", zh, en, xpath, self._root.sourceline or 0, "minOccurs")

    def _stray_text(self) -> Iterator[Fault]:
        texts = [self._root.text, *(child.tail for child in self._root)]
        for text in texts:
            if text and text.strip():
                zh = f"字段之间有多余的文字“{shown(text.strip())}”"
                en = f"stray text between the fields: '{shown(text.strip())}'"
                line = self._root.sourceline or 0
                yield Fault("XSD_TEXT", "", "reject", zh, en, f"/{self._schema.root}", line, "sequence")


def _means(field: Field, name: str) -> bool:
    return name.lower() == field.name.lower() or name.upper() in field.abbreviations


def _structural(code: str, place: Place, zh: str, en: str) -> Fault:
    rule = "maxOccurs" if code == "XSD_DUPLICATE" else "sequence"
    return Fault(
        code, place.field, "reject", f"{place.label}{zh}", f"{place.field} {en}", place.xpath, place.line, rule
    )


def _attributes(node: etree._Element, place: Place) -> Iterator[Fault]:
    for name in node.attrib:
        zh = f"{place.label}不得有属性 {name!s}"
        en = f"{place.field or place.xpath} may not have the attribute {name!s}"
        yield Fault("XSD_ATTRIBUTE", place.field, "reject", zh, en, place.xpath, node.sourceline or 0, "attribute")


def _markup(payload: bytes, place: Place) -> Iterator[Fault]:
    for mark in FORBIDDEN_MARKUP:
        at = payload.find(mark)
        if at >= 0:
            line = payload.count(b"\n", 0, at) + 1
            found = shown(payload[at : at + 24].decode("utf-8", "replace"))
            zh = f"不得含有 DOCTYPE、注释、CDATA 或处理指令（XML 声明也不可）：“{found}”"
            en = f"no DOCTYPE, comment, CDATA, processing instruction or XML declaration is allowed: '{found}'"
            yield Fault("XML_MARKUP", "", "reject", zh, en, place.xpath, line, "markup")


def _encoding(error: UnicodeDecodeError, place: Place) -> Fault:
    found = error.object[error.start : error.start + 4].hex(" ")
    zh = f"不是 UTF-8：第 {error.start + 1} 个字节起为 {found}"
    en = f"not UTF-8: the bytes from {error.start + 1} on are {found}"
    line = error.object.count(b"\n", 0, error.start) + 1
    return Fault("XML_ENCODING", "", "reject", zh, en, place.xpath, line, "utf-8")


def _control_characters(text: str, schema: KindSchema) -> Iterator[Fault]:
    known = {field.name: field.zh for field in schema.fields}
    for match in _CONTROL.finditer(text):
        tag = _OPEN_TAG.search(text, 0, match.start())
        name = tag.group(1) if tag and tag.group(1) in known else ""
        place = Place(name, known.get(name, ""), f"/{schema.root}/{name}" if name else f"/{schema.root}", 0)
        character = f"U+{ord(match.group()):04X}"
        zh = f"{place.label}含有 XML 不允许的控制字符 {character}，请在来源删除"
        en = f"{name or 'the record'} holds {character}, which XML does not allow; remove it at the source"
        line = text.count("\n", 0, match.start()) + 1
        yield Fault("XML_CONTROL", name, "reject", zh, en, place.xpath, line, "control")


def _malformed(error: etree.XMLSyntaxError, place: Place) -> Iterator[Fault]:
    entries = [(entry.message, entry.line) for entry in error.error_log] or [(str(error), error.lineno or 0)]
    for message, line in dict.fromkeys(entries):
        zh = f"不是格式良好的 XML（第 {line} 行）：{message}"
        en = f"not well-formed XML (line {line}): {message}"
        yield Fault("XML_MALFORMED", "", "reject", zh, en, place.xpath, line, "well-formed")


def _wrong_root(root: etree._Element, schema: KindSchema) -> Fault:
    tag = etree.QName(root)
    zh = (
        f"根元素应为命名空间 {NAMESPACE} 的 {schema.root}（{schema.zh}），实为“{tag.namespace or ''}”的 {tag.localname}"
    )
    en = f"the root should be {schema.root} in {NAMESPACE}; it is {tag.localname} in '{tag.namespace or ''}'"
    return Fault("XSD_ROOT", "", "reject", zh, en, f"/{tag.localname}", root.sourceline or 0, "root")


def _frame_fault(begin: bytes, end: bytes, place: Place) -> Fault:
    zh = f"记录必须逐字节以 {begin.decode()} 开头、以 {end.decode()} 结尾，前后不得有空白"
    en = f"a record begins with {begin.decode()} and ends with {end.decode()}, byte for byte"
    return Fault("XML_FRAME", "", "reject", zh, en, place.xpath, 1, "frame")


def _from_libxml2(
    root: etree._Element, schema: KindSchema, *, log: etree._ListErrorLog, known: list[Fault]
) -> Iterator[Fault]:
    """What libxml2 found at a place where the walk found nothing."""
    children = list(root.iterchildren("*"))
    told = {fault.xpath.partition("[")[0] for fault in known}
    is_structural = any(fault.code in _STRUCTURAL for fault in known)
    for entry in log:
        step = _PATH_STEP.match(entry.path or "")
        child = children[int(step.group(1) or 1) - 1] if step else root
        name = etree.QName(child).localname if step else ""
        xpath = f"/{schema.root}/{name}" if name else f"/{schema.root}"
        if xpath in told or (is_structural and entry.type_name == "SCHEMAV_ELEMENT_CONTENT"):
            continue
        message = entry.message.replace(f"{{{NAMESPACE}}}", "")
        if name in SECRET and child.text:
            message = message.replace(child.text, "***")
        zh = f"不符合统一标准：{message}"
        en = f"not valid against the unified schema: {message}"
        yield Fault("XSD_INVALID", name, "reject", zh, en, xpath, entry.line, entry.type_name)
