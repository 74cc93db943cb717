"""The whole path on one platform's database: what happens to its rows, as the core sees it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from lxml import etree
from sqlalchemy import text

from bus.envelope import unwrap
from bus.topology import JOURNAL
from bus.transport import connect
from bus.trust import load_trust
from bus.verify import audit
from monitor.bootstrap import build
from monitor.settings import load
from tests.faults.deployment import Deployment
from xsd.catalogue import schema_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from bus.envelope import Member
    from bus.ledger.values import Equation
    from bus.message import Message


class Site:
    """A deployment on SQLite and the embedded bus, with its platform's database at hand."""

    def __init__(self, folder: Path) -> None:
        self.deployment = Deployment.make(folder, f"embedded:///{folder}/bus.db")
        self.settings = load(folder / "gateway.yaml")

    def drain(self) -> Equation:
        """`run --drain`, in this process; the equation."""
        gateway = build(self.settings)
        try:
            gateway.run(threading.Event(), drain=True, timeout_s=30)
            (progress,) = gateway.progress()
        finally:
            gateway.close()
        assert progress.equation.is_balanced
        return progress.equation

    def sql(self, statement: str, **values: object) -> int:
        """Run a statement on the platform; rows touched."""
        engine = self.deployment.platform()
        with engine.begin() as connection:
            count = connection.execute(text(statement), values).rowcount
        engine.dispose()
        return count

    def messages(self) -> list[Message]:
        """Everything the journal holds."""
        channel = connect(self.settings.bus).consumer(JOURNAL, prefetch=100_000, start="first")
        got: list[Message] = []
        while deliveries := channel.receive(10_000, timeout_s=0.3):
            got += [delivery.message for delivery in deliveries]
        channel.close()
        report = audit(got, load_trust(self.settings.signing.trust), is_whole=True)
        assert report.findings == ()
        return got

    def members(self) -> list[Member]:
        """Entries in order."""
        return [m for message in self.messages() if "x-seq" in message.headers for m in unwrap(message)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


LATER = "2010-06-01 10:00:00.000000"


def test_every_message_is_valid_against_the_schema(site: Site) -> None:
    site.deployment.feed_past(300)
    site.drain()
    site.sql("UPDATE T_SHOULI SET XMMC = XMMC || '（改）', GXSJ = :at WHERE rowid <= 3", at=LATER)
    site.sql("DELETE FROM T_BANJIE WHERE rowid <= 2")
    site.drain()
    schema = etree.XMLSchema(etree.fromstring(schema_bytes()))
    kinds = set()
    for message in site.messages():
        if message.properties["type"] != "CHECKPOINT":
            schema.assertValid(etree.fromstring(message.body))
            kinds.add(message.properties["type"])
    assert {"PACKAGE", "NOTICE"} <= kinds
    for member in site.members():
        schema.assertValid(etree.fromstring(member.payload))


def test_a_second_run_finds_nothing_new(site: Site) -> None:
    site.deployment.feed_past(100)
    assert site.drain().published == 100
    equation = site.drain()
    assert (equation.read, equation.published, equation.duplicate) == (100, 100, 0)


def test_a_changed_row_is_a_conflict_told_field_by_field(site: Site) -> None:
    site.deployment.feed_past(50)
    site.drain()
    assert site.sql("UPDATE T_SHOULI SET XMMC = '改过的项目', GXSJ = :at WHERE rowid = 1", at=LATER) == 1
    equation = site.drain()
    assert (equation.read, equation.published, equation.conflict) == (51, 50, 1)
    notice = site.members()[-1]
    assert (notice.kind, notice.topic) == ("NOTICE", "conflict")
    root = etree.fromstring(notice.payload)
    space = {"e": root.nsmap[None]}
    fields = root.xpath("//e:field/e:name/text()", namespaces=space)
    assert fields == ["projectName"]
    assert root.xpath("string(//e:after)", namespaces=space) == "改过的项目"
    assert site.drain().conflict == 1


def test_a_row_changed_without_its_change_time_is_found_by_the_sweep_when_its_version_rises(site: Site) -> None:
    site.deployment.feed_past(50)
    site.drain()
    site.sql("UPDATE T_BANJIE SET SJBBH = 2, BLJGMS = '更正' WHERE rowid = 1")
    equation = site.drain()
    assert (equation.read, equation.published) == (51, 51)
    newest = site.members()
    assert [m.version for m in newest if m.kind == "BJ" and m.version == 2] == [2]


def test_a_deleted_row_is_told_once_and_its_return_too(site: Site) -> None:
    site.deployment.feed_past(400)
    site.drain()
    site.sql("CREATE TABLE kept AS SELECT * FROM T_BANJIE WHERE rowid = 1")
    site.sql("DELETE FROM T_BANJIE WHERE rowid = 1")
    site.drain()
    site.drain()
    told = [(m.topic, m.key.split(":")[1]) for m in site.members() if m.type == "notice"]
    assert told == [("vanished", "BJ")]
    site.sql("INSERT INTO T_BANJIE SELECT * FROM kept")
    site.drain()
    assert [m.topic for m in site.members() if m.type == "notice"] == ["vanished", "vanished"]


def test_children_wait_for_their_acceptance(site: Site) -> None:
    site.deployment.feed_past(60)
    number = "(SELECT YWLSH FROM T_SHENPIGUOCHENG ORDER BY YWLSH LIMIT 1)"
    site.sql(f"CREATE TABLE kept AS SELECT * FROM T_SHOULI WHERE YWLSH = {number}")
    site.sql(f"DELETE FROM T_SHOULI WHERE YWLSH = {number}")
    equation = site.drain()
    assert equation.parked > 0
    assert equation.quarantined == 0
    site.sql("INSERT INTO T_SHOULI SELECT * FROM kept")
    site.sql("UPDATE T_SHOULI SET GXSJ = :at WHERE YWLSH IN (SELECT YWLSH FROM kept)", at=LATER)
    equation = site.drain()
    assert (equation.read, equation.published, equation.parked) == (60, 60, 0)
    case = [m.kind for m in site.members()[-equation.published :]]
    assert case[-1] != "SL"


def test_a_bad_row_is_kept_with_every_fault_and_parks_its_case_only(site: Site) -> None:
    site.deployment.feed_past(60)
    site.sql("UPDATE T_SHOULI SET SLJGZZJGDM = 'x', HZBH = ' ' WHERE rowid = 1")
    gateway = build(site.settings)
    gateway.run(threading.Event(), drain=True, timeout_s=30)
    (progress,) = gateway.progress()
    held = gateway.ledger.held(["quarantined"], limit=5)
    gateway.close()
    assert (progress.equation.quarantined, progress.equation.published + progress.equation.parked) == (1, 59)
    assert progress.equation.parked > 0
    assert {'"field": "deptOrgCode"' in held[0].faults, '"field": "receiptNo"' in held[0].faults} == {True}
