"""The verifier: what it calls each message, what it finds, and how it goes on."""

from __future__ import annotations

import random

import pytest

from bus.envelope import Wrapper, mark_resent
from bus.errors import FatalError
from bus.findings import State, finding, joined, without
from bus.jsonl import Unreadable
from bus.message import Message, Stream
from bus.verify import Finding, Totals, Verified, Verifier, audit
from tests.bus.journals import (
    STREAM,
    TRUST,
    Written,
    new_entry,
    random_journal,
    signed,
    write,
)

YARDSTICK_US = 1.15
PLACE = ("foshan/chancheng", 1)
WRITTEN = write([new_entry(seq) for seq in range(1, 13)])
WRAPPER = Wrapper(STREAM)
ALONE = [WRAPPER.wrap(entry) for entry in WRITTEN.entries]
RECEIPT = Message("receipt.440604.core", {"type": "RECEIPT"}, {}, b"")


def records(*seqs: int) -> list[Message]:
    return [ALONE[seq - 1] for seq in seqs]


def package(first: int, last: int) -> Message:
    return WRAPPER.wrap_package(WRITTEN.entries[first - 1 : last])


def kinds(verified: Verified) -> list[tuple[str, int, int]]:
    return [(f.kind, f.first_seq, f.last_seq) for f in verified.findings]


def fed(verifier: Verifier, *messages: Message) -> Verified:
    """All messages fed; what the last one was found to be."""
    verified = Verified()
    for message in messages:
        verified = verifier.feed(message)
    return verified


def test_from_the_beginning_entries_are_chained_until_a_checkpoint_and_verified_after() -> None:
    verifier = Verifier(TRUST)
    assert [verifier.feed(m).states for m in records(1, 2)] == [("chained",), ("chained",)]
    found = verifier.feed(signed(WRITTEN, 2))
    assert found.checkpoint is not None
    assert found.checkpoint.size == 2
    assert verifier.feed(ALONE[2]).states == ("verified",)
    assert verifier.feed(package(4, 6)).states == ("verified",) * 3
    assert [f.kind for f in verifier.finish()] == ["tail"]
    assert verifier.feed(signed(WRITTEN, 6)).findings == ()
    assert verifier.finish() == verifier.gaps() == ()


def test_from_the_middle_the_first_is_anchored() -> None:
    verifier = Verifier(TRUST)
    assert verifier.feed(ALONE[4]) == Verified(verifier.feed(mark_resent(ALONE[4])).members, ("anchored",))
    assert verifier.feed(ALONE[5]).states == ("chained",)
    assert fed(verifier, signed(WRITTEN, 6), ALONE[6]).states == ("verified",)
    assert verifier.gaps() == ()


def test_a_whole_stream_must_begin_at_one() -> None:
    verifier = Verifier(TRUST, is_whole=True)
    assert kinds(verifier.feed(ALONE[4])) == [("gap", 1, 4)]
    assert [(f.first_seq, f.last_seq) for f in verifier.gaps()] == [(1, 4)]


def test_a_checkpoint_may_be_the_first_and_anchors_what_follows() -> None:
    verifier = Verifier(TRUST)
    assert verifier.feed(signed(WRITTEN, 4)).findings == ()
    assert verifier.feed(ALONE[4]).states == ("verified",)
    wrong = Verifier(TRUST)
    wrong.feed(signed(WRITTEN, 4, head=bytes(32)))
    assert kinds(wrong.feed(ALONE[4])) == [("head", 5, 5)]


def test_an_empty_stream_has_a_checkpoint_of_the_genesis_head() -> None:
    verifier = Verifier(TRUST)
    assert verifier.feed(signed(WRITTEN, 0)).checkpoint is not None
    assert verifier.feed(ALONE[0]).states == ("chained",)
    assert kinds(Verifier(TRUST).feed(signed(WRITTEN, 0, head=bytes(32)))) == [("checkpoint", 0, 0)]


def test_a_gap_is_reported_once_and_closed_by_a_re_send() -> None:
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 2))
    found = verifier.feed(ALONE[5])
    assert (found.states, kinds(found)) == (("anchored",), [("gap", 3, 5)])
    assert kinds(verifier.feed(ALONE[6])) == []
    assert kinds(verifier.feed(mark_resent(ALONE[2]))) == []
    assert [(f.first_seq, f.last_seq) for f in verifier.gaps()] == [(4, 5)]
    found = verifier.feed(mark_resent(package(4, 5)))
    assert (found.states, found.closed, found.findings) == (("chained", "chained"), ((4, 5),), ())
    assert verifier.gaps() == ()
    assert verifier.feed(signed(WRITTEN, 7)).findings == ()


