"""What is wrong with a mapping, and where: one value for the parser, the lint and the code tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Language = Literal["zh", "en"]
ProblemSeverity = Literal["error", "warning"]

_WARNING: Final = {"zh": "警告：", "en": "warning: "}


class Position(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document or a code table.

    Attributes:
        at: the key, value or row that has to change.
        severity: an `error` keeps the mapping from loading (or from being right); a `warning` asks to look.
        code: stable, lower case with hyphens, e.g. `unknown-key`.
        key: what it is about: key, target, column or table.
        zh, en: what is wrong and what to do.
    """

    at: Position
    severity: ProblemSeverity
    code: str
    key: str
    zh: str
    en: str

    def render(self, lang: Language = "en") -> str:
        """`file:line:column: key: what is wrong and what to do`."""
        text = self.zh if lang == "zh" else self.en
        mark = _WARNING[lang] if self.severity == "warning" else ""
        return f"{self.at}: {mark}{self.key}: {text}"


def error(at: Position, code: str, key: str, *, zh: str, en: str) -> Problem:
    """A problem that has to be repaired."""
    return Problem(at, "error", code, key, zh, en)


def warning(at: Position, code: str, key: str, *, zh: str, en: str) -> Problem:
    """A problem that has to be looked at."""
    return Problem(at, "warning", code, key, zh, en)
