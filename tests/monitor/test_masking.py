"""No text that leaves the program holds a password."""

from __future__ import annotations

import pytest

from monitor.masking import mask, mask_event


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("amqp://gateway:s3cret@127.0.0.1:5672/x", "amqp://gateway:***@127.0.0.1:5672/x"),
        ("the store postgresql+psycopg://g:p@ss/w:rd@h/x is away", "the store postgresql+psycopg://g:***@h/x is away"),
        ("'postgresql//g:secret@h' is no URL", "'postgresql//g:***@h' is no URL"),
        ("a amqp://u:p@h and b amqps://v:q@i", "a amqp://u:***@h and b amqps://v:***@i"),
        ("http://h/?token=abc&x=1 password=xyz;", "http://h/?token=***&x=1 password=***;"),
        ("amqp://gateway@host/x", "amqp://gateway@host/x"),
        ("gateway.yaml:3:5: bus: mail a@b", "gateway.yaml:3:5: bus: mail a@b"),
        ("440604:SL:1:1 at 10:30:00", "440604:SL:1:1 at 10:30:00"),
    ],
)
def test_passwords_and_tokens_become_stars_and_nothing_else_changes(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_every_text_of_a_log_line_is_masked() -> None:
    assert mask_event(None, "info", {"error": "amqp://u:p@h", "failures": 2}) == {
        "error": "amqp://u:***@h",
        "failures": 2,
    }
