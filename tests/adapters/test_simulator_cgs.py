"""The simulator: deterministic, exact in number, valid when clean, wrong where asked."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.dialects import mssql, oracle
from sqlalchemy.schema import CreateTable
from stdnum.cn import ric, uscc

from adapters.cgs.platform import application_no
from adapters.simulators import cgs
from adapters.simulators.cgs import Quirks
from adapters.simulators.cgs_cases import District
from adapters.simulators.identifiers import organisation_code
from tests.adapters.sites import START, local_now, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

KINDS = ("SL", "BZGZ", "BZSL", "TBCXSQ", "TBCXJG", "SPCL", "BJ")


def content(engine: sa.Engine) -> dict[str, list[Any]]:
    return {kind: sorted(map(str, rows(engine, kind))) for kind in KINDS}


def test_exactly_so_many_records_and_the_same_ones_from_the_same_seed(
    sqlite: str, engines: Callable[[str], sa.Engine], tmp_path: Any
) -> None:
    made = []
    for place, seed in enumerate((1, 1, 2)):
        engine = engines(f"sqlite:///{tmp_path}/{place}.db")
        cgs.create(engine)
        counts = cgs.feed(engine, division="440604", start=START, records=2345, seed=seed, quirks=Quirks(padded=0.1))
        assert sum(counts[kind] for kind in KINDS) == 2345
        made.append(content(engine))
    assert sum(map(len, made[0].values())) == 2345
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_so_many_cases(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    counts = cgs.feed(engine, division="440604", start=START, cases=50)
    assert counts["SL"] == counts["BJ"] == 50
    for number in (None, 1):
        with pytest.raises(ValueError, match="either cases or records"):
            cgs.feed(engine, division="440604", start=START, cases=number, records=number)


def test_cases_live_through_the_state_machine() -> None:
    district = District("440604", seed=3)
    seen: Counter[str] = Counter()
    for number in range(400):
        steps = district.case(number, START)
        kinds = [step.kind for step in steps]
        seen.update(set(kinds))
        assert kinds[0] == "SL"
        assert kinds[-1] == "BJ"
        assert [step.at for step in steps] == sorted(step.at for step in steps)
        for first, second in (("BZGZ", "BZSL"), ("TBCXSQ", "TBCXJG")):
            assert second not in kinds or kinds.index(first) < kinds.index(second)
        if "BZGZ" in kinds and "BZSL" not in kinds:
            assert steps[-1].values["BJJG"] == "5"
        if steps[0].values["SLYF"] == "1":
            assert kinds == ["SL", "BJ"]
            assert steps[0].values["BSLYY"]
    assert set(seen) == set(KINDS)


@pytest.mark.parametrize("start", [START, datetime(2016, 3, 1, 9)])  # noqa: DTZ001 - as the platform's columns
def test_identifiers_have_valid_check_digits(start: datetime) -> None:
    district = District("440607", seed=1, short_numbers=0)
    types: Counter[str] = Counter()
    for number in range(300):
        values = district.case(number, start)[0].values
        types[values["SQRLX"]] += 1
        if values["SQRLX"] == "1":
            assert ric.is_valid(values["SQRZJHM"])
        elif values["SQRLX"] == "2" and start.year > 2015:
            assert uscc.is_valid(values["SQRZJHM"])
        else:
            assert organisation_code(int(values["SQRZJHM"][:8])) == values["SQRZJHM"]
        assert application_no("440607", values["YWLSH"]) == values["YWLSH"]
    assert set(types) == {"1", "2", "9"}


@pytest.mark.parametrize("code", ["007482567", "698113284", "083372204", "006994552"])
def test_organisation_codes_against_known_ones(code: str) -> None:
    assert organisation_code(int(code[:8])) == code


def test_bulk_feeding_is_fast(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    began = time.process_time()
    cgs.feed(engine, division="440604", start=START, records=10_000)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("quirk", "kind", "holds"),
    [
        ("null_dates", "TBCXJG", lambda row: row.tbcxjsrq.year == 1900),
        ("padded_region", "SL", lambda row: row.xzqhdm == "440604000000"),
        ("retired_region", "SL", lambda row: row.xzqhdm in {"440602", "440603"}),
        ("applicant_type_3", "SL", lambda row: row.sqrlx in {"1", "2", "3"}),
        ("stage_code_0001", "SPCL", lambda row: row.sphjdm in {"0001", "2", "3"}),
        ("money_comma", "BJ", lambda row: row.sfje in {"0.00", "1,200.00"}),
        ("gbk_only", "SL", lambda row: row.sqdwhsqrxm.endswith("镕喆堃")),
        ("trail_5c", "BZGZ", lambda row: row.bjgzfcr.endswith("運誠")),
        ("gb18030_only", "SPCL", lambda row: row.sprxm.endswith("㛃䶮𠮷")),
        ("padded", "SL", lambda row: row.xzqhdm == "440604  " and row.sqdwhsqrxm.endswith(" ")),
    ],
)
def test_quirks_of_single_rows(
    sqlite: str, engines: Callable[[str], sa.Engine], quirk: str, kind: str, holds: Callable[[Any], bool]
) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    cgs.feed(engine, division="440604", start=START, records=600, quirks=Quirks(**{quirk: 1.0}))
    found = rows(engine, kind)
    assert found
    assert all(holds(row) for row in found)


def test_quirks_of_a_feed(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    quirks = Quirks(
        late_commits=0.1,
        same_second=0.5,
        change_in_place=0.1,
        change_version=0.1,
        deletes=0.05,
        purges=0.1,
        undecodable=0.01,
        missing_parent=0.1,
        clock_steps=0.01,
    )
    counts = cgs.feed(engine, division="440604", start=START, records=3000, quirks=quirks)
    for name in ("late", "change_in_place", "change_version", "deletes", "purges", "undecodable"):
        assert counts[name] > 0, name
    with engine.connect() as connection:
        total = sum(
            connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table.name}").scalar_one()
            for kind, table in cgs.tables("sqlite").items()
            if kind in KINDS
        )
        orphans = connection.exec_driver_sql(
            "SELECT COUNT(*) FROM t_banjie WHERE ywlsh NOT IN (SELECT ywlsh FROM t_shouli)"
        ).scalar_one()
        versions = connection.exec_driver_sql("SELECT COUNT(*) FROM t_shenpiguocheng WHERE sjbbh = 2").scalar_one()
    assert 0 < total < 3000 - counts["deletes"]
    assert orphans > 0
    assert versions > 0


def test_octets_that_are_no_text_need_a_product_that_takes_them(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    cgs.create(engine)
    if engine.dialect.name == "sqlite":
        assert (
            cgs.feed(engine, division="440604", start=START, records=9, quirks=Quirks(undecodable=1))["undecodable"]
            == 9
        )
        return
    with pytest.raises(ValueError, match="SQLite or a site with bytes_as"):
        cgs.feed(engine, division="440604", start=START, records=9, quirks=Quirks(undecodable=1))


def test_a_live_database_moves_one_step_at_a_time(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    clock = _ticking()
    events = list(islice(cgs.live(engine, division="440604", now=lambda: next(clock)), 300))
    assert {event.action for event in events} == {"insert"}
    assert sum(len(rows(engine, kind)) for kind in KINDS) == 300
    stamps = [row.gxsj for kind in KINDS for row in rows(engine, kind)]
    assert len(set(stamps)) == 300
    steps = [row for row in rows(engine, "SPCL") if row.spsj == row.gxsj]
    assert steps


def test_a_live_database_with_everything_wrong(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    cgs.create(engine)
    clock = _ticking()
    quirks = Quirks(
        late_commits=0.1, change_in_place=0.05, change_version=0.05, deletes=0.02, purges=0.02, gbk_only=0.2
    )
    made = cgs.live(engine, division="440604", now=lambda: next(clock), quirks=quirks, seed=5)
    events = list(islice(made, 600))
    assert {event.action for event in events} == {"insert", "change_in_place", "change_version", "deletes", "purges"}
    inserted = [event for event in events if event.action == "insert"]
    assert len({(event.kind, *event.key.values()) for event in inserted}) == len(inserted)


def _ticking() -> Iterator[datetime]:
    now = local_now() - timedelta(days=1)
    while True:
        now += timedelta(seconds=1)
        yield now


@pytest.mark.parametrize(
    "dialect",
    [oracle.dialect(), mssql.dialect()],  # type: ignore[no-untyped-call]
    ids=["oracle", "mssql"],
)
def test_the_tables_compile_for_products_that_do_not_run_here(dialect: sa.Dialect) -> None:
    made = cgs.tables(dialect.name)
    assert len(made) == 8
    for table in made.values():
        text = str(CreateTable(table).compile(dialect=dialect))
        assert text.count("PRIMARY KEY") == 1
    text = str(CreateTable(made["SL"]).compile(dialect=dialect))
    assert "slsj " in text
    assert ("VARCHAR2(2000 CHAR)" if dialect.name == "oracle" else "VARCHAR(2000)") in text


def test_mariadb_sites_have_the_charset_of_their_time() -> None:
    from sqlalchemy.dialects import mysql

    for bytes_as, charset in ((None, "gbk"), ("gb18030", "latin1")):
        text = str(CreateTable(cgs.tables("mysql", bytes_as=bytes_as)["SL"]).compile(dialect=mysql.dialect()))
        assert f"CHARSET={charset}" in text
        assert "`T_SHOULI`" in text