def test_a_gap_may_be_filled_from_any_side() -> None:
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 8))
    assert verifier.feed(mark_resent(ALONE[4])).states == ("anchored",)
    assert verifier.feed(mark_resent(ALONE[6])).closed == ()
    assert verifier.feed(mark_resent(ALONE[5])).closed == ((6, 6),)
    assert fed(verifier, *map(mark_resent, records(2, 3, 4))).closed == ((4, 4),)
    assert verifier.gaps() == ()
    assert verifier.feed(signed(WRITTEN, 8)).findings == ()


def test_a_gap_that_was_divided_is_filled_after_a_restart_too() -> None:
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 8), mark_resent(ALONE[3]))
    restored = Verifier(TRUST, states=verifier.states())
    assert restored.feed(mark_resent(ALONE[4])).states == ("chained",)
    assert restored.feed(mark_resent(package(6, 7))).closed == ((6, 7),)
    assert restored.feed(mark_resent(package(2, 3))).closed == ((2, 3),)


def test_what_fills_a_gap_must_fit_what_stands_behind() -> None:
    other = write([new_entry(seq, text="不同") for seq in range(1, 13)])
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 4))
    found = verifier.feed(mark_resent(Wrapper(STREAM).wrap(other.entries[2])))
    assert (found.states, kinds(found)) == (("refused",), [("head", 3, 3)])
    assert "其后的链头" in found.findings[0].zh
    assert verifier.feed(mark_resent(ALONE[2])).states == ("anchored",)


def test_a_late_entry_is_a_reorder_and_closes_its_gap() -> None:
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 3))
    found = verifier.feed(ALONE[1])
    assert (found.states, kinds(found), found.closed) == (("chained",), [("reorder", 2, 2)], ((2, 2),))
    assert verifier.feed(ALONE[3]).states == ("chained",)


def test_an_entry_behind_its_checkpoint_is_a_reorder_and_must_have_its_head() -> None:
    verifier = Verifier(TRUST)
    assert kinds(fed(verifier, *records(1, 2), signed(WRITTEN, 3))) == [("gap", 3, 3)]
    assert kinds(verifier.feed(ALONE[2])) == [("reorder", 3, 3)]
    verifier = Verifier(TRUST)
    fed(verifier, *records(1), signed(WRITTEN, 3, head=bytes(32)))
    assert kinds(verifier.feed(ALONE[2])) == [("head", 3, 3)]


def test_a_second_copy_is_double_unless_it_is_a_re_send_or_redelivered() -> None:
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 2), package(3, 5))
    for message in (ALONE[0], ALONE[1]):
        assert verifier.feed(mark_resent(message)).findings == ()
        assert verifier.feed(message, is_redelivered=True).states == ("duplicate",)
        assert [kind for kind, _, _ in kinds(verifier.feed(message))] == ["double"]
    assert kinds(verifier.feed(package(3, 5))) == [("double", 3, 3), ("double", 4, 4), ("double", 5, 5)]
    assert verifier.feed(mark_resent(ALONE[3])).states == ("duplicate",)


def test_go_back_n_with_the_same_package_leaves_no_finding() -> None:
    verifier = Verifier(TRUST)
    fed(verifier, *records(1), package(2, 4), *records(6))
    for message in (package(2, 4), ALONE[4], ALONE[5], signed(WRITTEN, 4)):
        assert verifier.feed(mark_resent(message)).findings == ()
    assert verifier.feed(ALONE[6]).states == ("chained",)
    assert verifier.gaps() == ()


def test_other_content_for_a_known_number_is_altered_even_as_a_re_send() -> None:
    other = write([new_entry(seq, text="不同") for seq in range(1, 13)])
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 2, 3))
    found = verifier.feed(mark_resent(WRAPPER.wrap(other.entries[1])))
    assert (found.states, kinds(found)) == (("duplicate",), [("altered", 2, 2)])
    restored = Verifier(TRUST, states=verifier.states())
    assert kinds(restored.feed(mark_resent(WRAPPER.wrap(other.entries[2])))) == [("altered", 3, 3)]
    assert restored.feed(mark_resent(WRAPPER.wrap(other.entries[1]))).findings == ()


def test_what_was_forgotten_is_a_duplicate_that_is_not_compared() -> None:
    other = write([new_entry(seq, text="不同") for seq in range(1, 13)])
    verifier = Verifier(TRUST, memory=2)
    fed(verifier, *records(1, 2, 3, 4))
    assert verifier.feed(mark_resent(WRAPPER.wrap(other.entries[0]))).findings == ()
    assert verifier.feed(signed(WRITTEN, 1)) == Verified()
    assert kinds(verifier.feed(signed(WRITTEN, 3, head=bytes(32)))) == [("checkpoint", 3, 3)]


