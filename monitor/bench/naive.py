"""The naive pipeline: what one writes who has not measured.

One record at a time: an element tree, one RSA signature, two commits (taken in, sent) and one confirm that is waited
for. It validates nothing and keeps no chain, so it does less than the gateway.
"""

from __future__ import annotations

import base64
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from kombu.connection import Connection
from kombu.messaging import Producer

from bus.message import NAMESPACE
from monitor.bench.yardstick import Pace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def run_naive(rows: Sequence[Mapping[str, Any]], *, bus: str, queue: str, store: Path) -> Pace:
    """Send `rows` (column → value) one by one.

    Args:
        rows: as the driver gave them.
        bus: AMQP URL.
        queue: where they go, through the default exchange.
        store: a new SQLite file, written with the ledger's own durability.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with (
        closing(sqlite3.connect(store, isolation_level=None)) as database,
        Connection(bus, transport_options={"confirm_publish": True}) as connection,
        Producer(connection) as producer,
    ):
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY, body BLOB, sent INTEGER)")
        first = 0.0
        for number, row in enumerate(rows):
            body = _document(row, key)
            database.execute("INSERT INTO outbox (id, body, sent) VALUES (?, ?, 0)", (number, body))
            producer.publish(
                body, routing_key=queue, content_type="application/xml", content_encoding="binary", delivery_mode=2
            )
            database.execute("UPDATE outbox SET sent = 1 WHERE id = ?", (number,))
            first = first or time.monotonic()
        return Pace(len(rows) - 1, time.monotonic() - first)


def _document(row: Mapping[str, Any], key: rsa.RSAPrivateKey) -> bytes:
    """An element a column, and a signature over them."""
    root = ET.Element("record", xmlns=NAMESPACE)
    for name, value in row.items():
        if value is not None:
            ET.SubElement(root, name.lower()).text = str(value)
    signature = key.sign(ET.tostring(root, encoding="utf-8"), padding.PKCS1v15(), SHA256())
    ET.SubElement(root, "signature").text = base64.b64encode(signature).decode()
    document: bytes = ET.tostring(root, encoding="utf-8")
    return document
