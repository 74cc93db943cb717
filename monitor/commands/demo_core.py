"""The supervision core of the demonstration, as small as one can be: a consumer with a database of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, func, insert, select

from bus.outbound import Consumer
from bus.transport import connect
from bus.trust import load_trust

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from bus.findings import Finding
    from bus.outbound import Received
    from monitor.settings import Settings

_CATCH_UP_S: Final = 30.0

metadata = MetaData()

#: One row a record; the unique key makes a record that is handled twice an error.
records_table = Table(
    "records",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("record", Text, nullable=False),
)
notices_table = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("notice", Text, nullable=False),
)


class DemoCore:
    """Consumes and verifies from its start until `close`.

    Attributes:
        findings: what its verifier found wrong.
        newest: the record handled last.
    """

    def __init__(self, settings: Settings, database: Path) -> None:
        self.findings = 0
        self.newest = ""
        self._engine = create_engine(f"sqlite:///{database}")
        metadata.create_all(self._engine)
        self._consumer = Consumer(
            connect(settings.bus),
            trust=load_trust(settings.signing.trust),
            engine=self._engine,
            handle=self._handle,
            on_finding=self._count,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._consumer.run, args=[self._stop], name="core")
        self._thread.start()

    def _count(self, _finding: Finding) -> None:
        self.findings += 1

    @property
    def records(self) -> int:
        """Records in the core's database."""
        return self._rows(records_table)

    @property
    def notices(self) -> int:
        """Notices in the core's database."""
        return self._rows(notices_table)

    def _rows(self, table: Table) -> int:
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0

    def _handle(self, connection: Connection, received: Received) -> None:
        member = received.member
        text = member.payload.decode()
        if member.type == "notice":
            connection.execute(insert(notices_table), {"topic": member.topic, "key": member.key, "notice": text})
        elif member.type == "record":
            row = {"key": member.key, "kind": member.kind, "stream": member.stream, "seq": member.seq, "record": text}
            connection.execute(insert(records_table), row)
            self.newest = f"{member.stream} #{member.seq} {member.key}"

    def catch_up(self, entries: int) -> None:
        """Wait until so many entries have been handled, 30 s at most."""
        until = time.monotonic() + _CATCH_UP_S
        while self._consumer.handled < entries and time.monotonic() < until:
            time.sleep(0.05)

    def close(self) -> None:
        """Stop consuming."""
        self._stop.set()
        self._thread.join()
        self._engine.dispose()
