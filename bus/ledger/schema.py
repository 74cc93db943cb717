"""Tables of the ledger, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION: Final = 1

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite's rowid alias must be INTEGER

metadata = MetaData()

meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

#: One row a source: its position, its counters, and how far its stream has come.
sources = Table(
    "sources",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("stream", Text, nullable=False, unique=True),
    Column("division", Text, nullable=False),
    Column("versioning", Text, nullable=False),
    Column("position", Text),
    # counters of the equation; quarantined, parked, conflict and discarded are counted in `held`
    Column("read", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("stale", BigInteger, nullable=False),
    Column("out", BigInteger, nullable=False),
    Column("published", BigInteger, nullable=False),
    Column("unassigned", BigInteger, nullable=False),
    # the stream
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("confirmed", BigInteger, nullable=False),
    Column("receipted", BigInteger, nullable=False),
    # progress, for `status`
    Column("read_at", Text),
    Column("confirmed_at", Text),
)

#: One row a row key, for ever: the seen-set, and what was last handed on.
keys = Table(
    "keys",
    metadata,
    Column("ordinal", _Id, primary_key=True),
    Column("source_id", _Id, ForeignKey("sources.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("row_digest", LargeBinary, nullable=False),
    Column("seen_digest", LargeBinary, nullable=False),
    Column("changed_at", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("seq", BigInteger),
    Column("vanished", Integer, nullable=False),
    UniqueConstraint("source_id", "key", "version"),
)

#: One row a place in a stream: outbox and message store in one.
entries = Table(
    "entries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("source_id", _Id, ForeignKey("sources.id"), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("application_no", Text, nullable=False),
    Column("row_digest", LargeBinary, nullable=False),
    Column("payload_digest", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("collected_at", Text, nullable=False),
    Column("schema_id", Text, nullable=False),
    Column("mapping_id", Text, nullable=False),
    Column("head", LargeBinary, nullable=False),
    UniqueConstraint("source_id", "epoch", "seq"),
)

#: What was tried as a package is sent again as the same package; rows go when the package is confirmed.
packages = Table(
    "packages",
    metadata,
    Column("source_id", _Id, ForeignKey("sources.id"), primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

#: Every candidate that did not go out when it was read, with its raw content and all its faults; never deleted.
held = Table(
    "held",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("source_id", _Id, ForeignKey("sources.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("division", Text, nullable=False),
    Column("application_no", Text, nullable=False),
    Column("version", BigInteger),
    Column("row_digest", LargeBinary, nullable=False),
    Column("changed_at", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("raw", LargeBinary),
    Column("payload", LargeBinary),
    Column("faults", Text, nullable=False),
    Column("collected_at", Text, nullable=False),
    Column("held_at", Text, nullable=False),
    Column("seq", BigInteger),
    Index("held_by_case", "source_id", "state", "application_no"),
    Index("held_by_key", "source_id", "key"),
)
