"""The store: which URLs are of use, what is said when a database is away or not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from bus.errors import ConfigurationError, FatalError, TransientError
from bus.ledger import schema
from bus.ledger.content import dump_content, dump_faults, load_content, load_faults
from bus.ledger.ledger import Ledger
from bus.ledger.store import Store, probe
from bus.message import Fault
from tests.bus.parts import KEY_HASH

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("url", ["mysql+pymysql://h/db", "oracle://h", "sqlite", "nonsense://x"])
@pytest.mark.parametrize("use", [Store, probe])
def test_only_sqlite_and_postgresql_hold_a_ledger(url: str, use: type[Store]) -> None:
    with pytest.raises(ConfigurationError, match="store: "):
        use(url)


@pytest.mark.parametrize("use", [Store, probe])
def test_a_server_that_is_away_is_a_passing_fault_and_its_password_is_not_said(use: type[Store]) -> None:
    with pytest.raises(TransientError, match="did not answer") as caught:
        use("postgresql+psycopg://gateway:s3cret@127.0.0.1:1/gateway")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("use", [Store, probe])
def test_tables_of_another_version_are_left_alone(store_url: str, use: type[Store]) -> None:
    store = Store(store_url)
    with store.write() as connection:
        connection.execute(update(schema.meta).values(value="99"))
    store.close()
    with pytest.raises(FatalError, match="version 99"):
        use(store_url)


def test_a_probe_makes_nothing(tmp_path: Path) -> None:
    probe(f"sqlite:///{tmp_path}/gateway.db")
    assert list(tmp_path.iterdir()) == []
    probe("sqlite://")


def test_a_probe_of_a_good_store_is_silent(store_url: str) -> None:
    Store(store_url).close()
    probe(store_url)


def test_a_probe_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist; make it first"):
        probe(f"sqlite:///{tmp_path}/none/gateway.db")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(TransientError, match="not a database"):
        probe(f"sqlite:///{tmp_path}/gateway.db")


def test_a_failed_transaction_leaves_nothing(store_url: str) -> None:
    store = Store(store_url)

    def work() -> None:
        with store.write() as connection:
            connection.execute(update(schema.meta).values(value="2"))
            connection.exec_driver_sql("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(TransientError):
        work()
    with store.read() as connection:
        assert connection.scalar(select(schema.meta.c.value)) == str(schema.VERSION)
    store.close()


def test_a_sqlite_store_is_durable(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/gateway.db")
    with store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


def test_a_source_keeps_its_identity(ledger: Ledger) -> None:
    ledger.source("chancheng", group="foshan", division="440604", is_explicit=True)
    for change in ({"division": "440605"}, {"group": "other"}, {"is_explicit": False}):
        with pytest.raises(ConfigurationError, match=r"sources.chancheng: .* needs another name"):
            ledger.source("chancheng", **({"group": "foshan", "division": "440604", "is_explicit": True} | change))  # type: ignore[arg-type]


def test_a_source_is_entered_once_also_by_two_threads_at_once(store_url: str) -> None:
    one, two = Ledger(store_url, key_hash=KEY_HASH), Ledger(store_url, key_hash=KEY_HASH)
    one._enter("a", "foshan/a", "440604", "explicit")
    two._enter("a", "foshan/a", "440604", "explicit")
    assert [progress.name for progress in one.progress()] == ["a"]
    one.close()
    two.close()


def test_content_keeps_its_types() -> None:
    from datetime import date, datetime
    from decimal import Decimal

    content = {
        "A": datetime(2010, 3, 1, 8, 0, 1),  # noqa: DTZ001 - a platform's column has no zone
        "B": date(2010, 3, 1),
        "C": Decimal("12.30"),
        "D": b"\xff\x00",
        "E": None,
        "F": "镕\udc80",
        "G": 7,
        "H": {"$date": 1, "other": 2},
    }
    assert load_content(dump_content(content)) == content


def test_a_cell_that_cannot_be_kept_is_said() -> None:
    with pytest.raises(TypeError, match="type set cannot be kept"):
        dump_content({"A": {1}})


def test_faults_are_kept_whole() -> None:
    faults = (Fault("XSD_LENGTH", "remark", "reject", "太长", "too long", "/acceptance/remark", 3, "maxLength"),)
    assert load_faults(dump_faults(faults)) == faults