def test_a_run_that_is_half_known_gives_its_new_half() -> None:
    verifier = Verifier(TRUST)
    fed(verifier, *records(1, 2, 3))
    found = verifier.feed(mark_resent(package(2, 5)))
    assert found.states == ("duplicate", "duplicate", "chained", "chained")
    assert found.findings == ()
    assert verifier.feed(ALONE[5]).states == ("chained",)


def test_refused_is_not_arrived_so_the_right_message_may_still_come() -> None:
    verifier = Verifier(TRUST)
    verifier.feed(ALONE[0])
    broken = ALONE[1]._replace(body=b"x")
    found = verifier.feed(broken)
    assert (found.members, kinds(found)) == ((), [("altered", 2, 2)])
    assert "x-digest" in found.findings[0].en
    assert kinds(verifier.feed(ALONE[2])) == []
    assert verifier.gaps() == ()
    assert verifier.feed(mark_resent(ALONE[1])).closed == ((2, 2),)
    assert verifier.feed(signed(WRITTEN, 3)).findings == ()


def test_an_altered_sealed_header_is_a_head_that_does_not_follow() -> None:
    verifier = Verifier(TRUST)
    verifier.feed(ALONE[0])
    headers = {**ALONE[1].headers, "x-mapping": "cgs/2"}
    found = verifier.feed(ALONE[1]._replace(headers=headers))
    assert (found.states, kinds(found)) == (("refused",), [("head", 2, 2)])
    assert found.findings[0].zh == "foshan/chancheng/e1 第 2 条与链不符：链头不能由前一条推出"
    assert kinds(verifier.feed(ALONE[3])) == [("gap", 3, 3)]


def test_a_message_of_a_stream_without_a_key_is_forged() -> None:
    stream = Stream("other/one", 1, "440604", "one")
    message = Wrapper(stream).wrap(write([new_entry(1)], stream).entries[0])
    verifier = Verifier(TRUST)
    found = verifier.feed(message)
    assert (found.states, [(f.kind, f.stream) for f in found.findings]) == (("refused",), [("forged", "other/one")])
    found = verifier.feed(message._replace(body=b""))
    assert [(f.kind, f.stream, f.first_seq) for f in found.findings] == [("forged", "other/one", 1)]
    found = verifier.feed(Message("approval.440604.SL", {}, {}, b""))
    assert [(f.kind, f.stream, f.epoch, f.first_seq) for f in found.findings] == [("forged", "", 0, 0)]
    assert verifier.states() == ()


def test_forged_checkpoints_change_nothing() -> None:
    verifier = Verifier(TRUST)
    verifier.feed(ALONE[0])
    before = verifier.states()
    good = signed(WRITTEN, 1)
    for message in (
        good._replace(body=good.body.replace(b"\n1\n", b"\n2\n")),
        good._replace(headers={**good.headers, "x-epoch": 2}),
        good._replace(headers={}),
    ):
        assert [kind for kind, _, _ in kinds(verifier.feed(message))] == ["forged"]
    assert kinds(verifier.feed(good._replace(body=b"nonsense"))) == [("forged", 0, 0)]
    assert verifier.states() == before


def test_messages_of_no_stream_are_let_through() -> None:
    assert Verifier(TRUST).feed(RECEIPT) == Verified()


def epoch(number: int, first_type: str = "epoch") -> Written:
    stream = STREAM._replace(epoch=number)
    entries = [new_entry(1, type_="epoch" if first_type == "epoch" else "record"), new_entry(2)]
    return write(entries, stream)


def test_a_new_epoch_begins_with_an_epoch_entry_at_one() -> None:
    second, wrong, fourth = epoch(2), epoch(2, "record"), epoch(4)
    wrapper = Wrapper(second.stream)
    verifier = Verifier(TRUST)
    verifier.feed(ALONE[0])
    found = verifier.feed(wrapper.wrap(wrong.entries[0]))
    assert (found.states, kinds(found)) == (("refused",), [("head", 1, 1)])
    assert verifier.feed(wrapper.wrap(second.entries[0])).states == ("chained",)
    assert verifier.feed(wrapper.wrap(second.entries[1])).states == ("chained",)
    found = verifier.feed(Wrapper(fourth.stream).wrap(fourth.entries[1]))
    assert kinds(found) == [("gap", 1, 1)]
    assert [(f.epoch, f.first_seq) for f in verifier.gaps()] == [(3, 1), (4, 1)]


