"""Texts for people, in Chinese and English; `--lang`, or the locale, chooses."""

from __future__ import annotations

import locale
import os
from typing import Literal

Language = Literal["zh", "en"]


def default_language() -> Language:
    """`zh` where the locale is Chinese, else `en`."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    if not name:
        name = locale.getlocale()[0] or ""
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"


def say(language: Language, *, zh: str, en: str) -> str:
    """The text in the chosen language."""
    return zh if language == "zh" else en
