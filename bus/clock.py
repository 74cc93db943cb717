"""Time as the ledger and the messages write it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This machine's clock, aware, UTC."""
    return datetime.now(UTC)


def to_text(at: datetime) -> str:
    """RFC 3339, UTC, milliseconds: `2010-03-01T02:03:04.567Z`."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote."""
    return datetime.fromisoformat(text)