def test_a_stopped_verifier_goes_on_where_it_was() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        messages = random_journal(rng, 20)
        for _ in range(2):
            del messages[rng.randrange(len(messages))]
        messages += [mark_resent(m) for m in rng.sample(messages, 3)]
        one, restarted = Verifier(TRUST), Verifier(TRUST)
        for message in messages:
            texts = [state.to_json() for state in restarted.states()]
            restarted = Verifier(TRUST, states=map(State.from_json, texts))
            expected, found = one.feed(message), restarted.feed(message)
            assert found.states == expected.states, seed
        assert restarted.states() == one.states()


def test_a_state_that_is_none_is_refused() -> None:
    for text in ("", "[]", '["a", 1, 1, "zz", 0, 1, []]', "{}"):
        with pytest.raises(ValueError, match=r"."):
            State.from_json(text)


def test_too_many_holes_stop_the_consumer() -> None:
    verifier = Verifier(TRUST, max_holes=2)
    fed(verifier, *records(1, 3, 5))
    with pytest.raises(FatalError, match="more than 2 gaps; ask for a refill"):
        verifier.feed(ALONE[6])
    assert verifier.states()[0].seq == 5
    with pytest.raises(FatalError, match="more than 2 gaps"):
        verifier.feed(signed(WRITTEN, 7))
    assert fed(verifier, *map(mark_resent, records(2)), ALONE[6]).states == ("anchored",)


def test_refused_places_are_remembered_within_bounds() -> None:
    verifier = Verifier(TRUST)
    for number in range(1030):
        headers = {**ALONE[0].headers, "x-epoch": number + 1}
        assert kinds(verifier.feed(ALONE[0]._replace(headers=headers, body=b""))) == [("altered", 1, 1)]
    assert len(verifier._refused) <= 1024


def test_an_audit_counts_and_finds() -> None:
    messages = [*records(1, 2), package(3, 5), signed(WRITTEN, 5), ALONE[6], ALONE[1], RECEIPT]
    messages += [ALONE[7]._replace(headers={**ALONE[7].headers, "x-mapping": "other"})]
    lines: list[Message | Unreadable] = [
        *messages,
        Unreadable(9, is_cut=False, reason="nonsense"),
        Unreadable(10, is_cut=True, reason="half"),
    ]
    report = audit(lines, TRUST)
    assert report.totals == (Totals("foshan/chancheng", 1, 6, 6, 6, 1, 7, 1, 5, 1, 1),)
    assert [(f.kind, f.stream, f.first_seq, f.last_seq) for f in report.findings] == [
        ("altered", "", 0, 0),
        ("tail", "", 0, 0),
        ("double", "foshan/chancheng", 2, 2),
        ("gap", "foshan/chancheng", 6, 6),
        ("tail", "foshan/chancheng", 6, 7),
        ("head", "foshan/chancheng", 8, 8),
    ]
    assert report.findings[0].zh == "第 9 行不是消息：nonsense"
    assert report.findings[1].en == "the file was cut: line 10 is no message: half"
    assert report.others == 1
    assert {f.hop for f in report.findings} == {"unknown"}


def test_a_gap_that_was_refilled_is_no_finding_of_an_audit() -> None:
    messages = [*records(1, 3), mark_resent(ALONE[1]), mark_resent(ALONE[2]), signed(WRITTEN, 3)]
    assert audit(messages, TRUST, is_whole=True).findings == ()


def test_texts_name_stream_epoch_and_entries() -> None:
    texts = {
        kind: finding(kind, PLACE, 3, 4, ("原因", "reason"))
        for kind in ("gap", "double", "reorder", "altered", "forged", "head", "tail")
    }
    for found in texts.values():
        assert found.zh.startswith("foshan/chancheng/e1 第 3–4 条")
        assert found.en.startswith("foshan/chancheng/e1 entry 3–4: ")
    assert texts["forged"].zh.endswith("系伪造：原因")
    assert (
        finding("checkpoint", PLACE, 4, 4).zh == "foshan/chancheng/e1：截至第 4 条的检查点签名有效，但与收到的内容不符"
    )
    assert finding("altered", PLACE, 0, 0, ("a", "b")).en == "foshan/chancheng/e1 a message: altered: b"
    assert isinstance(texts["gap"], Finding)


def test_ranges_are_joined_and_cut() -> None:
    assert joined([(1, 2), (3, 3), (5, 6)]) == [(1, 3), (5, 6)]
    assert without(1, 9, [(3, 4), (9, 12), (0, 1), (20, 30)]) == [(2, 2), (5, 8)]
    assert without(1, 2, [(1, 2)]) == []
    assert without(4, 5, [(1, 2)]) == [(4, 5)]
