"""Logging: JSON lines on stderr, Chinese kept readable, one line a batch at INFO."""

from __future__ import annotations

import json
import logging
import sys
from functools import partial

import structlog


def configure(*, is_quiet: bool) -> None:
    """Set up structlog; quiet: warnings and errors only."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=partial(json.dumps, ensure_ascii=False)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if is_quiet else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
