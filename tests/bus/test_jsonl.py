"""Files of messages lose nothing, and say where they are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bus.jsonl import Unreadable, read_jsonl, to_line, write_jsonl
from tests.bus.journals import plain

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    messages, path = plain(3), tmp_path / "journal.jsonl"
    with path.open("wb") as file:
        assert write_jsonl(file, messages) == 4
    assert list(read_jsonl(path)) == messages


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "Expecting value"),
        (b"[]", "not an object"),
        (b"{}", "missing or not of the right type: exchange, routing_key, properties, headers, body"),
        (to_line(plain(1)[0]).replace(b'"headers": {', b'"headers": 3, "x": {').strip(), "right type: headers"),
        (to_line(plain(1)[0]).replace(b'"body": "', b'"body": "*').strip(), "base64"),
        (b"\xff", "utf-8"),
    ],
)
def test_a_line_that_is_no_message_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    good, path = plain(1), tmp_path / "journal.jsonl"
    path.write_bytes(to_line(good[0]) + line + b"\n" + to_line(good[1]))
    first, second, third = read_jsonl(path)
    assert (first, third) == tuple(good)
    assert isinstance(second, Unreadable)
    assert second[:2] == (2, False)
    assert reason in second.reason


def test_a_last_line_without_its_end_is_cut(tmp_path: Path) -> None:
    good, path = plain(1), tmp_path / "journal.jsonl"
    path.write_bytes(to_line(good[0]) + to_line(good[1])[:-5])
    _, cut = read_jsonl(path)
    assert isinstance(cut, Unreadable)
    assert cut[:2] == (2, True)
    path.write_bytes(to_line(good[0]) + to_line(good[1])[:-1])
    assert list(read_jsonl(path)) == good


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[" * 100_000 + b"\n", "nested too deeply"),
        (to_line(plain(1)[0]).replace(b'"routing_key": "', b'"routing_key": "\\ud800'), "surrogates not allowed"),
    ],
)
def test_a_line_made_to_break_its_reader_is_unreadable(tmp_path: Path, line: bytes, reason: str) -> None:
    file = tmp_path / "messages.jsonl"
    file.write_bytes(line)
    (found,) = read_jsonl(file)
    assert isinstance(found, Unreadable)
    assert reason in found.reason
