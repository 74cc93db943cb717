"""A package's body: records of one stream side by side, cut without an XML parser (docs/reference/stream.md §8)."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from bus.message import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

_CITY: Final = timezone(timedelta(hours=8))
_END: Final = b"</body></package>"
_ROOT: Final = re.compile(
    r'<package xmlns="[^"<>]*" lengths="([0-9]+(?: [0-9]+)*)" keys="([^"<>]*)" rows="([0-9a-f ]*)"'
    r' collectedAt="([0-9TZ:. -]*)"><head>'
)
_ENTITIES: Final = (('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"))


class Part(NamedTuple):
    """One record of a package.

    Attributes:
        key: business key with its data version.
        row_digest: 32 bytes.
        payload: exact bytes.
        collected_at: as in the leaf.
    """

    key: str
    row_digest: bytes
    payload: bytes
    collected_at: str


def build(package_id: str, division: str, parts: Sequence[Part]) -> bytes:
    """Body of a package; every byte follows from the arguments."""
    times = [part.collected_at for part in parts]
    joined = b"".join([part.payload for part in parts])
    created = datetime.fromisoformat(times[0]).astimezone(_CITY).isoformat(timespec="seconds")
    lengths = " ".join([str(len(part.payload)) for part in parts])
    keys = _escape(" ".join([part.key for part in parts]))
    rows = " ".join([part.row_digest.hex() for part in parts])
    at = times[0] if times.count(times[0]) == len(times) else " ".join(times)
    return (
        f'<package xmlns="{NAMESPACE}" lengths="{lengths}" keys="{keys}" rows="{rows}" collectedAt="{at}">'
        f"<head><packageId>{_escape(package_id)}</packageId><senderDivision>{_escape(division)}</senderDivision>"
        f"<createdAt>{created}</createdAt><count>{len(parts)}</count>"
        f"<digest>{hashlib.sha256(joined).hexdigest()}</digest></head><body>"
    ).encode() + b"".join([joined, _END])


def cut(body: bytes, package_id: str, division: str) -> list[Part]:
    """The records of a package.

    Raises:
        ValueError: `body` is not, byte for byte, what `build` makes of them.
    """
    start = body.find(b"<body>") + len(b"<body>")
    root = _ROOT.match(body[:start].decode())
    if root is None:
        raise ValueError("the root's start tag is not that of a package")
    keys = [_unescape(key) for key in root[2].split(" ")]
    rows = [bytes.fromhex(row) for row in root[3].split(" ")]
    times = root[4].split(" ")
    payloads = []
    for length in map(int, root[1].split(" ")):
        payloads.append(body[start : start + length])
        start += length
    if len(times) == 1:
        times *= len(payloads)
    parts = [Part(*fields) for fields in zip(keys, rows, payloads, times, strict=True)]
    if build(package_id, division, parts) != body:
        raise ValueError("the package is not built as its records and headers say")
    return parts


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;")
    for char, entity in _ENTITIES:
        text = text.replace(char, entity)
    return text


def _unescape(text: str) -> str:
    for char, entity in _ENTITIES:
        text = text.replace(entity, char)
    return text.replace("&amp;", "&")
