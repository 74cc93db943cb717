"""The position token: how far one source has been read, as JSON text."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from adapters.database.dialects import Horizon
from bus.errors import ConfigurationError

VERSION: Final = 1
_NO_YEAR: Final = "0000-"


class Mark(NamedTuple):
    """A row in the order of capture: what follows it has not been handed on.

    Attributes:
        time: change time, text.
        rank: place of its table in the order of kinds.
        key: values of its key columns as the driver gave them.
    """

    time: str
    rank: int
    key: tuple[Any, ...]


class Position(NamedTuple):
    """How far one source has been read. Times are the source's local time as text, but for `swept_at`.

    Attributes:
        time: change times from here on are looked at by a poll; None until the first pass is complete.
        window_at: the source's clock when the window was last read (the start of the first pass to begin with).
        late_s: the widest window used so far.
        horizon: PostgreSQL: snapshot of the last complete pass.
        swept_at: our clock at the last sweep, ISO 8601 with zone.
        rows: KIND → rows at the last sweep.
        mark: the last row handed on of a pass that is not complete.
        mark_from: (source's clock, horizon) at the start of that pass, which may have been begun again since.
        parked: row key → our clock when it was first parked, ISO 8601 with zone.
    """

    time: str | None = None
    window_at: str | None = None
    late_s: float = 0.0
    horizon: Horizon | None = None
    swept_at: str | None = None
    rows: dict[str, int] = {}  # noqa: RUF012 - a NamedTuple's default; never changed, only replaced
    mark: Mark | None = None
    mark_from: tuple[str, str] | None = None
    parked: dict[str, str] = {}  # noqa: RUF012 - as above

    def dump(self) -> str:
        """The token."""
        values: dict[str, Any] = {k: v for k, v in self._asdict().items() if v is not None and v != {}}
        values["v"] = VERSION
        if self.horizon is not None:
            values["horizon"] = str(self.horizon)
        if self.mark is not None:
            values["mark"] = [self.mark.time, self.mark.rank, [_pack(part) for part in self.mark.key]]
        return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def load(cls, token: str | None) -> Position:
        """Read a token; None is the beginning.

        Raises:
            ConfigurationError: it was written by another adapter or a later version.
        """
        if token is None:
            return cls()
        try:
            values = json.loads(token)
            if values.pop("v") != VERSION:
                raise ConfigurationError([f"position: version of {token[:80]!r} is not {VERSION}"])
            if "horizon" in values:
                values["horizon"] = Horizon.parse(values["horizon"])
            if "mark" in values:
                time, rank, key = values["mark"]
                values["mark"] = Mark(time, rank, tuple(_unpack(part) for part in key))
            if "mark_from" in values:
                values["mark_from"] = tuple(values["mark_from"])
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigurationError([f"position: {token[:80]!r} is no position of this adapter ({error})"]) from error


def _pack(part: Any) -> Any:
    return {"hex": part.hex()} if isinstance(part, bytes) else part if isinstance(part, int) else str(part)


def _unpack(part: Any) -> Any:
    return bytes.fromhex(part["hex"]) if isinstance(part, dict) else part


def time_text(value: Any) -> str:
    """A change time as text: `2010-03-01 10:20:30`, with a fraction only when there is one; "" for none."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    text = str(value).strip().replace("T", " ")
    return text.rstrip("0").rstrip(".") if "." in text else text


def earlier(text: str, seconds: float) -> str:
    """The time `seconds` before `text`; a time that no calendar has (MySQL's 0000-00-00) comes before all others."""
    if text.startswith(_NO_YEAR):
        return text
    return time_text(datetime.fromisoformat(text) - timedelta(seconds=seconds))
