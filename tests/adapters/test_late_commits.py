"""Rows that become visible after newer ones: none is lost (T-01, T-02, T-04); a naive cursor loses some."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from adapters.database import reading
from adapters.simulators import cgs
from tests.adapters.fakes import MemoryKeys, drain
from tests.adapters.sites import START, Opened, insert, local_now, site_of, source

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_INTERLEAVINGS = 200


class NaiveCursor:
    """What must not be done: the position is the greatest change time read so far."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._table = cgs.tables(engine.dialect.name)["SL"]
        self._last = START
        self.keys: set[str] = set()

    def look(self) -> None:
        query = sa.select(self._table.c.YWLSH, self._table.c.GXSJ).where(self._last < self._table.c.GXSJ)
        with self._engine.connect() as connection:
            for number, changed_at in connection.execute(query):
                self.keys.add(number)
                self._last = max(self._last, changed_at)


class Writers:
    """Concurrent transactions of the platform; each inserts a row or two and ends one way or the other."""

    def __init__(self, engine: sa.Engine, dice: random.Random) -> None:
        self._engine, self._dice = engine, dice
        self._table = cgs.tables(engine.dialect.name)["SL"]
        self._open: list[tuple[sa.Connection, list[str]]] = []
        self._count = 0
        self.committed: set[str] = set()

    def step(self, stamp: datetime) -> None:
        if len(self._open) < 3 and self._dice.random() < 0.6:
            self._open.append((self._engine.connect(), []))
        if not self._open:
            return
        place = self._dice.randrange(len(self._open))
        if self._dice.random() < 0.5:
            self._insert(*self._open[place], stamp)
        else:
            self._end(*self._open.pop(place))

    def _insert(self, connection: sa.Connection, numbers: list[str], stamp: datetime) -> None:
        self._count += 1
        number = f"N{self._count}"
        values = {"YWLSH": number, "SJBBH": 1, "YXTYWLSH": number, "XZQHDM": "440604", "GXSJ": stamp}
        # A savepoint: on PostgreSQL its rows carry a transaction number that no snapshot lists.
        if self._dice.random() < 0.3:
            with connection.begin_nested():
                connection.execute(sa.insert(self._table), [values])
        else:
            connection.execute(sa.insert(self._table), [values])
        numbers.append(number)

    def _end(self, connection: sa.Connection, numbers: list[str]) -> None:
        if self._dice.random() < 0.15:
            connection.rollback()
        else:
            connection.commit()
            self.committed.update(numbers)
        connection.close()

    def end_all(self) -> None:
        while self._open:
            self._end(*self._open.pop())


@pytest.mark.services
@pytest.mark.parametrize("product", ["postgres", "mariadb"])
def test_no_interleaving_of_transactions_loses_a_row(
    product: str, request: pytest.FixtureRequest, engines: Callable[[str], sa.Engine]
) -> None:
    url = request.getfixturevalue(product)
    engine = engines(url)
    cgs.create(engine)
    dice = random.Random(f"interleavings/{product}")
    naive, writers = NaiveCursor(engine), Writers(engine, dice)
    with Opened(url) as opened:
        for _ in range(_INTERLEAVINGS):
            for _ in range(dice.randrange(4, 9)):
                # The change time of a statement in a transaction that may have begun half an hour ago.
                writers.step(local_now() - timedelta(seconds=dice.randrange(1800)))
                if dice.random() < 0.15:
                    opened.look()
                    naive.look()
            writers.end_all()
            opened.look()
            naive.look()
            found = {record.content["YWLSH"] for record in opened.ledger.read}
            assert found == writers.committed
    assert len(opened.ledger.read) == len(writers.committed) > _INTERLEAVINGS
    assert writers.committed - naive.keys, "the naive cursor must fail here, or the test shows nothing"


@pytest.mark.services
def test_postgresql_needs_no_window(postgres: str, engines: Callable[[str], sa.Engine]) -> None:
    """However old its change time: what no former snapshot could see is found by the next look."""
    engine = engines(postgres)
    site_of(engine, records=30)
    with Opened(postgres, late_s=0) as opened:
        insert(engine, "SL", YWLSH="OLD", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=START - timedelta(days=900))
        assert [record.content["YWLSH"] for record in opened.look()] == ["OLD"]
        assert opened.look() == []


