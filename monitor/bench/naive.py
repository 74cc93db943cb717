"""The naive pipeline: what one writes who has not measured.

The same way from the platform's row to the confirmed message, one record at a time: a SELECT, an element tree, its
validation, one RSA signature, two commits (taken in, sent) and one confirm that is waited for. The values are mapped
beforehand, and there is no rule, key look-up or chain: it does less than the gateway.
"""

from __future__ import annotations

import base64
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.etree import ElementTree as ET

import psycopg
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from kombu.connection import Connection
from kombu.messaging import Producer

from adapters.cgs.platform import native_no
from bus.errors import FatalError
from bus.message import NAMESPACE, ROOTS
from monitor.bench.yardstick import Pace
from xsd.validator import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bus.message import Message

KIND: Final = "SL"


class Case(NamedTuple):
    """One record: the number of its row, and its values by element name."""

    number: str
    fields: Mapping[str, str]


class Way(NamedTuple):
    """Where the records come from and go to.

    Attributes:
        platform: connection string of the platform.
        bus: AMQP URL.
        queue: reached through the default exchange.
        store: a new SQLite file, written with the ledger's own durability.
    """

    platform: str
    bus: str
    queue: str
    store: Path


def cases(messages: Sequence[Message], *, division: str, most: int) -> list[Case]:
    """The first `most` acceptances among the messages of a stream."""
    found: list[Case] = []
    for message in messages:
        if message.properties["type"] == KIND and len(found) < most:
            fields = {child.tag.rpartition("}")[2]: child.text or "" for child in ET.fromstring(message.body)}
            found.append(Case(native_no(division, message.properties["correlation_id"]), fields))
    return found


def run_naive(records: Sequence[Case], way: Way) -> Pace:
    """Send `records` one by one.

    Raises:
        FatalError: a row is not there, or its record is not valid.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    verdict = Verdict()
    with (
        psycopg.connect(way.platform, autocommit=True) as platform,
        closing(sqlite3.connect(way.store, isolation_level=None)) as database,
        Connection(way.bus, transport_options={"confirm_publish": True}) as connection,
        Producer(connection) as producer,
    ):
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY, body BLOB, signature TEXT, sent INTEGER)")
        first = 0.0
        for number, record in enumerate(records):
            row = platform.execute("SELECT * FROM t_shouli WHERE ywlsh = %s", (record.number,)).fetchone()
            body = _document(record.fields)
            if row is None or not verdict.all([(KIND, body)]):
                raise FatalError(f"naive: {record.number} has no row, or is not valid")
            signature = base64.b64encode(key.sign(body, padding.PKCS1v15(), SHA256())).decode()
            database.execute("INSERT INTO outbox VALUES (?, ?, ?, 0)", (number, body, signature))
            producer.publish(
                body,
                routing_key=way.queue,
                content_type="application/xml",
                content_encoding="binary",
                delivery_mode=2,
                headers={"signature": signature},
            )
            database.execute("UPDATE outbox SET sent = 1 WHERE id = ?", (number,))
            first = first or time.monotonic()
        return Pace(len(records) - 1, time.monotonic() - first)


def _document(fields: Mapping[str, str]) -> bytes:
    """An element a field."""
    root = ET.Element(ROOTS[KIND], xmlns=NAMESPACE)
    for name, value in fields.items():
        ET.SubElement(root, name).text = value
    document: bytes = ET.tostring(root, encoding="utf-8")
    return document
