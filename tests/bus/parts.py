"""Small real and fake parts for tests of the kernel."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bus.message import Fault, Record, Translation, business_key, content_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bus.ports import Difference

KEY_HASH = b"k" * 32


def row(
    number: str = "1",
    kind: str = "SL",
    *,
    part: str = "",
    version: int | None = 1,
    text: str = "a",
    changed_at: str = "t1",
    park: str = "",
    faults: tuple[Fault, ...] = (),
) -> Record:
    """A record of case `number` whose content is `text`; `bad` is refused by the fake validator."""
    key = business_key("440604", kind, number, part)
    digest = content_digest([text])
    return Record(key, "440604", kind, number, version, digest, changed_at, {"TEXT": text}, faults, park)


class FakeTranslator:
    """Writes a record's text into one element; `boom` is a bug of our own."""

    id = "fake/0"

    def translate(self, records: Sequence[Record]) -> list[Translation]:
        """See `bus.ports.Translator`."""
        if any(record.content["TEXT"] == "boom" for record in records):
            raise ZeroDivisionError("boom")
        return [
            Translation(
                record.kind,
                f"<r v='{record.version}'>{record.content['TEXT']}</r>".encode(),
                {"text": record.content["TEXT"], "dataVersion": str(record.version)},
                record.faults,
            )
            for record in records
        ]


class FakeValidator:
    """Refuses `bad`, writes `gap` where told."""

    id = "urn:fake"

    def validate(
        self, translations: Sequence[Translation], *, now: datetime, order_gaps: frozenset[int] = frozenset()
    ) -> list[Translation]:
        """See `bus.ports.Validator`."""
        assert now.tzinfo is not None
        made = []
        for index, translation in enumerate(translations):
            if translation.fields["text"].startswith("bad"):
                fault = Fault("XSD_LENGTH", "text", "reject", "太长", "too long")
                made.append(translation._replace(faults=(*translation.faults, fault)))
            elif index in order_gaps:
                made.append(translation._replace(payload=translation.payload + b"<!--gap-->"))
            else:
                made.append(translation)
        return made


class FakeNotices:
    """Notices as plain text."""

    def differences(self, before: bytes, after: Mapping[str, str]) -> list[Difference]:
        """See `bus.ports.NoticeWriter`."""
        return [("text", before.decode(), after.get("text", ""))]

    def write(
        self, kind: str, *, key: str, application_no: str, version: int, detected_at: str, fields: Sequence[Difference]
    ) -> bytes:
        """See `bus.ports.NoticeWriter`."""
        assert detected_at.endswith("Z")
        return f"{kind} {key} {application_no} {version} {fields}".encode()


def sha(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
