"""Batches into the ledger: what goes out, what is held, what is counted, and that the equation always balances."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from bus import clock
from bus.assembly import Assembly, Moment, Parts
from bus.errors import FatalError, RejectedError
from bus.ledger.ledger import Ledger
from bus.ledger.schema import entries
from bus.message import Fault
from bus.seal import Leaf, Sealer, genesis
from bus.triage import segments
from tests.bus.parts import KEY_HASH, FakeNotices, FakeTranslator, FakeValidator, row, sha

if TYPE_CHECKING:
    from bus.ledger.ledger import SourceLedger
    from bus.ledger.values import Equation
    from bus.message import Entry, Record

AT = clock.from_text("2010-03-01T02:03:04.567+00:00")


class Source:
    """One source of a ledger, fed by hand."""

    def __init__(self, ledger: Ledger, *, is_explicit: bool = True, passes_gaps: bool = False) -> None:
        self.ledger = ledger
        self.is_explicit = is_explicit
        self.passes_gaps = passes_gaps
        self.parts = self.open()

    def open(self) -> SourceLedger:
        return self.ledger.source("chancheng", group="foshan", division="440604", is_explicit=self.is_explicit)

    def take(self, *records: Record, vanished: tuple[str, ...] = ()) -> list[Entry]:
        """One batch; returns the entries it made and checks the equation."""
        parts = Parts(
            self.parts.intake, FakeTranslator(), FakeValidator(), FakeNotices(), self.is_explicit, self.passes_gaps
        )
        made: list[Entry] = []
        for segment in segments(records):
            assembly = Assembly(parts, Moment(clock.to_text(AT), AT))
            gone = vanished if segment.is_last else ()
            made += self.parts.intake.append(assembly.page(segment.records, gone, position="p", unassigned=0))
        assert self.equation.is_balanced, self.equation
        return made

    @property
    def equation(self) -> Equation:
        return self.ledger.progress()[0].equation


@pytest.fixture
def source(ledger: Ledger) -> Source:
    return Source(ledger)


def keys(made: list[Entry]) -> list[str]:
    return [f"{entry.type[0]}{entry.seq} {entry.topic} {entry.key.partition(':')[2]}" for entry in made]


def test_entries_are_numbered_from_one_and_chained(source: Source) -> None:
    made = source.take(row("1"), row("2"))
    assert [entry.seq for entry in made] == [1, 2]
    items = [
        Leaf("record", e.key, e.row_digest, sha(e.payload), "urn:fake", "fake/0", "2010-03-01T02:03:04.567Z")
        for e in made
    ]
    heads = Sealer("foshan/chancheng", 1, KEY_HASH).seal(genesis("foshan/chancheng", 1), 1, items)
    assert [entry.head for entry in made] == heads
    assert source.parts.outbox.entries(after=0, limit=10) == made


def test_a_reopened_ledger_goes_on_where_it_was(source: Source) -> None:
    source.take(row("1"))
    source.parts = source.open()
    assert source.parts.intake.position == "p"
    assert [entry.seq for entry in source.take(row("2"))] == [2]


def test_a_row_read_again_is_no_read(source: Source) -> None:
    source.take(row("1"))
    assert source.take(row("1")) == []
    assert source.equation.read == 1


def test_a_touched_row_is_a_duplicate_once(source: Source) -> None:
    source.take(row("1"))
    source.take(row("1", changed_at="t2"))
    source.take(row("1", changed_at="t2"))
    assert (source.equation.read, source.equation.duplicate) == (2, 1)


def test_a_row_of_an_unfinished_second_is_settled_without_a_count(source: Source) -> None:
    source.take(row("1", changed_at=""))
    assert source.parts.index.seen(["440604:SL:1:1"])["440604:SL:1:1"].changed_at == ""
    source.take(row("1", changed_at="t1"))
    assert source.parts.index.seen(["440604:SL:1:1"])["440604:SL:1:1"].changed_at == "t1"
    assert (source.equation.read, source.equation.duplicate) == (1, 0)


def test_a_higher_version_goes_out_and_a_lower_one_is_stale(source: Source) -> None:
    source.take(row("1", version=2))
    assert keys(source.take(row("1", version=3, text="b"), row("1", version=1))) == ["r2 SL SL:1:3"]
    assert source.equation.stale == 1
    source.take(row("1", version=1))
    assert source.equation.stale == 1
    source.take(row("1", version=1, text="changed"))
    assert source.equation.stale == 2


def test_another_content_of_a_sent_version_is_a_conflict_with_one_notice(source: Source) -> None:
    source.take(row("1"))
    made = source.take(row("1", text="b", changed_at="t2"), row("1", kind="BJ"))
    assert keys(made) == ["r2 BJ BJ:1:1", "n3 conflict SL:1:1"]
    assert b"<r v='1'>a</r>" in made[1].payload
    assert source.take(row("1", text="b", changed_at="t2")) == []
    assert source.equation.conflict == 1
    held = source.ledger.held(["conflict"], limit=5)
    assert [(h.key, h.reason) for h in held] == [("440604:SL:1", "conflict")]


def test_each_change_of_the_content_is_told_and_each_content_is_kept_once(source: Source) -> None:
    source.take(row("1"))
    source.take(row("1", text="b", changed_at="t2"))
    assert keys(source.take(row("1", changed_at="t3"))) == ["n3 conflict SL:1:1"]
    assert source.take(row("1", changed_at="t3")) == []
    made = source.take(row("1", text="b", changed_at="t4"))
    assert keys(made) == ["n4 conflict SL:1:1"]  # else the core would believe that what it was sent stands
    equation = source.equation
    assert (equation.read, equation.duplicate, equation.conflict) == (4, 2, 1)


def test_a_quarantined_record_parks_its_case_and_no_other(source: Source) -> None:
    made = source.take(row("1", text="bad"), row("1", kind="SPCL", part="1"), row("2"))
    assert keys(made) == ["r1 SL SL:2:1"]
    assert keys(source.take(row("1", kind="BJ"), row("3"))) == ["r2 SL SL:3:1"]
    assert (source.equation.quarantined, source.equation.parked) == (1, 2)
    held = {h.key: (h.state, h.reason) for h in source.ledger.held(["quarantined", "parked"], limit=9)}
    assert held == {
        "440604:SL:1": ("quarantined", "XSD_LENGTH"),
        "440604:SPCL:1:1": ("parked", "behind"),
        "440604:BJ:1": ("parked", "behind"),
    }


def test_held_records_read_again_are_no_read(source: Source) -> None:
    source.take(row("1", text="bad"), row("1", kind="BJ"))
    source.take(row("1", text="bad"), row("1", kind="BJ"))
    assert source.equation.read == 2


def test_a_row_mended_in_place_waits_behind_the_quarantined_one(source: Source) -> None:
    source.take(row("1", text="bad"))
    assert source.take(row("1", text="good", changed_at="t2")) == []
    assert (source.equation.quarantined, source.equation.parked) == (1, 1)


def test_with_the_policy_pass_later_records_go_out_and_say_so(ledger: Ledger) -> None:
    source = Source(ledger, passes_gaps=True)
    made = source.take(row("1", text="bad"), row("1", kind="BJ"))
    assert [entry.payload for entry in made] == [b"<r v='1'>a</r><!--gap-->"]


def test_what_the_adapter_rejects_is_quarantined_untranslated(source: Source) -> None:
    fault = Fault("DECODE", "BZ", "reject", "无法解码", "does not decode")
    source.take(row("1", text="boom", faults=(fault,))._replace(raw=b"\xff"))
    assert [(h.reason, h.key) for h in source.ledger.held(["quarantined"], limit=5)] == [("DECODE", "440604:SL:1")]


def test_a_bug_of_our_own_holds_back_one_record_and_not_the_page(source: Source) -> None:
    assert keys(source.take(row("1"), row("2", text="boom"), row("3"))) == ["r1 SL SL:1:1", "r2 SL SL:3:1"]
    assert [h.reason for h in source.ledger.held(["quarantined"], limit=5)] == ["UNEXPECTED"]


def test_a_child_waits_for_its_parent_and_does_not_park_its_case(source: Source) -> None:
    child = row("1", kind="BJ", text="bad without its parent", park="no-parent")
    assert source.take(child) == []
    assert source.take(child) == []
    assert [r.key for r in source.parts.index.parked("no-parent")] == ["440604:BJ:1"]
    assert source.parts.index.parked("no-parent")[0].content == {"TEXT": "bad without its parent"}
    assert keys(source.take(row("1"), row("1", kind="BJ"))) == ["r1 SL SL:1:1", "r2 BJ BJ:1:1"]
    assert (source.equation.read, source.equation.parked, source.equation.pending) == (2, 0, 2)
    assert source.parts.index.parked("no-parent") == []
    assert source.take(row("1", kind="BJ")) == []


def test_a_child_that_waited_too_long_is_quarantined_without_a_second_count(source: Source) -> None:
    source.take(row("1", kind="BJ", park="no-parent"))
    fault = Fault("NO_PARENT", "", "reject", "没有受理记录", "no acceptance")
    source.take(row("1", kind="BJ", text="later", faults=(fault,)))
    assert (source.equation.read, source.equation.parked, source.equation.quarantined) == (1, 0, 1)
    (held,) = source.ledger.held(["quarantined"], limit=5)
    assert (held.reason, json.loads(held.faults)) == ("NO_PARENT", [fault._asdict()])


def test_a_vanished_row_is_told_once_and_so_is_its_return(source: Source) -> None:
    source.take(row("1"))
    assert keys(source.take(vanished=("440604:SL:1:1",))) == ["n2 vanished SL:1:1"]
    assert source.take(vanished=("440604:SL:1:1",)) == []
    assert source.parts.index.seen(["440604:SL:1:1"])["440604:SL:1:1"].is_vanished
    assert source.parts.index.ordinals(after=0, limit=5) == []
    assert keys(source.take(row("1"))) == ["n3 vanished SL:1:1"]
    assert [key for _, key in source.parts.index.ordinals(after=0, limit=5)] == ["440604:SL:1:1"]


def test_a_vanished_row_that_nobody_knows_is_refused(source: Source) -> None:
    with pytest.raises(RejectedError, match="the ledger never had it"):
        source.take(vanished=("440604:SL:9:1",))


def test_a_source_without_versions_counts_contents(ledger: Ledger) -> None:
    source = Source(ledger, is_explicit=False)
    made = source.take(row("1", version=None), row("1", version=None, text="b", changed_at="t2"))
    assert keys(made) == ["r1 SL SL:1:1", "r2 SL SL:1:2", "n3 changed SL:1:2"]
    assert source.take(row("1", version=None, text="b", changed_at="t2")) == []
    seen = source.parts.index.seen(["440604:SL:1"])
    assert seen["440604:SL:1"].version == 2


def test_two_writers_of_one_stream_are_noticed(source: Source) -> None:
    other = Source(source.ledger)
    source.take(row("1"))
    with pytest.raises(FatalError, match="moved by another writer"):
        other.take(row("2"))


def test_an_entry_that_is_not_there_is_said(source: Source) -> None:
    with pytest.raises(FatalError, match="gateway ledger check"):
        source.parts.intake.payload(5)


def test_a_number_with_a_colon_keeps_its_case_in_a_notice(source: Source) -> None:
    source.take(row("1:2"))
    made = source.take(vanished=("440604:SL:1%3A2:1",))
    assert made[0].application_no == "1:2"


def test_a_conflict_that_cannot_be_translated_tells_its_faults_and_erases_nothing(source: Source) -> None:
    source.take(row("1"))
    fault = Fault("FOREIGN_DIVISION", "XZQHDM", "reject", "不属于本数据源", "is not this source's")
    (notice,) = source.take(row("1", text="b", changed_at="t2", faults=(fault,)))
    assert notice.payload == b"conflict 440604:SL:1 1 1 [('XZQHDM', '', '(FOREIGN_DIVISION)')]"


def test_no_notice_is_made_of_a_number_that_no_message_can_carry(source: Source) -> None:
    number = "号" * 86
    source.take(row(number, text="bad"))
    assert source.take(vanished=(f"440604:SL:{number}:1",)) == []
    assert source.parts.index.seen([f"440604:SL:{number}:1"])[f"440604:SL:{number}:1"].is_vanished


def test_a_ledger_opened_with_another_key_of_the_hash_stops(ledger: Ledger, store_url: str) -> None:
    source = Source(ledger)
    for number in ("1", "2"):
        source.take(row(number))
        source.open()
    other = Ledger(store_url, key_hash=b"other" * 8)
    with pytest.raises(FatalError, match=r"entry 2 of foshan/chancheng does not lead to the head.*`key_hash`"):
        Source(other)
    other.close()


def test_a_ledger_whose_last_entry_was_altered_stops(ledger: Ledger) -> None:
    source = Source(ledger)
    source.take(row("1"))
    with ledger.store.write() as connection:
        connection.execute(update(entries).values(payload=b"altered"))
    with pytest.raises(FatalError, match="the store was altered"):
        source.open()
