"""Which entries travel together."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bus.grouping import pack, portions, regroup
from bus.message import Entry, EntryType


def entry(seq: int, type_: EntryType = "record", mapping: str = "m") -> Entry:
    return Entry(seq, type_, "SL", "SL", "k", "a", b"", b"", b"", "t", "s", mapping, b"")


def sizes(groups: object) -> list[int]:
    assert isinstance(groups, list)
    return [len(group) for group in groups]


def test_records_are_cut_to_size() -> None:
    assert sizes(pack([entry(n) for n in range(1, 8)], 3)) == [3, 3, 1]


def test_a_notice_travels_alone_and_keeps_its_place() -> None:
    groups = pack([entry(1), entry(2), entry(3, "notice"), entry(4)], 50)
    assert [[e.seq for e in group] for group in groups] == [[1, 2], [3], [4]]


def test_members_share_one_mapping() -> None:
    assert sizes(pack([entry(1), entry(2, mapping="n"), entry(3, mapping="n")], 50)) == [1, 2]


@given(st.lists(st.sampled_from(["record", "notice"]), max_size=30), st.integers(1, 7))
def test_what_was_packed_is_regrouped_alike(types: list[EntryType], size: int) -> None:
    entries = [entry(n, type_) for n, type_ in enumerate(types, 1)]
    groups = pack(entries, size)
    assert [e for group in groups for e in group] == entries
    tried = {group[0].seq: len(group) for group in groups if len(group) > 1}
    assert regroup(entries, tried) == groups


def test_a_package_that_is_not_whole_waits_for_the_next_read() -> None:
    assert regroup([entry(1), entry(2), entry(3)], {2: 3}) == [(entry(1),)]


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 20))
def test_a_checkpoint_covers_as_many_whole_groups_as_fit(lengths: list[int], size: int) -> None:
    groups = [tuple(entry(n) for n in range(length)) for length in lengths]
    runs = portions(groups, size)
    assert [group for run in runs for group in run] == groups
    assert all(len(run) == 1 or sum(map(len, run)) <= size for run in runs)
    assert all(sum(map(len, run)) + len(following[0]) > size for run, following in pairwise(runs))
