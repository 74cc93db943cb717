"""What is held back, in words: one line for each state and reason that is not empty, with an example."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bus.ledger.values import BEHIND, NO_PARENT
from monitor.equation import WORDS, total
from monitor.texts import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bus.ledger.ledger import Cause, Ledger
    from bus.ledger.values import Progress
    from monitor.terminal import Terminal
    from monitor.texts import Language

STATES: Final = ("quarantined", "parked", "conflict", "discarded")

#: Term of the equation → what it means for the records and for the reader.
_MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "pending": ("已编号封链，等待总线确认", "sealed with a number, waiting for the bus to confirm"),
    "duplicate": ("与已读内容相同的一次重现，不再发送", "the same content again: not sent twice"),
    "stale": ("版本低于已读版本，不再发送", "an older version than was read before: not sent"),
    "conflict": (
        "平台未升版本号就改了已发出的内容：原记录不动，已发冲突通知（改前、改后逐字段）",
        "changed by the platform after it was sent, without a new version: the core got a notice, field by field",
    ),
    "quarantined": (
        "不符合统一标准：连同全部错误保留，待人处理",
        "does not meet the unified standard: kept with all its faults",
    ),
    "parked": ("等待中，条件满足后自动发出", "waiting; goes out by itself when it may"),
    "discarded": ("由具名人员弃置，附理由", "given up by a named person, with a reason"),
}
_PARKED: Final[Mapping[str, tuple[str, str]]] = {
    BEHIND: (
        "同一案件有更早的记录在隔离中：排在其后，保证按序",
        "an earlier record of the same case is quarantined: waits behind it, so that the case stays in order",
    ),
    NO_PARENT: (
        "其受理（SL）记录在平台上尚不存在：等它出现",
        "its acceptance (SL) is not on the platform yet: waits for it",
    ),
}


class Note(NamedTuple):
    """One line about a term of the equation.

    Attributes:
        term: field of the equation.
        reason: of the hold, or "".
        records: how many.
        zh, en: what it means.
        examples: key and faults of the newest record of each source.
    """

    term: str
    reason: str
    records: int
    zh: str
    en: str
    examples: tuple[Cause, ...] = ()


def read_causes(ledger: Ledger, progress: Sequence[Progress]) -> list[Cause]:
    """What the ledger holds back of these sources."""
    names = {p.name for p in progress}
    return [cause for cause in ledger.causes(STATES) if cause.source in names]


def notes(progress: Sequence[Progress], causes: Sequence[Cause]) -> list[Note]:
    """One note a term and reason that is not 0, in the order of the equation."""
    counted = total(progress)._asdict() if progress else {}
    found = []
    for term, (zh, en) in _MEANINGS.items():
        if not counted.get(term):
            continue
        own = [cause for cause in causes if cause.state == term]
        if not own:
            found.append(Note(term, "", counted[term], zh, en))
        for reason in dict.fromkeys(cause.reason for cause in own):
            some = tuple(cause for cause in own if cause.reason == reason)
            meaning = _PARKED.get(reason, (zh, en)) if term == "parked" else (zh, en)
            found.append(Note(term, reason, sum(cause.records for cause in some), *meaning, some))
    return found


def show_notes(terminal: Terminal, found: Iterable[Note], *, examples: int = 1) -> None:
    """Say what each term means; under it the newest record of up to `examples` sources and its first fault."""
    language = terminal.language
    found = tuple(found)
    if found:
        terminal.write("")
    for note in found:
        word = _word(language, note.term)
        reason = f" ({note.reason})" if note.reason not in {"", note.term} else ""
        terminal.write(f"{word} {note.records}{reason}: {say(language, zh=note.zh, en=note.en)}")
        for cause in note.examples[:examples]:
            terminal.write(*_example(language, cause))


def _word(language: Language, term: str) -> str:
    terms: tuple[str, ...] = WORDS["en"]
    return WORDS[language][terms.index(term)]


def _example(language: Language, cause: Cause) -> list[str]:
    such = say(language, zh="如", en="e.g.")
    texts = [f"{fault['code']}: {fault[language]}" for fault in json.loads(cause.example.faults)]
    return [f"    {such} {cause.source} {cause.example.key}", *(f"      {text}" for text in texts)]


def held_object(causes: Sequence[Cause]) -> list[dict[str, Any]]:
    """The causes for `--json`."""
    return [
        {
            "source": cause.source,
            "state": cause.state,
            "reason": cause.reason,
            "records": cause.records,
            "oldest_at": cause.oldest_at,
            "example": {"key": cause.example.key, "faults": json.loads(cause.example.faults)},
        }
        for cause in causes
    ]
