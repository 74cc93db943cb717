"""Texts that go to a screen, a log or a program never show a secret of a URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

#: What stands between the colon after a user and the last `@` of a word, and values of options that are secrets. A
#: malformed URL is masked too: errors quote those.
_PASSWORD: Final = re.compile(r":(?!//)[^\s:'\"](?:[^\s'\"]*[^\s'\"])?@")
_OPTION: Final = re.compile(r"(?i)\b(password|passwd|pwd|secret|token)=[^\s&;'\"]+")
_WORD: Final = "***"


def mask(text: str) -> str:
    """The text with passwords of URLs (`user:password@`) and secret options (`token=…`) replaced by `***`."""
    if "@" in text:
        text = _PASSWORD.sub(f":{_WORD}@", text)
    return _OPTION.sub(rf"\1={_WORD}", text)


def mask_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Processor of structlog: every text of a log line masked."""
    return {key: mask(value) if isinstance(value, str) else value for key, value in event.items()}
