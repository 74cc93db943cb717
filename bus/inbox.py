"""The Idempotent Receiver's memory, in the handler's own database: how far each stream is, what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, delete, insert, select, update

from bus.errors import TransientError
from bus.findings import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import ColumnElement, Connection, Engine

    from bus.findings import Finding

metadata = MetaData()

#: What the verifier knows of each stream and epoch: constant state for an unlimited window. `turn` counts the writes.
streams = Table(
    "exchange_inbox",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
)

#: Handler failures of an entry while it is not handled; one that failed too often is refused for good.
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

#: Everything that was found wrong with a stream, as it was found.
findings = Table(
    "exchange_findings",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("hop", Text, nullable=False),
)


class Kept(NamedTuple):
    """The state of one stream and epoch as it was last read or written here.

    Attributes:
        turn: which write it was, from 1.
        state: what was written.
    """

    turn: int
    state: State


class Inbox:
    """Three tables in the handler's database, made when missing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        metadata.create_all(engine)

    def kept(self) -> dict[tuple[str, int], Kept]:
        """How far each stream and epoch was handled."""
        c = streams.c
        with self.engine.connect() as connection:
            rows = connection.execute(select(c.turn, c.state)).all()
        found = [Kept(turn, State.from_json(text)) for turn, text in rows]
        return {(kept.state.stream, kept.state.epoch): kept for kept in found}

    def save(
        self, connection: Connection, states: Iterable[State], former: Mapping[tuple[str, int], Kept]
    ) -> dict[tuple[str, int], Kept]:
        """Write the high-water marks that have changed since `former`, in the handler's transaction.

        Returns:
            `former` with what was written; it holds only if the transaction commits.

        Raises:
            TransientError: somebody else has written one of them since: what this transaction did was done already.
        """
        saved = dict(former)
        for state in states:
            place = (state.stream, state.epoch)
            before = former.get(place)
            if before is None:
                saved[place] = Kept(1, state)
                values = {"stream": state.stream, "epoch": state.epoch, "seq": state.seq, "turn": 1}
                connection.execute(insert(streams).values(**values, state=state.to_json()))
            elif before.state != state:
                saved[place] = Kept(before.turn + 1, state)
                self._advance(connection, saved[place])
        return saved

    def _advance(self, connection: Connection, kept: Kept) -> None:
        c, state = streams.c, kept.state
        is_it = (c.stream == state.stream) & (c.epoch == state.epoch) & (c.turn == kept.turn - 1)
        values = {"seq": state.seq, "turn": kept.turn, "state": state.to_json()}
        if connection.execute(update(streams).where(is_it).values(values)).rowcount != 1:
            text = f"another consumer has handled {state.stream}/e{state.epoch} meanwhile; going on behind it"
            raise TransientError(text)

    def note(self, connection: Connection, found: Iterable[Finding]) -> None:
        """Keep findings, in the handler's transaction."""
        rows = [finding._asdict() for finding in found]
        if rows:
            connection.execute(insert(findings), rows)

    def count(self, place: tuple[str, int, int], reason: str) -> int:
        """Note one more failure of the entry at (stream, epoch, seq), at once; returns how many there are."""
        is_it = _at(place)
        with self.engine.begin() as connection:
            count = (connection.scalar(select(attempts.c["count"]).where(is_it)) or 0) + 1
            values = {"count": count, "reason": reason}
            if connection.execute(update(attempts).where(is_it).values(values)).rowcount == 0:
                stream, epoch, seq = place
                connection.execute(insert(attempts).values(stream=stream, epoch=epoch, seq=seq, is_refused=0, **values))
        return count

    def refuse(self, connection: Connection, place: tuple[str, int, int]) -> None:
        """The entry is not handled, now or later; the reason of its last failure stays."""
        connection.execute(update(attempts).where(_at(place)).values(is_refused=1))

    def forget(self, connection: Connection, place: tuple[str, int, int]) -> None:
        """The entry was handled after all."""
        connection.execute(delete(attempts).where(_at(place), attempts.c.is_refused == 0))

    def refused(self, stream: str, epoch: int, *, first: int, last: int) -> dict[int, str]:
        """Refused seqs from `first` to `last` → reason."""
        c = attempts.c
        query = select(c.seq, c.reason).where(
            c.stream == stream, c.epoch == epoch, c.seq >= first, c.seq <= last, c.is_refused == 1
        )
        with self.engine.connect() as connection:
            return {row.seq: row.reason for row in connection.execute(query)}


def _at(place: tuple[str, int, int]) -> ColumnElement[bool]:
    c = attempts.c
    return (c.stream == place[0]) & (c.epoch == place[1]) & (c.seq == place[2])
