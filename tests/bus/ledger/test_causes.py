"""Held candidates are counted by cause, all of them, each with its newest example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from bus.errors import ConfigurationError
from bus.ledger.ledger import Ledger
from bus.ledger.schema import held
from bus.ledger.store import check_url

if TYPE_CHECKING:
    from pathlib import Path


def test_candidates_are_counted_by_source_state_and_reason(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/g.db", key_hash=b"k" * 32)
    for name in ("b", "a"):
        ledger.source(name, group="t", division="440604", is_explicit=True)
    rows = [
        (1, "quarantined", "DECODE", "old", "2010-03-02T00:00:00.000Z"),
        (1, "quarantined", "DECODE", "new", "2010-03-01T00:00:00.000Z"),
        (1, "parked", "behind", "x", "2010-03-03T00:00:00.000Z"),
        (2, "quarantined", "DECODE", "y", "2010-03-04T00:00:00.000Z"),
        (2, "discarded", "operator", "z", "2010-03-05T00:00:00.000Z"),
    ]
    with ledger.store.write() as connection:
        for source_id, state, reason, key, at in rows:
            row = {"source_id": source_id, "state": state, "reason": reason, "key": key, "held_at": at}
            rest = {"kind": "SL", "division": "440604", "application_no": "1", "row_digest": b"", "changed_at": ""}
            more = {"content": "{}", "faults": "[]", "collected_at": at}
            connection.execute(insert(held).values(row | rest | more))
    found = ledger.causes(("quarantined", "parked"))
    assert [(c.source, c.state, c.reason, c.records, c.oldest_at[:10], c.example.key) for c in found] == [
        ("a", "quarantined", "DECODE", 1, "2010-03-04", "y"),
        ("b", "parked", "behind", 1, "2010-03-03", "x"),
        ("b", "quarantined", "DECODE", 2, "2010-03-01", "new"),
    ]
    ledger.close()


def test_a_url_is_checked_without_opening_anything(tmp_path: Path) -> None:
    check_url(f"sqlite:///{tmp_path}/none/g.db")
    check_url("postgresql+psycopg://u:p@127.0.0.1:1/x")
    assert list(tmp_path.iterdir()) == []
    for url in ("mysql://h/x", "nonsense", "postgresql+nodriver://h/x"):
        with pytest.raises(ConfigurationError):
            check_url(url)
