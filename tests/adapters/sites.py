"""Sites of cgs for tests: made, changed and read in one line each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa

from adapters.cgs import CgsSource
from adapters.simulators import cgs
from tests.adapters.fakes import MemoryKeys, look

if TYPE_CHECKING:
    from bus.message import Record

START = datetime(2010, 3, 1, 9)  # noqa: DTZ001 - the platform's columns have no zone
EAGER = {"poll_s": 0, "late_poll_s": 0, "load_percent": 100, "late_s": 3600}


def source(url: str, division: str = "440604", **options: Any) -> CgsSource:
    return CgsSource(division=division, options={"url": url, **options})


def site_of(engine: sa.Engine, **arguments: Any) -> None:
    cgs.create(engine)
    cgs.feed(engine, division="440604", start=START, **arguments)


def rows(engine: sa.Engine, kind: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(cgs.tables(engine.dialect.name)[kind])))


def local_now() -> datetime:
    return (datetime.now(UTC) + timedelta(hours=8)).replace(tzinfo=None, microsecond=0)


def execute(engine: sa.Engine, kind: str, values: dict[str, Any], **key: Any) -> int:
    table = cgs.tables(engine.dialect.name)[kind]
    where = [table.c[name] == value for name, value in key.items()]
    with engine.begin() as connection:
        return connection.execute(
            sa.update(table).where(*where).values({table.c[k]: v for k, v in values.items()})
        ).rowcount


def delete(engine: sa.Engine, kind: str, **key: Any) -> int:
    table = cgs.tables(engine.dialect.name)[kind]
    with engine.begin() as connection:
        return connection.execute(sa.delete(table).where(*(table.c[n] == v for n, v in key.items()))).rowcount


def insert(engine: sa.Engine, kind: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(cgs.tables(engine.dialect.name)[kind]), [values])


def key_of(record: Record) -> dict[str, Any]:
    names = {"SPCL": ("YWLSH", "SJBBH", "SPBZH")}.get(record.kind, ("YWLSH", "SJBBH"))
    return {name: record.content[name] for name in names}


class Opened:
    """A source that runs on, with its ledger."""

    def __init__(self, url: str, *, ledger: MemoryKeys | None = None, **options: Any) -> None:
        self.ledger = ledger or MemoryKeys()
        self.source = source(url, **{**EAGER, **options})
        self.source.open(self.ledger, position=self.ledger.position, drain=False)
        look(self.source, self.ledger)

    def look(self, **arguments: Any) -> list[Record]:
        before = len(self.ledger.read)
        self.source._due = dict.fromkeys(self.source._due, 0.0)
        look(self.source, self.ledger, **arguments)
        return self.ledger.read[before:]

    def window_at(self) -> datetime:
        """The source's clock when the window was last read."""
        text = json.loads(self.ledger.position or "{}")["window_at"]
        return datetime.fromisoformat(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
