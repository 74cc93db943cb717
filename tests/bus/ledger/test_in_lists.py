"""IN lists have few lengths, so that few statements are prepared, and lose nothing."""

from __future__ import annotations

import pytest

from bus.ledger.store import in_lists


@pytest.mark.parametrize(
    ("count", "lengths"),
    [(0, []), (1, [1]), (2, [10]), (10, [10]), (11, [100]), (1000, [1000]), (1001, [1000, 1]), (2345, [1000] * 3)],
)
def test_lists_have_one_of_few_lengths_and_lose_nothing(count: int, lengths: list[int]) -> None:
    values = [str(n) for n in range(count)]
    lists = list(in_lists(values))
    assert [len(each) for each in lists] == lengths
    assert list(dict.fromkeys(value for each in lists for value in each)) == values
