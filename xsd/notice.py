"""Notices of the unified schema: what happened at the source to a record that is out (root `notice`)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from lxml import etree

from bus.message import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bus.ports import Difference

_LOCAL: Final = ZoneInfo("Asia/Shanghai")
_NOT_COMPARED: Final = frozenset({"dataVersion", "quality"})
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NoticeWriter:
    """Implements `bus.ports.NoticeWriter`."""

    def differences(self, before: bytes, after: Mapping[str, str]) -> list[Difference]:
        """Field by field, in the order of the published record, then what is new."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        root = etree.fromstring(before, parser)
        published = {etree.QName(child).localname: child.text or "" for child in root}
        names = [name for name in (*published, *(n for n in after if n not in published)) if name not in _NOT_COMPARED]
        pairs = ((name, published.get(name, ""), after.get(name, "")) for name in names)
        return [(name, was, now) for name, was, now in pairs if was != now]

    def write(
        self, kind: str, *, key: str, application_no: str, version: int, detected_at: str, fields: Sequence[Difference]
    ) -> bytes:
        """The body of a notice, UTF-8; a character that XML cannot hold stands as U+FFFD (the raw row is kept)."""
        local = datetime.fromisoformat(detected_at).astimezone(_LOCAL)
        parts = [
            (
                f'<notice xmlns="{NAMESPACE}"><kind>{kind}</kind><applicationNo>{_text(application_no)}</applicationNo>'
                f"<key>{_text(key)}</key><dataVersion>{version}</dataVersion>"
                f"<detectedAt>{local.isoformat(timespec='milliseconds')}</detectedAt>"
            )
        ]
        for name, before, after in fields:
            was = f"<before>{_text(before)}</before>" if before else ""
            now = f"<after>{_text(after)}</after>" if after else ""
            parts.append(f"<field><name>{_text(name)}</name>{was}{now}</field>")
        parts.append("</notice>")
        return "".join(parts).encode()


def _text(value: str) -> str:
    return escape(_ILLEGAL.sub("�", value), {"\r": "&#13;"})
