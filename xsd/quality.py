"""Flags into the record: `quality` as its last child (standard §1)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from bus.message import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The record overtakes a held one of its case (`on_quarantine: pass`).
GAP: Final = Fault(
    "gap",
    "",
    "flag",
    "同一案件有更早的记录仍被隔离，本记录先行上报",
    "an earlier record of the same case is still held back; this one goes ahead of it",
    rule="gap",
)
_FIELD_CHARACTERS: Final = 200


@lru_cache(maxsize=512)
def _fault_element(code: str, field: str) -> str:
    name = "".join(c if c.isprintable() else " " for c in field[:_FIELD_CHARACTERS])
    return f"<fault code={quoteattr(code)} field={quoteattr(name)}/>"


def with_quality(payload: bytes, flags: Iterable[Fault], *, end: bytes) -> bytes:
    """`payload` with one `fault` a distinct (code, field) of `flags`, in their order.

    Args:
        payload: the record, ending in `end`; returned unchanged when it does not (XSD then says why).
        flags: at least one.
        end: the record's closing tag.
    """
    if not payload.endswith(end):
        return payload
    elements = "".join(dict.fromkeys(_fault_element(flag.code, flag.field) for flag in flags))
    return b"".join((payload[: -len(end)], b"<quality>", elements.encode(), b"</quality>", end))
