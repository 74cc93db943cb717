"""The Idempotent Receiver's memory, in the handler's own database: how far each stream is, what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text, delete, insert, select, update

from bus.verify import State

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

metadata = MetaData()

#: High-water mark a stream: constant state for an unlimited window.
streams = Table(
    "exchange_inbox",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("checkpoint", BigInteger, nullable=False),
)

#: Handler failures a message, while it is not handled; one that failed too often is refused for good.
attempts = Table(
    "exchange_attempts",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("is_refused", Integer, nullable=False),
    Column("reason", Text, nullable=False),
)


class Inbox:
    """Tables `exchange_inbox` and `exchange_attempts` in the handler's database, made when missing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        metadata.create_all(engine)

    def states(self) -> list[State]:
        """How far each stream was handled."""
        with self.engine.connect() as connection:
            return [State(*row) for row in connection.execute(select(streams))]

    def save(self, connection: Connection, state: State) -> None:
        """Write one stream's high-water mark in the handler's transaction."""
        values = dict(zip(streams.c.keys(), state, strict=True))
        changed = connection.execute(update(streams).where(streams.c.stream == state.stream).values(values))
        if changed.rowcount == 0:
            connection.execute(insert(streams).values(values))

    def count(self, stream: str, epoch: int, seq: int, reason: str) -> int:
        """Note one more failure, at once; returns how many there are."""
        c = attempts.c
        key = (c.stream == stream) & (c.epoch == epoch) & (c.seq == seq)
        with self.engine.begin() as connection:
            found = connection.scalar(select(c.count).where(key))
            values = {"count": (found or 0) + 1, "reason": reason}
            if found is None:
                row = values | {"stream": stream, "epoch": epoch, "seq": seq, "is_refused": 0}
                connection.execute(insert(attempts).values(row))
            else:
                connection.execute(update(attempts).where(key).values(values))
        return values["count"] if isinstance(values["count"], int) else 0

    def refuse(self, connection: Connection, stream: str, epoch: int, seq: int) -> None:
        """The record is not handled, now or later; its reason stays."""
        c = attempts.c
        key = (c.stream == stream) & (c.epoch == epoch) & (c.seq == seq)
        connection.execute(update(attempts).where(key).values(is_refused=1))

    def forget(self, connection: Connection, stream: str, epoch: int, seq: int) -> None:
        """The record was handled after all."""
        c = attempts.c
        connection.execute(
            delete(attempts).where(c.stream == stream, c.epoch == epoch, c.seq == seq, c.is_refused == 0)
        )

    def refused(self, stream: str, epoch: int, first: int, last: int) -> dict[int, str]:
        """Refused seqs from `first` to `last` → reason."""
        c = attempts.c
        query = select(c.seq, c.reason).where(
            c.stream == stream, c.epoch == epoch, c.seq >= first, c.seq <= last, c.is_refused == 1
        )
        with self.engine.connect() as connection:
            return {row.seq: row.reason for row in connection.execute(query)}
