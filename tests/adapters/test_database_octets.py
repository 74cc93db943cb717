"""Character sets: what decodes comes through unchanged, what does not is held back alone, with its octets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simulators import cgs
from adapters.simulators.cgs import Quirks
from tests.adapters.fakes import MemoryKeys, drain
from tests.adapters.sites import START, Opened, insert, site_of, source

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

_ROW = {"SJBBH": 1, "YXTYWLSH": "x", "XZQHDM": "440604", "GXSJ": START}


def test_characters_of_gbk_come_through(site: str, engines: Callable[[str], sa.Engine]) -> None:
    site_of(engines(site), records=120, quirks=Quirks(gbk_only=1, trail_5c=1))
    ledger = MemoryKeys()
    drain(source(site), ledger)
    names = [record.content["SQDWHSQRXM"] for record in ledger.read if record.kind == "SL"]
    assert names
    assert all(name.endswith("镕喆堃運誠") for name in names)
    assert all(len(name.encode("gbk")) == 2 * len(name) - sum(c.isascii() for c in name) for name in names)


@pytest.mark.services
def test_latin1_columns_with_gb18030_octets(mariadb_latin1: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(mariadb_latin1)
    cgs.create(engine, bytes_as="gb18030")
    quirks = Quirks(gb18030_only=1, trail_5c=1)
    cgs.feed(engine, division="440604", start=START, records=120, quirks=quirks, bytes_as="gb18030")
    ledger = MemoryKeys()
    drain(source(mariadb_latin1, bytes_as="gb18030"), ledger)
    names = [record.content["SQDWHSQRXM"] for record in ledger.read if record.kind == "SL"]
    assert len(ledger.read) == 120
    assert names
    assert all(name.endswith("運誠㛃䶮𠮷") for name in names)
    drain(source(mariadb_latin1, bytes_as="gb18030"), ledger)
    assert not ledger.duplicates


@pytest.mark.services
def test_numbers_in_chinese_are_found_by_key_at_such_a_site(
    mariadb_latin1: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(mariadb_latin1)
    cgs.create(engine, bytes_as="gb18030")
    with Opened(mariadb_latin1, bytes_as="gb18030") as opened:
        insert(engine, "SL", **{**_ROW, "YWLSH": "禅字１号".encode("gb18030")})
        insert(engine, "BJ", YWLSH="禅字１号".encode("gb18030"), SJBBH=1, GXSJ=START)
        drain(source(mariadb_latin1, bytes_as="gb18030"), opened.ledger)
        assert [record.key for record in opened.ledger.read] == [
            "440604:SL:440604-禅字１号",
            "440604:BJ:440604-禅字１号",
        ]
        assert all(not record.faults and not record.park for record in opened.ledger.read)


def _bad_rows(url: str, ledger: MemoryKeys) -> list[str]:
    drain(source(url), ledger)
    bad = [record for record in ledger.read if record.faults]
    for record in bad:
        assert record.faults[0][:3] == ("DECODE", "SQDWHSQRXM", "reject")
        assert "字段 SQDWHSQRXM" in record.faults[0].zh
        assert "SQDWHSQRXM" in record.faults[0].en
        assert record.raw is not None
        assert b"SQDWHSQRXM=\xb2\xe2\xff\xfe" in record.raw
        assert not record.park
    return [record.application_no for record in bad]


def test_only_the_row_that_does_not_decode_is_held_back(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    site_of(engine, records=1500, quirks=Quirks(undecodable=0))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE t_shouli SET sqdwhsqrxm = CAST(x'b2e2fffe' AS TEXT) WHERE rowid IN (1, 100, 101)"
        )
    ledger = MemoryKeys()
    assert len(_bad_rows(sqlite, ledger)) == 3
    assert len(ledger.read) == len({record.key for record in ledger.read}) == 1500
    drain(source(sqlite), ledger)
    assert not ledger.duplicates


def test_such_a_row_is_held_back_by_a_later_look_too(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    site_of(engine, records=30)
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    insert(engine, "SL", **{**_ROW, "YWLSH": "GOOD"})
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO t_shouli (ywlsh, yxtywlsh, xzqhdm, sqdwhsqrxm, gxsj)"
            " VALUES ('BAD', 'x', '440604', CAST(x'b2e2fffe' AS TEXT), '2010-03-01 09:00:00')"
        )
    assert _bad_rows(sqlite, ledger) == ["440604-BAD"]
    assert {record.application_no for record in ledger.read[30:]} == {"440604-BAD", "440604-GOOD"}


def test_a_key_that_does_not_decode_is_named_as_far_as_it_does(
    sqlite: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(sqlite)
    site_of(engine, records=30)
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO t_shouli (ywlsh, yxtywlsh, xzqhdm, gxsj)"
            " VALUES (CAST(x'41ff42' AS TEXT), 'x', '440604', '2010-03-01 09:00:00')"
        )
    drain(source(sqlite), ledger)
    assert [record.application_no for record in ledger.read[30:]] == ["440604-A\\xffB"]
    assert ledger.read[30].faults[0].code == "DECODE"
    fresh = MemoryKeys()
    drain(source(sqlite), fresh)
    assert len(fresh.read) == 31


@pytest.mark.services
def test_postgresql_that_checks_no_octets(postgres_ascii: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(postgres_ascii)
    site_of(engine, records=700)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE t_shouli SET sqdwhsqrxm = convert_from('\\xb2e2fffe'::bytea, 'SQL_ASCII') WHERE gxsj ="
            " (SELECT max(gxsj) FROM t_shouli)"
        )
    ledger = MemoryKeys()
    assert len(_bad_rows(postgres_ascii, ledger)) == 1
    assert len(ledger.read) == 700


@pytest.mark.services
def test_mariadb_octets_that_are_no_text(mariadb_latin1: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(mariadb_latin1)
    cgs.create(engine, bytes_as="gb18030")
    quirks = Quirks(undecodable=0.1)
    counts = cgs.feed(
        engine, division="440604", start=START, records=300, quirks=quirks, bytes_as="gb18030", short_numbers=0
    )
    ledger = MemoryKeys()
    drain(source(mariadb_latin1, bytes_as="gb18030"), ledger)
    bad = [record for record in ledger.read if record.faults]
    assert len(bad) == counts["undecodable"] > 0
    assert len(ledger.read) == 300
    assert {record.faults[0].code for record in bad} == {"DECODE"}


@pytest.mark.services
def test_a_page_in_gbk_with_octets_that_python_does_not_know(mariadb: str, engines: Callable[[str], sa.Engine]) -> None:
    """0xA2AB is a place of GBK without a character: the server stores it, a strict decoder refuses the page."""
    engine = engines(mariadb)
    site_of(engine, records=200)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET sql_mode = ''")
        connection.exec_driver_sql("UPDATE T_SHOULI SET SQDWHSQRXM = _binary x'A2AB' LIMIT 1")
    with engine.connect() as connection:
        stored = connection.exec_driver_sql("SELECT COUNT(*) FROM T_SHOULI WHERE HEX(SQDWHSQRXM) = 'A2AB'").scalar_one()
    assert stored == 1
    ledger = MemoryKeys()
    drain(source(mariadb), ledger)
    assert len(ledger.read) == 200
