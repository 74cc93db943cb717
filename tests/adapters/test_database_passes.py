"""Passes at their limits: too much at once, rhythm, values, and products that do not run here."""

from __future__ import annotations

import json
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, oracle

from adapters.cgs import PLATFORM
from adapters.database import look as look_module
from adapters.database import passes, reading, sweep
from adapters.database.declaration import Column, Declaration, Platform
from adapters.database.dialects import DIALECTS, Horizon, dialect_of
from adapters.database.position import Mark, Position, time_text
from adapters.database.rows import RowPlan, version_of
from adapters.database.source import DatabaseSource
from adapters.database.statements import Catalogue, TableStatements
from adapters.options import DatabaseOptions
from adapters.simulators import cgs
from bus.errors import ConfigurationError, FatalError
from bus.ports import Seen
from tests.adapters.fakes import MemoryKeys, drain
from tests.adapters.sites import START, Opened, delete, insert, local_now, site_of, source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bus.message import Record


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look may keep seven rows at a time."""
    monkeypatch.setattr(passes, "CANDIDATES", 7)
    monkeypatch.setattr(look_module, "CANDIDATES", 7)


@pytest.mark.usefixtures("few")
def test_a_look_that_finds_too_much_takes_the_earliest_and_is_made_again(
    site: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(site)
    site_of(engine, records=30)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    start = local_now() - timedelta(days=40)
    cgs.feed(engine, division="440604", start=start, records=200, seed=2, first_case=500)
    drain(source(site), ledger, max_records=3)
    assert len(ledger.read) == len({record.key for record in ledger.read}) == 230
    assert not ledger.duplicates
    times = [record.changed_at for record in ledger.read[30:]]
    assert times == sorted(times)


def test_a_poll_that_finds_more_than_a_few_rows_reads_them_in_a_stream(
    site: str, engines: Callable[[str], sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_SHORT_ROWS", 3)
    engine = engines(site)
    site_of(engine, records=30)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    cgs.feed(engine, division="440604", start=local_now(), records=60, seed=2, first_case=500)
    drain(source(site), ledger)
    assert len(ledger.read) == len({record.key for record in ledger.read}) == 90
    assert not ledger.duplicates


@pytest.mark.usefixtures("few")
def test_many_rows_that_have_to_be_read_again_do_not_hold_up_a_sweep(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    """Rows without a change time are candidates at every sweep; they must not starve the others, nor the end."""
    engine = engines(sqlite)
    cgs.create(engine)
    row = {"SJBBH": 1, "YXTYWLSH": "x", "XZQHDM": "440604"}
    for number in range(40):
        insert(engine, "SL", YWLSH=f"N{number}", GXSJ=None if number < 30 else START, **row)
    ledger = MemoryKeys()
    for _ in range(2):
        drain(source(sqlite), ledger, max_records=4)
    assert len(ledger.read) == 40
    assert not ledger.duplicates


@pytest.mark.usefixtures("few")
def test_what_comes_during_such_a_look_is_left_to_the_next_one(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(sqlite)
    site_of(engine, records=30)
    row = {"SJBBH": 1, "YXTYWLSH": "x", "XZQHDM": "440604"}
    with Opened(sqlite) as opened:
        for number in range(30):
            insert(engine, "SL", YWLSH=f"N{number}", GXSJ=local_now() - timedelta(seconds=900 - number), **row)
        assert len(opened.look()) == 7
        insert(engine, "SL", YWLSH="EARLY", GXSJ=local_now() - timedelta(seconds=1800), **row)
        found: list[Record] = []
        for _ in range(12):
            found += opened.look()
        assert len(found) == 24
        assert "EARLY" in {record.content["YWLSH"] for record in found}


def test_a_look_comes_no_sooner_than_its_interval(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    site_of(engine, records=12)
    reader, ledger = source(sqlite, poll_s=60, late_poll_s=60), MemoryKeys()
    reader.open(ledger, position=None, drain=False)
    while batch := reader.read(100):
        ledger.take(batch)
        if not batch.records:
            break
    insert(engine, "SL", YWLSH="NEW", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=local_now())
    idle = reader.read(100)
    assert (idle.records, idle.position, idle.source_at) == ((), ledger.position, None)
    reader._due["poll"] = 0
    assert [record.application_no for record in reader.read(100).records] == ["440604-NEW"]
    reader.close()
    reader.close()


def test_looking_takes_its_share_of_time_and_no_more(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    site_of(engines(sqlite), records=12)
    with Opened(sqlite, load_percent=5) as opened:
        for scope, scopes in (("poll", {"poll"}), ("window", {"poll", "window"}), ("first", {"poll", "window"})):
            opened.source._due = dict.fromkeys(opened.source._due, 0.0)
            opened.source._work.thin_s = 3.0
            opened.source._plan_next(scope, is_complete=True)
            moved = {name for name, due in opened.source._due.items() if due > 0}
            assert moved == scopes
            assert opened.source._due["poll"] - time.monotonic() == pytest.approx(60, abs=5)


def test_a_sweep_is_due_after_its_interval(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    site_of(engine, records=12)
    with Opened(sqlite, sweep_s=3600) as opened:
        insert(engine, "SL", YWLSH="OLD", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=START - timedelta(days=99))
        assert opened.look() == []
        for swept_at in (None, datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(hours=2)):
            text = None if swept_at is None else swept_at.isoformat()
            opened.source._position = opened.source._position._replace(swept_at=text)
            assert opened.source._is_sweep_due()
        assert [record.application_no for record in opened.look()] == ["440604-OLD"]
        assert not opened.source._is_sweep_due()


class ManyKeys(MemoryKeys):
    """A ledger that knows a million rows, of which the source has none."""

    count = 1_000_000

    def seen(self, row_keys: Sequence[str]) -> Mapping[str, Seen]:
        known = (key for key in row_keys if key.endswith(":1"))
        return {key: Seen(1, 1, "2001-01-01 00:00:00", is_vanished=False) for key in known}

    def ordinals(self, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        return [(n, f"440604:SL:N{n}:1") for n in range(after + 1, min(after + limit, self.count) + 1)]


def test_a_sweep_of_a_million_keys_takes_a_few_megabytes(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    cgs.create(engines(sqlite))
    ledger = ManyKeys()
    assert sweep.last_ordinal(ledger) == 1_000_000
    reader = source(sqlite, purges_after_days=30)
    position = Position(time="2001-01-01 00:00:00", window_at="2001-01-01 00:00:00").dump()
    reader.open(ledger, position=position, drain=True)
    reader.read(10)
    tracemalloc.start()
    batch = reader.read(10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    reader.close()
    assert batch.vanished == ()
    assert json.loads(batch.position)["rows"]["SL"] == 0
    assert peak < 8_000_000


def test_an_emptied_source_stops_before_anything_is_asked_again(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    cgs.create(engines(sqlite))
    ledger = ManyKeys()
    ledger.count = 50_000
    ledger.position = Position(time="2001-01-01 00:00:00", window_at="2001-01-01 00:00:00").dump()
    with pytest.raises(FatalError, match=r"SL: 25000 of 25000 rows are no longer in the source"):
        drain(source(sqlite), ledger)


@pytest.mark.parametrize("ordinals", [[], [1], [1, 2, 3], [5], [1, 9, 10, 11, 40], list(range(1, 100)), [7, 1000]])
def test_the_last_ordinal(ordinals: list[int]) -> None:
    class Some(MemoryKeys):
        def ordinals(self, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
            return [(n, "k") for n in ordinals if n > after][:limit]

    assert sweep.last_ordinal(Some()) == max(ordinals, default=0)


def test_keys_of_other_kinds_and_divisions_are_not_this_sweeps(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    site_of(engines(sqlite), records=12)
    ledger = MemoryKeys()
    ledger._seen = {
        "440604:LQDJ:X:1": Seen(1, 1, "x", is_vanished=False),
        "440605:SL:X:1": Seen(2, 1, "x", is_vanished=False),
    }
    drain(source(sqlite), ledger)
    assert len(ledger.read) == 12
    assert not ledger.vanished


def test_a_row_that_its_key_does_not_find_is_held_back_with_a_reason(
    sqlite: str, monkeypatch: pytest.MonkeyPatch, engines: Callable[[str], sa.Engine]
) -> None:
    """A driver may give a key in another form than the one that it compares with."""
    engine = engines(sqlite)
    site_of(engine, records=12)
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    insert(engine, "BJ", YWLSH="A", SJBBH=1, GXSJ=START)
    found = TableStatements.by_key

    def nothing(self: TableStatements, keys: Any, *, as_octets: bool) -> Any:
        return found(self, keys, as_octets=as_octets).where(sa.false())

    monkeypatch.setattr(TableStatements, "by_key", nothing)
    reader = source(sqlite)
    reader.open(ledger, position=ledger.position, drain=True)
    records = reader.read(100).records or reader.read(100).records
    reader.close()
    assert [record.application_no for record in records] == ["440604-A"]
    fault = records[0].faults[0]
    assert (fault.code, fault.severity, records[0].park) == ("UNREADABLE", "reject", "")
    assert "'A', 1" in fault.zh
    assert "'A', 1" in fault.en


# ------------------------------------------------------------------------------------------------- values


def test_positions_survive_their_text() -> None:
    position = Position(
        time="2010-03-01 09:00:00",
        late_s=60.0,
        horizon=Horizon(5, 9, (6, 7)),
        rows={"SL": 3},
        mark=Mark("2010-03-01 09:00:00", 2, ("A", 1, b"\xff")),
        mark_from=("2010-03-01 10:00:00", "5:9:6,7"),
        parked={"k": "2010-03-01T00:00:00+00:00"},
    )
    assert Position.load(position.dump()) == position
    assert Position.load(None) == Position()
    assert str(Horizon.parse("5:5:")) == "5:5:"


@pytest.mark.parametrize("token", ["", "[]", "{}", '{"v":2}', '{"v":1,"unknown":3}', '{"v":1,"mark":[1]}'])
def test_a_foreign_position_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^position: "):
        Position.load(token)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (datetime(2010, 3, 1, 9), "2010-03-01 09:00:00"),  # noqa: DTZ001
        (datetime(2010, 3, 1, 9, 0, 0, 500_000), "2010-03-01 09:00:00.500000"),  # noqa: DTZ001
        ("2010-03-01T09:00:00", "2010-03-01 09:00:00"),
        ("2010-03-01 09:00:00.000000", "2010-03-01 09:00:00"),
    ],
)
def test_change_times_as_text(value: Any, text: str) -> None:
    assert time_text(value) == text


def _plan(*types: str) -> RowPlan:
    columns = (
        Column("NO", "text"),
        *(Column(f"C{i}", kind) for i, kind in enumerate(types)),  # type: ignore[arg-type]
        Column("AT", "time"),
    )
    declaration = Declaration("T", "SL", columns, ("NO",), "AT", volatile=frozenset({"AT"}))
    platform = Platform((declaration,), lambda _, number: number, lambda _, number: number)
    assert not platform.is_explicit
    return RowPlan(declaration, platform, division="440604")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("text", " 申请 ", "申请"),
        ("text", None, ""),
        ("integer", 3, Decimal("3.0")),
        ("integer", Decimal(30), 30.0),
        ("integer", True, 1),
        ("time", datetime(1900, 1, 1), None),  # noqa: DTZ001
        ("time", date(1900, 1, 1), None),
        ("time", "1900-01-01 00:00:00", None),
        ("time", "2010-03-01 09:00:00.000000", datetime(2010, 3, 1, 9)),  # noqa: DTZ001
        ("text", b"ab", "6162"),
        ("time", date(2010, 3, 1), "2010-03-01"),
    ],
)
def test_values_that_mean_the_same_have_one_digest(kind: str, one: Any, other: Any) -> None:
    plan = _plan(kind)
    assert plan.digest(("N", one, None)) == plan.digest(("N", other, None))
    assert plan.digest(("N", one, None)) != plan.digest(("N", "else", None))


def test_a_value_without_a_stable_text_stops_the_source() -> None:
    with pytest.raises(FatalError, match="a value of type object"):
        _plan("text").digest(("N", object(), None))


_EXTREMES = [(float("inf"), 1), (float("nan"), 1), (-7, 1), (1e20, 2**63 - 1), (10**30, 2**63 - 1)]


@pytest.mark.parametrize(
    ("value", "version"), [(None, 1), (0, 1), ("x", 1), (3, 3), ("4", 4), (Decimal(2), 2), *_EXTREMES]
)
def test_versions(value: Any, version: int) -> None:
    assert version_of(value) == version


# ---------------------------------------------------------------------------------- sources that count, products


def _observed() -> Platform:
    tables = tuple(
        replace(table, version="", key=tuple(name for name in table.key if name != "SJBBH"), parent=table.parent)
        for table in PLATFORM.tables
    )
    return replace(PLATFORM, tables=tables)


def test_a_source_without_a_version_column(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=200)

    def made() -> DatabaseSource:
        return DatabaseSource(_observed(), division="440604", options=DatabaseOptions(url=site))

    ledger = MemoryKeys()
    drain(made(), ledger)
    assert not made().is_explicit
    assert len(ledger.read) == 200
    assert {record.version for record in ledger.read} == {None}
    assert not any(record.park or record.faults for record in ledger.read)
    end = next(record for record in ledger.read if record.kind == "BJ")
    delete(engine, "BJ", YWLSH=end.content["YWLSH"])
    drain(made(), ledger)
    assert ledger.vanished == [end.key] == [end.row_key]


def test_a_database_that_is_not_supported_is_named() -> None:
    class Engine:
        class dialect:  # noqa: N801 - as SQLAlchemy names it
            name = "access"

    with pytest.raises(ConfigurationError, match="access is not supported; supported are sqlite, postgresql"):
        dialect_of(Engine())  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["nonsense", "access://x", "mysql+nodriver://x/y", "mysql+pymysql://u:p@h:port/x"])
def test_an_url_that_means_nothing(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^options\.url: "):
        source(url).open(MemoryKeys(), position=None, drain=True)


@pytest.mark.parametrize(
    ("name", "dialect"),
    [("oracle", oracle.dialect()), ("mssql", mssql.dialect())],  # type: ignore[no-untyped-call]
)
def test_statements_compile_for_products_that_do_not_run_here(
    name: str, dialect: sa.Dialect, sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    product = DIALECTS[name]
    options = DatabaseOptions(url=sqlite, where={"parent.XZQHDM": "440604"}, claimed=("440607",))
    with engine.connect() as connection:
        catalogue = Catalogue(connection, product, None)
        declaration = next(table for table in PLATFORM.tables if table.kind == "SPCL")
        statements = TableStatements(declaration, catalogue, product, rank=5, options=options)
    mark = Mark("2010-03-01 09:00:00", 5, ("A", 1, 2))
    made = {
        "full": statements.full(mark, limit=100, as_octets=False),
        "octets": statements.full(None, limit=None, as_octets=True),
        "thin": statements.thin(statements.since("2010-03-01 09:00:00"), age=None, as_octets=False),
        "by_key": statements.by_key([("A", 1, 2), ("B", 1, 2)], as_octets=False),
        "present": statements.present(["A"], as_octets=False),
        "parents": statements.parents(["A"], is_trimmed=True, as_octets=True),
    }
    texts = {key: str(select.compile(dialect=dialect)) for key, select in made.items()}
    assert all(text.startswith("SELECT") or "ROW_NUMBER" in text for text in texts.values())
    assert "ORDER BY" in texts["full"]
    assert ("cast_to_raw" if name == "oracle" else "VARBINARY(8000)") in texts["octets"]
    assert ("(t_shenpiguocheng.ywlsh, t_shenpiguocheng.sjbbh" in texts["by_key"]) == (name == "oracle")
    assert ("OR t_shenpiguocheng.ywlsh = " in texts["by_key"]) == (name == "mssql")
    assert "NOT (EXISTS" in texts["thin"] or "NOT EXISTS" in texts["thin"]
    assert "TRIM" in texts["parents"].upper()
