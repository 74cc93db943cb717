"""Oddities of cgs: numbers, districts that share a database, children whose 受理 is late."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from adapters.cgs import PLATFORM, CgsSource
from adapters.cgs.platform import RESULT_COLUMNS, application_no, native_no
from adapters.simulators import cgs
from adapters.simulators.cgs import Quirks
from bus.errors import ConfigurationError, FatalError, TransientError
from tests.adapters.fakes import MemoryKeys, drain, look
from tests.adapters.sites import START, Opened, delete, execute, insert, key_of, local_now, rows, site_of, source

if TYPE_CHECKING:
    from collections.abc import Callable

DISTRICTS = ("440604", "440607", "440608")


def test_the_seven_tables_are_declared_in_full() -> None:
    counts = {declaration.kind: len(declaration.columns) for declaration in PLATFORM.tables}
    assert counts == {"SL": 36, "BZGZ": 9, "BZSL": 9, "TBCXSQ": 16, "TBCXJG": 11, "SPCL": 16, "BJ": 19}
    assert len(RESULT_COLUMNS) == 9
    assert CgsSource(division="440604", options={"url": "sqlite://"}).is_explicit


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("10131300500698857411409161687", "10131300500698857411409161687"),
        ("4406040069885741003010000001", "4406040069885741003010000001"),
        ("GZ0069885741003010000001", "GZ0069885741003010000001"),
        ("SL2010000001", "440604-SL2010000001"),
        ("4406040069885741013010000001", "440604-4406040069885741013010000001"),  # month 13
        ("gz0069885741003010000001", "440604-gz0069885741003010000001"),
        ("", "440604-"),
    ],
)
def test_a_number_of_the_structure_stands_alone_and_any_other_gets_the_division(number: str, expected: str) -> None:
    assert application_no("440604", number) == expected
    assert native_no("440604", expected) == number


def test_blanks_around_a_number_are_no_part_of_it(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    cgs.create(engine)
    insert(engine, "SL", YWLSH="A 1:2 ", SJBBH=1, YXTYWLSH="x", XZQHDM=" 440604 ", GXSJ=START)
    insert(engine, "BJ", YWLSH="A 1:2", SJBBH=1, GXSJ=START)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    assert [record.key for record in ledger.read] == ["440604:SL:440604-A%201%3A2", "440604:BJ:440604-A%201%3A2"]
    assert ledger.read[1].content["parent.YXTYWLSH"] == "x"
    assert not any(record.faults or record.park for record in ledger.read)
    delete(engine, "BJ", YWLSH="A 1:2")
    drain(source(site), ledger)
    assert ledger.vanished == ["440604:BJ:440604-A%201%3A2:1"]


def test_a_row_without_a_number_belongs_to_no_case(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=1)
    insert(engine, "SL", YWLSH="  ", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=local_now())
    ledger = MemoryKeys()
    drain(source(site), ledger)
    found = [record for record in ledger.read if record.faults]
    assert [(f.code, f.field, f.severity) for record in found for f in record.faults] == [
        ("BUSINESS_KEY", "YWLSH", "reject")
    ]


def test_parts_of_the_key() -> None:
    parts = {d.kind: (d.part, d.part_default) for d in PLATFORM.tables}
    assert parts == {
        "SL": ("", ""),
        "BJ": ("", ""),
        "BZGZ": ("", "1"),
        "BZSL": ("", "1"),
        "TBCXSQ": ("XH", "1"),
        "TBCXJG": ("XH", "1"),
        "SPCL": ("SPBZH", ""),
    }


def test_a_change_in_place_with_a_new_version_is_no_deletion(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=120)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    step = next(record for record in ledger.read if record.kind == "SPCL")
    for version in (2, 3):
        key = {**key_of(step), "SJBBH": version - 1}
        execute(engine, "SPCL", {"SJBBH": version, "SPYJ": f"第{version}版", "GXSJ": START}, **key)
        drain(source(site), ledger)
        assert (ledger.read[-1].key, ledger.read[-1].version) == (step.key, version)
    execute(engine, "SPCL", {"SJBBH": 9, "GXSJ": START}, **{**key_of(step), "SJBBH": 3})
    drain(source(site), ledger)
    assert ledger.read[-1].version == 9
    assert len(ledger.read) == 123
    drain(source(site), ledger)
    assert not ledger.vanished


def test_two_versions_of_a_row_are_two_rows_and_the_parent_fits_the_version(
    site: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(site)
    cgs.create(engine)
    for version in (2, 4):
        insert(
            engine,
            "SL",
            YWLSH="N",
            SJBBH=version,
            YXTYWLSH=f"y{version}",
            XZQHDM="440604",
            GXSJ=START + timedelta(seconds=version),
        )
    for version in (1, 3, 5):
        insert(engine, "BJ", YWLSH="N", SJBBH=version, GXSJ=START + timedelta(seconds=10 + version))
    ledger = MemoryKeys()
    drain(source(site), ledger)
    ends = [(r.version, r.content["parent.YXTYWLSH"]) for r in ledger.read if r.kind == "BJ"]
    assert ends == [(1, "y2"), (3, "y2"), (5, "y4")]
    assert [r.version for r in ledger.read if r.kind == "SL"] == [2, 4]
    drain(source(site), ledger)
    assert len(ledger.read) == 5
    assert not ledger.duplicates


def test_three_districts_in_one_database(site: str, engines: Callable[[str], sa.Engine]) -> None:
    """Each gets its own, however it is spelt; what nobody claims is counted; nothing is read twice."""
    engine = engines(site)
    cgs.create(engine)
    quirks = Quirks(padded_region=0.3, retired_region=0.3, padded=0.3)
    for place, division in enumerate((*DISTRICTS, "440605")):
        cgs.feed(
            engine,
            division=division,
            start=START + timedelta(minutes=place),
            records=150,
            seed=place,
            first_case=1000 * place,
            quirks=quirks,
        )
    insert(engine, "BJ", YWLSH="ORPHAN", SJBBH=1, GXSJ=START)
    for division in DISTRICTS:
        ledger = MemoryKeys()
        claimed = [other for other in DISTRICTS if other != division]
        reader = source(site, division, where={"parent.XZQHDM": division}, claimed=claimed)
        drain(reader, ledger)
        assert len(ledger.read) == len({record.key for record in ledger.read}) == 150
        assert {record.division for record in ledger.read} == {division}
        assert not any(record.faults or record.park for record in ledger.read)
        assert ledger.unassigned == 151
        drain(source(site, division, where={"parent.XZQHDM": division}, claimed=claimed), ledger)
        assert len(ledger.read) == 150


def test_an_orphan_of_a_shared_database_is_handed_on_by_its_district_once_its_parent_is_there(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(sqlite)
    site_of(engine, records=30)
    insert(engine, "BJ", YWLSH="ORPHAN", SJBBH=1, GXSJ=START)
    with Opened(sqlite, where={"XZQHDM": "440603"}, claimed=["440607"]) as opened:
        assert len(opened.ledger.read) == 30
        assert opened.look() == []
        insert(engine, "SL", YWLSH="ORPHAN", SJBBH=1, YXTYWLSH="x", XZQHDM="440602", GXSJ=local_now())
        assert [record.kind for record in opened.look()] == ["BJ", "SL"]


def test_where_must_name_a_column() -> None:
    with pytest.raises(ConfigurationError) as caught:
        source("sqlite://", where={"parent.SLSJ": "x"})
    assert "options.where.parent.SLSJ: T_BANJIE has no such column, and neither has its parent" in caught.value.problems
    assert len(caught.value.problems) == 6


def test_a_row_of_another_district_is_held_back(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    cgs.create(engine)
    cgs.feed(engine, division="440607", start=START, records=12)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    assert len(ledger.read) == 12
    for record in ledger.read:
        fault = record.faults[0]
        assert (fault.code, fault.severity) == ("FOREIGN_DIVISION", "reject")
        assert fault.field == ("XZQHDM" if record.kind == "SL" else "parent.XZQHDM")
        assert "440607" in fault.zh
        assert "440607" in fault.en


def test_retired_and_padded_codes_of_the_own_district_are_no_fault(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    site_of(engines(sqlite), records=60, quirks=Quirks(retired_region=0.5, padded_region=0.5))
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    assert len({r.content["XZQHDM"] for r in ledger.read if r.kind == "SL"}) >= 3
    assert not any(record.faults for record in ledger.read)


def test_a_child_without_its_parent_waits_and_goes_on_when_it_has_come(
    site: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(site)
    site_of(engine, records=30)
    insert(engine, "BJ", YWLSH="LATE", SJBBH=1, BLJGMS="完成", GXSJ=START)
    with Opened(site) as opened:
        assert [record.park for record in opened.ledger.read if record.application_no == "440604-LATE"] == ["no-parent"]
        assert opened.look() == []
        insert(engine, "SL", YWLSH="LATE", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=local_now())
        found = opened.look()
        assert {(record.kind, record.park) for record in found} == {("SL", ""), ("BJ", "")}
        child = next(record for record in found if record.kind == "BJ")
        assert child.content["parent.YXTYWLSH"] == "x"
        assert child.content["BLJGMS"] == "完成"
        assert not opened.ledger.parked("no-parent")
        assert opened.look() == []


def test_after_a_day_of_waiting_a_child_is_given_up(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    insert(engine, "BJ", YWLSH="LATE", SJBBH=1, GXSJ=START)
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    drain(source(sqlite), ledger)
    assert [record.park for record in ledger.read] == ["no-parent"]
    token = json.loads(ledger.position or "")
    token["parked"] = {k: (datetime.now(UTC) - timedelta(hours=24)).isoformat() for k in token["parked"]}
    ledger.position = json.dumps(token)
    drain(source(sqlite), ledger)
    record = ledger.read[-1]
    assert len(ledger.read) == 2
    assert (record.park, record.faults[0].code, record.faults[0].severity) == ("", "NO_PARENT", "reject")
    assert "T_SHOULI" in record.faults[0].zh
    assert "T_SHOULI" in record.faults[0].en
    assert "parked" not in json.loads(ledger.position or "")


@pytest.mark.services
@pytest.mark.parametrize("product", ["postgres", "mariadb"])
def test_a_connection_that_the_server_closed_is_opened_again(
    product: str, request: pytest.FixtureRequest, engines: Callable[[str], sa.Engine]
) -> None:
    url = request.getfixturevalue(product)
    engine = engines(url)
    site_of(engine, records=60)
    with Opened(url) as opened:
        _kill_others(engine)
        insert(engine, "SL", YWLSH="NEW", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=local_now())
        assert [record.content["YWLSH"] for record in opened.look()] == ["NEW"]


@pytest.mark.services
@pytest.mark.parametrize("product", ["postgres", "mariadb"])
def test_a_connection_lost_within_a_pass_is_transient_and_nothing_is_lost(
    product: str, request: pytest.FixtureRequest, engines: Callable[[str], sa.Engine]
) -> None:
    url = request.getfixturevalue(product)
    engine = engines(url)
    site_of(engine, records=900)
    ledger = MemoryKeys()
    reader = source(url)
    reader.open(ledger, position=None, drain=True)
    ledger.take(reader.read(10))
    _kill_others(engine)
    with pytest.raises(TransientError):
        look(reader, ledger)
    reader.close()
    drain(source(url), ledger)
    assert len(ledger.read) == len({record.key for record in ledger.read}) == 900


def _kill_others(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        for number, database in connection.exec_driver_sql("SELECT id, db FROM information_schema.processlist"):
            own = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
            if number != own and database == engine.url.database:
                connection.exec_driver_sql(f"KILL {number}")


@pytest.mark.services
def test_an_account_that_may_only_select_is_enough_and_one_that_may_not_is_told_so(
    postgres: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(postgres)
    site_of(engine, records=30)
    name = f"reader_{engine.url.database}"
    url = sa.make_url(postgres).set(username=name).render_as_string()
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
    with pytest.raises(ConfigurationError, match="InsufficientPrivilege"):
        source(url).open(MemoryKeys(), position=None, drain=True)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    ledger = MemoryKeys()
    drain(source(url), ledger)
    assert len(ledger.read) == 30
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")


@pytest.mark.services
def test_views_are_read_through_the_window(postgres: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(postgres)
    site_of(engine, records=60)
    with engine.begin() as connection:
        for table in cgs.tables("postgresql").values():
            connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO raw_{table.name}")
            connection.exec_driver_sql(f"CREATE VIEW {table.name} AS SELECT * FROM raw_{table.name}")
    with Opened(postgres) as opened:
        assert len(opened.ledger.read) == 60
        insert(engine, "SL", YWLSH="NEW", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=local_now())
        assert len(opened.look()) == 1


def test_rows_without_a_change_time_are_found_by_the_sweep(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    cgs.create(engine)
    insert(engine, "SL", YWLSH="N", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=None)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    assert [(record.application_no, record.changed_at) for record in ledger.read] == [("440604-N", "")]
    assert rows(engine, "SL")


@pytest.mark.services
def test_a_page_that_takes_too_long_is_transient(postgres: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(postgres)
    site_of(engine, records=30)
    reader = source(postgres, page_limit_s=0.2)
    reader.open(MemoryKeys(), position=None, drain=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE t_shouli IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TransientError, match="QueryCanceled"):
            reader.read(100)
    reader.close()


@pytest.mark.services
def test_a_source_restored_from_a_backup_is_compared_whole(postgres: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(postgres)
    site_of(engine, records=30)
    ledger = MemoryKeys()
    drain(source(postgres), ledger)
    token = json.loads(ledger.position or "")
    token["horizon"] = "99999999:99999999:"
    insert(engine, "SL", YWLSH="N", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=START)
    reader = source(postgres)
    reader.open(ledger, position=json.dumps(token), drain=False)
    assert [record.application_no for record in reader.read(100).records] == ["440604-N"]
    reader.close()


def test_read_comes_after_open() -> None:
    with pytest.raises(AssertionError, match="open comes first"):
        source("sqlite://").read(1)


@pytest.mark.parametrize(("count", "stops"), [(9, False), (10, True)])
def test_nine_missing_rows_never_stop_a_sweep(
    sqlite: str, engines: Callable[[str], sa.Engine], count: int, *, stops: bool
) -> None:
    engine = engines(sqlite)
    site_of(engine, records=120)
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    for record in [record for record in ledger.read if record.kind == "BJ"][:count]:
        delete(engine, "BJ", **key_of(record))
    if stops:
        with pytest.raises(FatalError):
            drain(source(sqlite), ledger)
    else:
        drain(source(sqlite), ledger)
    assert len(ledger.vanished) == (0 if stops else count)


def test_options_of_a_source(sqlite: str) -> None:
    wrong: dict[str, Any] = {"url": "", "mode": "flag", "late": 3, "load_percent": 0}
    with pytest.raises(ConfigurationError) as caught:
        CgsSource(division="440604", options=wrong)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "options.url",
        "options.mode",
        "options.load_percent",
        "options.late",
    ]
    assert "unknown key; known are" in caught.value.problems[3]


def test_what_waited_goes_behind_the_parent_it_waited_for(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=20)
    opened = Opened(site)
    old = START - timedelta(days=1)
    insert(engine, "BJ", YWLSH="LATE", SJBBH=1, GXSJ=local_now())
    assert [record.park for record in opened.look()] == ["no-parent"]
    insert(engine, "SL", YWLSH="LATE", SJBBH=1, YXTYWLSH="x", XZQHDM="440604", GXSJ=old)
    opened.look()  # the parent's time is long past: on most products only the sweep finds it
    opened.source.close()
    drain(source(site), opened.ledger)
    assert [record.kind for record in opened.ledger.read if "LATE" in record.key] == ["BJ", "SL", "BJ"]


def test_versions_of_one_second_go_out_by_their_value(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=20)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    before = len(ledger.read)
    for version in (10, 9, 100):
        insert(engine, "SL", YWLSH="V", SJBBH=version, YXTYWLSH="x", XZQHDM="440604", GXSJ=START)
    drain(source(site), ledger)
    assert [record.version for record in ledger.read[before:]] == [9, 10, 100]


def test_a_table_without_a_key_loses_no_row(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    """A view, or a site that dropped the constraint: XH absent, and two rows that share everything that names them."""
    engine = engines(sqlite)
    site_of(engine, records=20)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE T_TEBIECHENGXUSHENQING RENAME TO former"))
        connection.execute(sa.text("CREATE TABLE T_TEBIECHENGXUSHENQING AS SELECT * FROM former WHERE 0"))
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    before = len(ledger.read)
    number = next(record.content["YWLSH"] for record in ledger.read if record.kind == "SL")
    for reason in ("甲", "乙"):
        insert_text = "INSERT INTO T_TEBIECHENGXUSHENQING (YWLSH, SJBBH, SQNR, GXSJ) VALUES (:no, 1, :reason, :at)"
        with engine.begin() as connection:
            connection.execute(sa.text(insert_text), {"no": number, "reason": reason, "at": "2010-03-01 09:00:00"})
    drain(source(sqlite), ledger)
    read = ledger.read[before:]
    assert sorted(record.content["SQNR"] for record in read) == ["乙", "甲"]
    assert all(record.faults == () and record.key.endswith(":1") for record in read)


def test_digits_of_other_scripts_make_no_application_number() -> None:
    number = "GZ00698857410030１0000001"
    assert application_no("440604", number) == f"440604-{number}"


@pytest.mark.services
def test_rows_with_the_zero_date_of_mysql_are_read_and_go_on(mariadb: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(mariadb)
    site_of(engine, records=20)
    with engine.begin() as connection:
        connection.execute(sa.text("SET SESSION sql_mode = ''"))
        for declaration in PLATFORM.tables:
            connection.execute(sa.text(f"UPDATE {declaration.table} SET GXSJ = '0000-00-00 00:00:00'"))
    ledger = MemoryKeys()
    begun = source(mariadb)
    begun.open(ledger, position=None, drain=True)
    ledger.take(begun.read(5))
    begun.close()
    for _ in range(2):
        drain(source(mariadb), ledger, max_records=7)
    assert len(ledger.read) == 20
    assert ledger.duplicates == []
