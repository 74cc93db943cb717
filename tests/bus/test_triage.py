"""What becomes of a candidate, for every state the ledger can know it in."""

from __future__ import annotations

import pytest

from bus.ledger.values import KeyState, Known
from bus.message import Record
from bus.triage import Verb, decide_explicit, decide_observed, segments

A, B = b"A" * 32, b"B" * 32


def record(version: int | None = 1, digest: bytes = A, changed_at: str = "t1", park: str = "") -> Record:
    return Record("440604:SL:1", "440604", "SL", "1", version, digest, changed_at, {}, (), park)


def known(
    version: int = 1,
    row: bytes = A,
    seen: bytes | None = None,
    changed_at: str = "t1",
    state: KeyState = "out",
    *,
    vanished: bool = False,
) -> dict[int, Known]:
    return {version: Known(7, version, row, seen or row, changed_at, state, 5, vanished)}


@pytest.mark.parametrize(
    ("candidate", "versions", "verb"),
    [
        pytest.param(record(), None, "fresh", id="never seen"),
        pytest.param(record(), known(), "nothing", id="read again unchanged"),
        pytest.param(record(changed_at="t2"), known(), "duplicate", id="touched without a change"),
        pytest.param(record(changed_at="t2"), known(changed_at=""), "settle", id="its second is over"),
        pytest.param(record(2), known(), "fresh", id="higher version"),
        pytest.param(record(1), known(2), "stale", id="lower version never seen"),
        pytest.param(record(1, A), known(1, A) | known(2), "nothing", id="lower version seen before"),
        pytest.param(record(digest=B), known(), "conflict", id="same version, other content"),
        pytest.param(record(digest=B), known(seen=B), "nothing", id="conflict read again"),
        pytest.param(record(), known(seen=B), "returned", id="the sent content is back"),
        pytest.param(record(digest=B), known(state="stale"), "stale", id="a stale row changes"),
        pytest.param(record(digest=B), known(state="quarantined"), "fresh", id="never went out, mended at the source"),
        pytest.param(record(park="no-parent"), known(state="waiting"), "nothing", id="still without a parent"),
        pytest.param(record(), known(state="waiting"), "fresh", id="the parent has come"),
        pytest.param(record(), known(vanished=True), "reappeared", id="a deleted row is back"),
    ],
)
def test_a_source_with_versions(candidate: Record, versions: dict[int, Known] | None, verb: Verb) -> None:
    assert decide_explicit(candidate, versions).verb == verb


@pytest.mark.parametrize(
    ("candidate", "versions", "verb", "version"),
    [
        pytest.param(record(None), None, "fresh", 1, id="never seen"),
        pytest.param(record(None, B), known(), "fresh", 2, id="changed"),
        pytest.param(record(None, A), known(1, A) | known(2, B), "fresh", 3, id="changed back"),
        pytest.param(record(None), known(), "nothing", 1, id="unchanged"),
        pytest.param(record(None, changed_at="t2"), known(), "duplicate", 1, id="touched without a change"),
        pytest.param(record(None, park="no-parent"), known(state="waiting"), "nothing", 1, id="still without a parent"),
        pytest.param(record(None, B), known(state="waiting"), "fresh", 1, id="the parent has come"),
    ],
)
def test_a_source_without_versions(
    candidate: Record, versions: dict[int, Known] | None, verb: Verb, version: int
) -> None:
    decision = decide_observed(candidate, versions)
    assert (decision.verb, decision.record.version) == (verb, version)


def test_a_changed_content_names_the_one_before() -> None:
    assert decide_observed(record(None, B), known()).former == known()[1]


def test_a_batch_is_cut_where_a_row_comes_twice() -> None:
    one, two = record(1), record(2)
    assert [s.records for s in segments([one, two, one])] == [(one, two), (one,)]
    assert [s.is_last for s in segments([one, two, one])] == [False, True]


def test_an_empty_batch_is_one_empty_segment() -> None:
    assert [(s.records, s.is_last) for s in segments([])] == [((), True)]
