"""The core in a process of its own, for tests that kill it: `python -m tests.faults.core FOLDER BUS DELAY_S`."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert, select

from bus import inbox
from bus.outbound import Consumer, ConsumerOptions
from bus.transport import connect
from bus.trust import load_trust

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from bus.outbound import Received
    from bus.ports import ConsumeChannel, Transport

metadata = MetaData()

#: No constraint on `key`: a record handled twice shall be seen, not prevented.
handled = Table(
    "handled",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text),
    Column("case_no", Text),
    Column("seq", Integer),
)


def open_database(folder: Path) -> Engine:
    """The core's own database."""
    engine = create_engine(f"sqlite:///{folder}/core.db", connect_args={"timeout": 60})
    metadata.create_all(engine)
    return engine


def rows(folder: Path) -> list[tuple[str, str, int]]:
    """(key, case, seq) in the order of handling."""
    engine = open_database(folder)
    with engine.connect() as connection:
        query = select(handled.c.key, handled.c.case_no, handled.c.seq).order_by(handled.c.id)
        found = [(row.key, row.case_no, row.seq) for row in connection.execute(query)]
    engine.dispose()
    return found


def findings(folder: Path) -> list[str]:
    """What the core found wrong with the stream."""
    engine = open_database(folder)
    with engine.connect() as connection:
        found = list(connection.scalars(select(inbox.findings.c.en)))
    engine.dispose()
    return found


class SlowToAcknowledge:
    """A transport whose consumers wait before each acknowledgement: a kill then hits the moment after the commit."""

    def __init__(self, transport: Transport, delay_s: float) -> None:
        self._transport = transport
        self._delay_s = delay_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def consumer(self, queue: str, *, prefetch: int, start: str | None = None) -> ConsumeChannel:
        """A consumer that is slow at one thing."""
        channel = self._transport.consumer(queue, prefetch=prefetch, start=start)
        ack = channel.ack

        def late(tag: int) -> None:
            time.sleep(self._delay_s)
            ack(tag)

        channel.ack = late  # type: ignore[method-assign]
        return channel


def consume(folder: Path, bus: str, stop: threading.Event, *, delay_s: float = 0.0) -> None:
    """Handle records until `stop`."""
    engine = open_database(folder)

    def handle(connection: Connection, received: Received) -> None:
        member = received.member
        if delay_s:
            time.sleep(delay_s)
        if member.type == "record":
            connection.execute(insert(handled).values(key=member.key, case_no=member.application_no, seq=member.seq))

    transport: Any = SlowToAcknowledge(connect(bus), 50 * delay_s) if delay_s else connect(bus)
    consumer = Consumer(
        transport,
        trust=load_trust(folder / "trust.yaml"),
        engine=engine,
        handle=handle,
        options=ConsumerOptions(prefetch=50, longest_wait_s=1),
    )
    consumer.run(stop)
    engine.dispose()


if __name__ == "__main__":
    consume(Path(sys.argv[1]), sys.argv[2], threading.Event(), delay_s=float(sys.argv[3]))
