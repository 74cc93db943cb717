"""Logging on stderr: JSON lines for machines, plain lines where a person looks on; secrets masked, Chinese readable."""

from __future__ import annotations

import json
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from monitor.masking import mask_event

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import Processor

_FIRST: Final = ("timestamp", "level", "event")


def configure(*, is_quiet: bool) -> None:
    """Set up structlog; quiet: warnings and errors only."""
    is_watched = sys.stderr.isatty()
    last: Processor = plain_line if is_watched else structlog.processors.JSONRenderer(serializer=_json)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_watched else "iso", utc=not is_watched),
            structlog.processors.format_exc_info,
            mask_event,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if is_quiet else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


_json: Final = partial(json.dumps, ensure_ascii=False)


def plain_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """`time level event  key=value …` for a person; an exception's text follows below."""
    trace = event.pop("exception", None)
    words = " ".join(f"{key}={value}" for key, value in event.items() if key not in _FIRST)
    line = " ".join(str(event[key]) for key in _FIRST if key in event) + (f"  {words}" if words else "")
    return f"{line}\n{trace}" if trace else line