@pytest.mark.services
def test_a_transaction_that_is_open_for_long_does_not_hold_up_others(
    postgres: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(postgres)
    site_of(engine, records=30)
    table = cgs.tables("postgresql")["SL"]
    row = {"SJBBH": 1, "YXTYWLSH": "x", "XZQHDM": "440604", "GXSJ": START}
    with Opened(postgres) as opened, engine.connect() as slow:
        slow.execute(sa.insert(table), [{"YWLSH": "SLOW", **row}])
        for number in ("A", "B", "C"):
            insert(engine, "SL", YWLSH=number, **row)
            assert [record.content["YWLSH"] for record in opened.look()] == [number]
        slow.commit()
        assert [record.content["YWLSH"] for record in opened.look()] == ["SLOW"]
        assert not opened.ledger.duplicates


def test_a_row_within_the_window_is_found_by_it_and_an_older_one_by_the_sweep(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(sqlite)
    site_of(engine, records=30)
    row = {"SJBBH": 1, "YXTYWLSH": "x", "XZQHDM": "440604"}
    with Opened(sqlite, late_s=600) as opened:
        edge = opened.window_at() - timedelta(seconds=600)
        insert(engine, "SL", YWLSH="INSIDE", GXSJ=edge + timedelta(seconds=5), **row)
        insert(engine, "SL", YWLSH="OUTSIDE", GXSJ=START - timedelta(days=1), **row)
        assert [record.content["YWLSH"] for record in opened.look()] == ["INSIDE"]
    drain(source(sqlite), opened.ledger)
    assert opened.ledger.read[-1].content["YWLSH"] == "OUTSIDE"


def test_the_sources_clock_may_jump(site: str, engines: Callable[[str], sa.Engine]) -> None:
    """A year ahead, then an hour back: the position never passes the source's own now."""
    engine = engines(site)
    site_of(engine, records=30)
    row = {"SJBBH": 1, "YXTYWLSH": "x", "XZQHDM": "440604"}
    with Opened(site) as opened:
        for number, jump_s in (("AHEAD", 31_536_000), ("NORMAL", -2), ("BACK", -3_500), ("AFTER", -2)):
            insert(engine, "SL", YWLSH=number, GXSJ=local_now() + timedelta(seconds=jump_s), **row)
            assert [record.content["YWLSH"] for record in opened.look()] == [number]
        assert not opened.ledger.duplicates
        assert len(opened.ledger.read) == 34


def test_every_late_row_of_a_bulk_feed_is_found(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    cgs.create(engine)
    quirks = cgs.Quirks(late_commits=0.1, clock_steps=0.01, same_second=0.5)
    ledger = MemoryKeys()
    for part in range(3):
        start = START + timedelta(days=30 * part)
        cgs.feed(engine, division="440604", start=start, records=200, seed=part, first_case=1000 * part, quirks=quirks)
        drain(source(site), ledger)
    assert len(ledger.read) == len({record.key for record in ledger.read}) == 600


def test_what_becomes_visible_behind_an_interrupted_first_reading_is_found_without_a_sweep(
    site: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(site)
    cgs.create(engine)
    row = {"SJBBH": 1, "YXTYWLSH": "x", "XZQHDM": "440604"}
    begun = local_now() - timedelta(minutes=30)
    for number in range(40):
        insert(engine, "SL", YWLSH=f"N{number}", GXSJ=begun + timedelta(seconds=30 * number), **row)
    ledger = MemoryKeys()
    first = source(site)
    first.open(ledger, position=None, drain=False)
    ledger.take(first.read(30))
    first.close()
    insert(engine, "SL", YWLSH="BEHIND", GXSJ=begun + timedelta(seconds=5), **row)
    with Opened(site, ledger=ledger) as opened:
        opened.look()
        found = [record.content["YWLSH"] for record in opened.ledger.read]
        assert found.count("BEHIND") == 1
        assert len(found) == len(set(found)) == 41
        assert not opened.ledger.duplicates


@pytest.mark.services
def test_a_table_that_is_read_in_chunks_is_read_whole(
    mariadb: str, engines: Callable[[str], sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_FIRST_CHUNK_ROWS", 40)
    monkeypatch.setattr(reading, "_CHUNK_ROWS", 100)
    monkeypatch.setattr(reading, "PAGE_ROWS", 15)
    site_of(engines(mariadb), records=900, quirks=cgs.Quirks(same_second=1))
    ledger = MemoryKeys()
    drain(source(mariadb), ledger)
    assert len(ledger.read) == len({record.key for record in ledger.read}) == 900
