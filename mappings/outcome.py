"""What a mapping function gives: text in the schema's own form, "" for absent, or a value with faults.

Values between functions are text already in the lexical form of their type (a date-time is `2010-03-01T02:03:04+08:00`,
an amount `1234.50`), so that nothing passes through float and nothing has to be formatted at the end. Only the first
function of a chain may see what the driver gave.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from bus.message import Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.tables import CodeTable
    from xsd.catalogue import Field

ValueType = Literal["text", "code", "date-time", "date", "integer", "decimal", "list"]

#: What trimming takes away. Not `str.strip()`: that also takes U+001C to U+001F, which are to be rejected, not hidden.
BLANKS: Final = " \t\r\n\u3000\u00a0"
#: What a function that takes the driver's own value gets as it is; subclasses and all else become text first.
NATIVE: Final = frozenset({int, Decimal, date, datetime})
_SHOWN_CHARACTERS: Final = 200


class Flawed(NamedTuple):
    """A value that is not clean.

    Attributes:
        text: what may still be published; "" when a fault rejects it (or when the value counts as absent).
        faults: at least one.
    """

    text: str
    faults: tuple[Fault, ...]


Outcome = str | Flawed
Run = Callable[[Any], Outcome]


class Context(NamedTuple):
    """What a function may know when it is built, once, at start.

    Attributes:
        field: the target in the schema.
        column: source columns, for the fault's text.
        tables: code tables by name.
        rule: the function, for its faults.
    """

    field: Field
    column: str
    tables: Mapping[str, CodeTable]
    rule: str = "text"

    def reject(self, code: str, value: object, *, zh: str, en: str) -> Flawed:
        """Nothing may be published; the raw value is kept in the fault's text."""
        return Flawed("", (self._fault(code, "reject", value, zh, en),))

    def flag(self, code: str, value: object, *, text: str, zh: str, en: str) -> Flawed:
        """Publish `text` with a flag."""
        return Flawed(text, (self._fault(code, "flag", value, zh, en),))

    def _fault(self, code: str, severity: Severity, value: object, zh: str, en: str) -> Fault:
        seen = shown(value)
        return Fault(
            code=code,
            field=self.field.name,
            severity=severity,
            zh=f"{self.column} 的值「{seen}」：{zh}",
            en=f"{self.column} has '{seen}': {en}",
            rule=self.rule,
        )


def shown(value: object) -> str:
    """`value` as a fault may show it: printable, at most 200 characters, undecodable bytes and controls escaped."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: _SHOWN_CHARACTERS + 1])
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def plain(value: object) -> str | None:
    """A driver's value as text, exactly: trimmed text, integer, decimal, date; None when that cannot be done."""
    match value:
        case str():
            text = value.strip(BLANKS)
        case int() if not isinstance(value, bool):
            text = str(value)
        case Decimal() if value.is_finite():
            text = format(value, "f")
        case datetime():
            text = value.isoformat(sep=" ")
        case date():
            text = value.isoformat()
        case _:
            return None
    return text


def refused(context: Context, value: object) -> Flawed:
    """The fault of a value that `plain` does not take."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        seen = bytes(value).hex(" ")
        return context.reject(
            "MAP_UNDECODABLE",
            seen,
            zh="来源给出的是字节，不是文字，无法按原样解码",
            en="the source gave bytes, not text; they do not decode",
        )
    return context.reject(
        "MAP_TYPE",
        value,
        zh=f"类型 {type(value).__name__} 不能无损地写成文字",
        en=f"type {type(value).__name__} cannot be written as text without loss",
    )
