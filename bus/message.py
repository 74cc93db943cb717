"""Values that travel: Fault, Record, Translation, Batch, Message. All are immutable.

They are NamedTuples, not dataclasses: the path of a record makes several of each a record, and a tuple is built
four times faster than a frozen slotted dataclass (docs/decisions/0002).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

NAMESPACE: Final = "urn:foshan:supervision:exchange:v1"

#: KIND → root element of the unified schema, in the order in which records of one moment go out
#: (architecture §3 "Order"; the kinds that it does not name stand where the state machine of standard §3.4 has them).
ROOTS: Final[Mapping[str, str]] = {
    "SB": "application",
    "YSL": "preAcceptance",
    "SL": "acceptance",
    "BZGZ": "supplementNotice",
    "BZSL": "supplementReceipt",
    "TBCXSQ": "specialProcedureRequest",
    "TBCXJG": "specialProcedureResult",
    "SPCL": "approvalStep",
    "BJ": "completion",
    "LQDJ": "collection",
}
KIND_ORDER: Final[Mapping[str, int]] = {kind: rank for rank, kind in enumerate(ROOTS)}

Severity = Literal["reject", "flag"]


class Fault(NamedTuple):
    """One thing wrong with one record.

    Attributes:
        code: stable, upper snake case, e.g. `XSD_LENGTH`, `RULE_FUTURE_DATE`, `MAP_CODE_UNKNOWN`, `DECODE`.
        field: unified element name, or the source column when there is no element; "" for the record.
        severity: `reject` (the record is quarantined) or `flag` (published with it in `quality`).
        zh, en: what is wrong, what was found and what is expected.
        xpath: where in the unified record, e.g. `/acceptance/acceptedAt`; "" when unknown.
        line: line in the document the fault speaks of; 0 when unknown.
        rule: name of the rule, mapping function or XSD facet.
    """

    code: str
    field: str
    severity: Severity
    zh: str
    en: str
    xpath: str = ""
    line: int = 0
    rule: str = ""


#: What is escaped in a part of a key: the separator, the escape itself, and white space as `str.isspace` has it.
_ESCAPED: Final = re.compile(r"[%:\s]")


def escape_key_part(text: str) -> str:
    """Percent-encode `%`, `:` and white space (its UTF-8 bytes), so that parts can be joined by `:` and keys by blanks.

    Two different texts never give the same one; `urllib.parse.unquote` is the way back.
    """
    if _ESCAPED.search(text) is None:
        return text
    text = text.replace("%", "%25").replace(":", "%3A")
    return "".join("".join(f"%{byte:02X}" for byte in c.encode()) if c.isspace() else c for c in text)


def business_key(division: str, kind: str, application_no: str, part: str = "") -> str:
    """`division:kind:applicationNo[:seq or step]`: what one record is about, in every version of it."""
    key = f"{division}:{kind}:{escape_key_part(application_no)}"
    return f"{key}:{escape_key_part(part)}" if part else key


def content_digest(values: Iterable[str]) -> bytes:
    """Row digest: SHA-256 over the source's own content columns, in declared order (32 bytes).

    The caller has trimmed each value and turned null (and its stand-ins) into "". Values are joined by U+001F;
    a value that holds U+001E or U+001F is escaped, so that two different rows never give the same text.
    """
    texts = list(values)
    joined = "\x1f".join(texts)
    if joined.count("\x1f") != len(texts) - 1 or "\x1e" in joined:
        joined = "\x1f".join(t.replace("\x1e", "\x1e0").replace("\x1f", "\x1e1") for t in texts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).digest()


class Record(NamedTuple):
    """A native row or document before translation: one candidate for one unified record.

    Attributes:
        key: `business_key(...)`, without the version.
        division, kind, application_no: as in the key, not encoded.
        version: what the source says (`versioning: explicit`), or None: the ledger counts (`observed`).
        digest: `content_digest` of the row's own content columns, before mapping.
        changed_at: the source's own change time as text, compared for equality only; "" when the row may still
            change without it moving (it is then read again).
        content: source column → value as the driver gave it (text trimmed or not: mappings trim), own columns and
            the parent's under `parent.<COLUMN>`.
        faults: what the adapter itself found; one `reject` fault sends the record to quarantine untranslated.
        park: reason to wait (`no-parent`), or "".
        raw: the undecoded row or document when `content` could not be made, else None.
    """

    key: str
    division: str
    kind: str
    application_no: str
    version: int | None
    digest: bytes
    changed_at: str
    content: Mapping[str, Any]
    faults: tuple[Fault, ...] = ()
    park: str = ""
    raw: bytes | None = None

    @property
    def row_key(self) -> str:
        """Which row of the source this is: the key, and the version where the source has one."""
        return self.key if self.version is None else f"{self.key}:{self.version}"


class Translation(NamedTuple):
    """A record in the unified schema, or the reasons why there is none.

    Attributes:
        kind: KIND code.
        payload: the unified record, UTF-8 XML without declaration; b"" when a fault rejects it.
        fields: element name → text, as in the payload, only those present, in the order of the schema.
        faults: everything found so far; the validator adds its own and writes the flags into `quality`.
    """

    kind: str
    payload: bytes
    fields: Mapping[str, str]
    faults: tuple[Fault, ...] = ()

    @property
    def is_rejected(self) -> bool:
        """Whether any fault forbids publishing."""
        return any(fault.severity == "reject" for fault in self.faults)


class Batch(NamedTuple):
    """What one `read` gave.

    Attributes:
        records: in the order of capture.
        position: opaque token; after the ledger's commit the source continues from here.
        collected_at: our clock, when the batch was read (aware, UTC).
        source_at: the source's clock at that moment (aware), or None when it has none that can be asked.
        vanished: row keys that the ledger knows and the source no longer has.
        unassigned: rows of the source that no configured source claims, seen in this batch.
    """

    records: tuple[Record, ...]
    position: str
    collected_at: datetime
    source_at: datetime | None = None
    vanished: tuple[str, ...] = ()
    unassigned: int = 0


class Message(NamedTuple):
    """The envelope: what is published and what is received, the same shape on every transport.

    Attributes:
        routing_key: `<domain>.<division>.<KIND>`.
        properties: AMQP basic properties by their AMQP names (`message_id`, `type`, …, `timestamp` in whole seconds).
        headers: the `headers` property, apart because it is read most.
        body: exact bytes.
        exchange: where it was published.
    """

    routing_key: str
    properties: Mapping[str, Any]
    headers: Mapping[str, Any]
    body: bytes
    exchange: str = "supervision"


class Delivery(NamedTuple):
    """A message received from a queue.

    Attributes:
        message: the envelope.
        tag: what `ack` takes; rises within one channel.
        redelivered: the broker has handed it out before.
        offset: position in the stream queue (`journal`), or None.
    """

    message: Message
    tag: int
    redelivered: bool = False
    offset: int | None = None


class Stream(NamedTuple):
    """One division, one source, one writer.

    Attributes:
        name: `<group>/<source>`, e.g. `foshan/chancheng`.
        epoch: from 1.
        division, source: the second word of every routing key, and `app_id`.
        domain: the first word of a record's routing key.
    """

    name: str
    epoch: int
    division: str
    source: str
    domain: str = "approval"


EntryType = Literal["record", "notice", "manifest", "epoch"]


class Entry(NamedTuple):
    """One place in a stream, as the ledger keeps it until it is receipted: enough to publish the same bytes again.

    Attributes:
        seq: from 1, without a gap.
        type: what the leaf says it is.
        kind: the `type` property: a KIND, or NOTICE, MANIFEST, EPOCH.
        topic: the third word of the routing key: the KIND, or e.g. `conflict` for a notice.
        key: business key with `:<dataVersion>` at its end.
        application_no: the case.
        row_digest, payload_digest: 32 bytes each; `payload_digest` is SHA-256 of `payload`.
        payload: exact body bytes.
        collected_at: RFC 3339, UTC, milliseconds, e.g. `2010-03-01T02:03:04.567Z`.
        schema_id, mapping_id: what validated and what translated it.
        head: of the chain after this entry, 32 bytes.
    """

    seq: int
    type: EntryType
    kind: str
    topic: str
    key: str
    application_no: str
    row_digest: bytes
    payload_digest: bytes
    payload: bytes
    collected_at: str
    schema_id: str
    mapping_id: str
    head: bytes
