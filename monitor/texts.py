"""Texts for people, in Chinese and English; `--lang`, or the locale, chooses."""

from __future__ import annotations

import locale
import os
import re
from typing import Final, Literal

Language = Literal["zh", "en"]

#: Controls but tab and line feed, marks that turn the direction of writing, halves of surrogate pairs.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def default_language() -> Language:
    """`zh` where the locale is Chinese, else `en`."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    if not name:
        name = locale.getlocale()[0] or ""
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"


def say(language: Language, *, zh: str, en: str) -> str:
    """The text in the chosen language."""
    return zh if language == "zh" else en


def printable(text: str) -> str:
    """The text as a screen may show it: what a record says must not steer the terminal or disguise another line."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def counted(number: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(language: Language, seconds: float) -> str:
    """A time span in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`."""
    for unit_s, zh, en in ((_DAY_S, "天", "d"), (_HOUR_S, "小时", "h"), (_MINUTE_S, "分钟", "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {say(language, zh=zh, en=en)}"
    return f"{max(seconds, 0):.0f} {say(language, zh='秒', en='s')}"
