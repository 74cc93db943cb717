"""Files of messages: JSON Lines, one object a message (docs/reference/stream.md §10)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final, NamedTuple

from bus.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_WORDS: Final = {"exchange": str, "routing_key": str, "properties": dict, "headers": dict, "body": str}


class Unreadable(NamedTuple):
    """A line that is not a message.

    Attributes:
        line: from 1.
        is_cut: it is the last line and has no line end: the file was cut.
        reason: what is wrong, for people.
    """

    line: int
    is_cut: bool
    reason: str


def to_line(message: Message) -> bytes:
    """One line with its line end."""
    fields = {
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "properties": dict(message.properties),
        "headers": dict(message.headers),
        "body": base64.b64encode(message.body).decode(),
    }
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def from_line(line: bytes) -> Message:
    """The message of one line. Raises ValueError when there is none."""
    try:
        fields = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("not an object")  # noqa: TRY004 - it is the line's content that is wrong
    wrong = [word for word, type_ in _WORDS.items() if not isinstance(fields.get(word), type_)]
    if wrong:
        raise ValueError(f"missing or not of the right type: {', '.join(wrong)}")
    if b"\\u" in line:
        json.dumps(fields, ensure_ascii=False).encode()  # half a surrogate pair is no text: UnicodeEncodeError
    body = base64.b64decode(fields["body"], validate=True)
    return Message(fields["routing_key"], fields["properties"], fields["headers"], body, fields["exchange"])


def write_jsonl(file: BinaryIO, messages: Iterable[Message]) -> int:
    """Append messages to an open file and return how many."""
    count = 0
    for message in messages:
        file.write(to_line(message))
        count += 1
    return count


def read_jsonl(path: Path) -> Iterator[Message | Unreadable]:
    """Messages of a file in order; a line that is none is handed on as `Unreadable` and never skipped.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield from_line(line)
            except ValueError as error:
                yield Unreadable(number, not line.endswith(b"\n"), str(error))
