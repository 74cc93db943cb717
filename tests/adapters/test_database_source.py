"""The generic source on every product that runs here, through the cgs declarations."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from adapters.simulators import cgs
from adapters.simulators.cgs import Quirks
from bus.errors import ConfigurationError, FatalError, TransientError
from bus.message import KIND_ORDER
from tests.adapters.fakes import MemoryKeys, drain
from tests.adapters.sites import START, Opened, delete, execute, insert, key_of, local_now, rows, site_of, source

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_drain_takes_every_row_once_in_the_order_of_capture(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=700)
    ledger = MemoryKeys()
    drain(source(site), ledger, max_records=90)
    assert len(ledger.read) == 700
    assert len({record.key for record in ledger.read}) == 700
    assert not ledger.duplicates
    order = [(record.changed_at, KIND_ORDER[record.kind]) for record in ledger.read]
    assert order == sorted(order)
    for kind in ("SL", "SPCL", "BJ", "TBCXSQ", "TBCXJG", "BZGZ", "BZSL"):
        assert sum(record.kind == kind for record in ledger.read) == len(rows(engine, kind)) > 0


def test_a_second_drain_finds_nothing(site: str, engines: Callable[[str], sa.Engine]) -> None:
    site_of(engines(site), records=300)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    drain(source(site), ledger)
    assert len(ledger.read) == 300
    assert not ledger.duplicates
    assert not ledger.vanished


def test_content_has_own_columns_and_the_parents(site: str, engines: Callable[[str], sa.Engine]) -> None:
    site_of(engines(site), records=60)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    step = next(record for record in ledger.read if record.kind == "SPCL")
    case = next(r for r in ledger.read if r.kind == "SL" and r.application_no == step.application_no)
    assert step.content["parent.XZQHDM"] == "440604"
    assert step.content["parent.SPSXBH"] == case.content["SPSXBH"]
    assert step.content["parent.YXTYWLSH"] == case.content["YXTYWLSH"]
    assert "ISGET" not in step.content
    assert case.content["SPSXMC"] in {"建设工程规划许可", "企业名称预先核准", "排放污染物许可", "食品卫生许可"} | {
        "户外广告设置许可",
        "城市道路挖掘许可",
    }
    assert step.key == f"440604:SPCL:{step.application_no}:{step.content['SPBZH']}"
    assert step.version == 1


@pytest.mark.services
def test_equal_rows_have_equal_digests_on_every_product(
    sqlite: str, mariadb: str, postgres: str, engines: Callable[[str], sa.Engine]
) -> None:
    digests = []
    for url in (sqlite, mariadb, postgres):
        site_of(engines(url), records=200)
        ledger = MemoryKeys()
        drain(source(url), ledger)
        digests.append({record.key: (record.digest, record.changed_at) for record in ledger.read})
    assert digests[0] == digests[1] == digests[2]


def test_a_new_process_goes_on_after_the_last_committed_batch(site: str, engines: Callable[[str], sa.Engine]) -> None:
    site_of(engines(site), records=400, quirks=Quirks(same_second=1))
    ledger = MemoryKeys()
    while True:
        reader = source(site)
        reader.open(ledger, position=ledger.position, drain=True)
        try:
            batch = reader.read(37)
            ledger.take(batch)
            if not batch.records:
                break
        finally:
            reader.close()
    assert len(ledger.read) == len({record.key for record in ledger.read}) == 400
    assert not ledger.duplicates


def test_new_and_changed_rows_are_found_by_the_next_look(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=200)
    with Opened(site) as opened:
        assert len(opened.ledger.read) == 200
        step = next(record for record in opened.ledger.read if record.kind == "SPCL")
        execute(engine, "SPCL", {"SPYJ": "改为不同意", "GXSJ": local_now()}, **key_of(step))
        cgs.feed(engine, division="440604", start=local_now() - timedelta(hours=1), records=6, seed=7, first_case=900)
        found = opened.look()
        assert {record.key for record in found} >= {step.key}
        assert next(r for r in found if r.key == step.key).content["SPYJ"] == "改为不同意"
        assert len(found) == 7


def test_a_row_of_the_running_second_is_read_again(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=60)
    with Opened(site) as opened:
        step = next(record for record in opened.ledger.read if record.kind == "SPCL")
        now = local_now() + timedelta(seconds=1)
        execute(engine, "SPCL", {"SPYJ": "第一次", "GXSJ": now}, **key_of(step))
        first = opened.look()
        execute(engine, "SPCL", {"SPYJ": "第二次", "GXSJ": now}, **key_of(step))
        second = opened.look()
        assert [record.content["SPYJ"] for record in first + second] == ["第一次", "第二次"]
        assert first[0].changed_at == ""


def test_a_sweep_finds_what_was_deleted_and_what_changed_long_ago(
    site: str, engines: Callable[[str], sa.Engine]
) -> None:
    engine = engines(site)
    site_of(engine, records=600)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    steps = [record for record in ledger.read if record.kind == "SPCL"]
    for step in steps[:3]:
        assert delete(engine, "SPCL", **key_of(step)) == 1
    execute(engine, "SPCL", {"SPYJ": "事后更改", "GXSJ": START - timedelta(days=300)}, **key_of(steps[9]))
    drain(source(site), ledger)
    assert sorted(ledger.vanished) == sorted(record.row_key for record in steps[:3])
    assert [record.key for record in ledger.read[600:]] == [steps[9].key]
    drain(source(site), ledger)
    assert len(ledger.vanished) == 3


def test_a_vanished_row_that_comes_back_is_handed_on(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=300)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    end = next(record for record in ledger.read if record.kind == "BJ")
    stored = next(row for row in rows(engine, "BJ") if row[0] == end.content["YWLSH"])
    delete(engine, "BJ", **key_of(end))
    drain(source(site), ledger)
    names = [column.key for column in cgs.tables(engine.dialect.name)["BJ"].columns]
    insert(engine, "BJ", **dict(zip(names, stored, strict=True)))
    drain(source(site), ledger)
    assert ledger.vanished == [end.row_key]
    assert [record.key for record in ledger.read[300:]] == [end.key]


def test_a_sweep_that_misses_too_much_stops_and_reports_nothing(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    site_of(engine, records=600)
    ledger = MemoryKeys()
    drain(source(site), ledger)
    steps = [record for record in ledger.read if record.kind == "SPCL"]
    for step in steps[:12]:
        delete(engine, "SPCL", **key_of(step))
    with pytest.raises(FatalError, match=r"SPCL: 12 of \d+ rows are no longer in the source.*purges_after_days"):
        drain(source(site), ledger)
    assert not ledger.vanished
    drain(source(site, vanished_max=12), ledger)
    assert len(ledger.vanished) == 12


def test_purged_old_cases_are_no_finding(sqlite: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(sqlite)
    site_of(engine, records=600)
    ledger = MemoryKeys()
    drain(source(sqlite), ledger)
    for step in [record for record in ledger.read if record.kind == "SPCL"][:50]:
        delete(engine, "SPCL", **key_of(step))
    drain(source(sqlite, purges_after_days=365), ledger)
    assert not ledger.vanished


def test_every_missing_table_and_column_is_listed(site: str, engines: Callable[[str], sa.Engine]) -> None:
    engine = engines(site)
    cgs.create(engine)
    made = cgs.tables(engine.dialect.name)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropTable(made["BJ"]))
        for column in ("SPYJ", "SPSJ"):
            name = made["SPCL"].c[column].name
            connection.exec_driver_sql(f"ALTER TABLE {made['SPCL'].name} DROP COLUMN {name}")
    with pytest.raises(ConfigurationError) as caught:
        source(site).open(MemoryKeys(), position=None, drain=True)
    assert caught.value.problems == (
        "table T_SHENPIGUOCHENG: column SPYJ is missing",
        "table T_SHENPIGUOCHENG: column SPSJ is missing",
        "table T_BANJIE is missing",
    )


def test_a_source_that_is_not_there_is_transient(tmp_path: Any) -> None:
    for url in ("postgresql+psycopg://nobody@127.0.0.1:1/none", "mysql+pymysql://nobody@127.0.0.1:1/none"):
        with pytest.raises(TransientError, match="connecting: OperationalError"):
            source(url).open(MemoryKeys(), position=None, drain=False)
    with pytest.raises(TransientError, match="unable to open database file"):
        source(f"sqlite:///{tmp_path}/no/such.db").open(MemoryKeys(), position=None, drain=False)
