"""The core in a process of its own, for tests that kill it: `python -m tests.faults.core FOLDER BUS DELAY_S`."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert, select

from bus.outbound import Consumer, ConsumerOptions
from bus.transport import connect
from bus.trust import load_trust

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from bus.outbound import Received

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


def consume(folder: Path, bus: str, stop: threading.Event, *, delay_s: float = 0.0) -> None:
    """Handle records until `stop`."""
    engine = open_database(folder)

    def handle(connection: Connection, received: Received) -> None:
        member = received.member
        if delay_s:
            time.sleep(delay_s)
        if member.type == "record":
            connection.execute(insert(handled).values(key=member.key, case_no=member.application_no, seq=member.seq))

    consumer = Consumer(
        connect(bus),
        trust=load_trust(folder / "trust.yaml"),
        engine=engine,
        handle=handle,
        options=ConsumerOptions(prefetch=50, longest_wait_s=1),
    )
    consumer.run(stop)
    engine.dispose()


if __name__ == "__main__":
    consume(Path(sys.argv[1]), sys.argv[2], threading.Event(), delay_s=float(sys.argv[3]))
