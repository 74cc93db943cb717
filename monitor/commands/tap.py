"""`gateway tap`: a wire tap on the journal."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from bus.message import ROOTS
from bus.private import make_private
from bus.trust import load_trust
from bus.verify import Verifier, write_jsonl
from monitor.bootstrap import open_bus
from monitor.commands.run import stop_on_signals
from monitor.journal import Journal
from monitor.patience import patiently
from monitor.settings import load
from monitor.terminal import Exit, WrongUseError, cannot_write, exit_codes
from monitor.texts import counted

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from bus.envelope import Member
    from bus.message import Message
    from bus.verify import MemberState, Verified
    from monitor.terminal import Terminal

_PATIENCE_S: Final = 1.0
"""So long a record waits for the checkpoint that signs it, before it is shown as what it is."""

_USABLE: Final = frozenset({"anchored", "chained", "verified"})


@dataclass(frozen=True, slots=True)
class TapOptions:
    """What to show, and from where.

    Attributes:
        start: `first`, `last`, a time with zone, or a seq.
        kind, division: only these.
        count: stop after so many records.
        is_raw: write whole messages as JSON Lines, to `out` or stdout.
        is_full: show each record's XML.
        idle_s: stop after so long a silence.
        timeout_s: how long the bus may be away.
    """

    start: str
    kind: str | None
    division: str | None
    count: int | None
    is_raw: bool
    out: Path | None
    is_full: bool
    idle_s: float | None
    timeout_s: float


def run_tap(terminal: Terminal, config: Path, options: TapOptions) -> None:
    """Print records as they are verified; stops at `--count`, after `--idle`, or at Ctrl-C."""
    with exit_codes(terminal), stop_on_signals() as stop, ExitStack() as stack:
        start = _check(options, terminal)
        settings = load(config)
        verifier = Verifier(load_trust(settings.signing.trust))
        if options.is_raw and options.out is None:
            terminal = replace(terminal, is_reserved=True)
        transport = patiently(terminal, lambda: open_bus(settings), timeout_s=options.timeout_s, stop=stop)
        from_seq = start if isinstance(start, int) else None
        journal = Journal(
            transport,
            start="first" if isinstance(start, int) else start,
            terminal=terminal,
            timeout_s=options.timeout_s,
            stop=stop,
        )
        stack.callback(journal.close)
        journal.open()
        tap = _Tap(terminal, options, verifier, _open_out(options, stack), from_seq)
        tap.follow(journal, stop)
        _conclude(terminal, tap)


def _check(options: TapOptions, terminal: Terminal) -> str | int | datetime:
    """The start; raises WrongUseError with everything that does not fit together."""
    problems: list[tuple[str, str]] = []
    if options.out is not None and not options.is_raw:
        problems.append(("--out：是 --raw 的输出文件；请加 --raw", "--out: is where --raw writes; add --raw"))
    if options.is_raw and options.out is None and terminal.is_json:
        zh = "--raw --json：标准输出不能既放消息又放结果；请用 --out 指定文件"
        problems.append((zh, "--raw --json: stdout cannot hold both messages and the result; name a file with --out"))
    if options.is_raw and options.kind is not None:
        zh = "--raw --kind：缺了条目的文件无法核验；请去掉 --kind"
        problems.append((zh, "--raw --kind: a file with entries left out cannot be verified; leave --kind away"))
    if options.kind is not None and options.kind not in ROOTS:
        known = ", ".join(ROOTS)
        problems.append(
            (f"--kind {options.kind}：未知；已知 {known}", f"--kind {options.kind}: unknown; known are {known}")
        )
    start = _start(options.start, problems)
    if problems:
        raise WrongUseError(*problems)
    return start


def _start(text: str, problems: list[tuple[str, str]]) -> str | int | datetime:
    try:
        start = parse_start(text)
    except ValueError:
        example = "2010-03-01T08:00:00+08:00"
        zh = f"--from {text}：可用 first、last、时间（如 {example}）或序号"
        problems.append((zh, f"--from {text}: use first, last, a time like {example}, or a seq"))
        return "last"
    if isinstance(start, datetime) and start.tzinfo is None:
        zh = f"--from {text}：时间须带时区，如 {text}+08:00"
        problems.append((zh, f"--from {text}: the time needs a zone, e.g. {text}+08:00"))
    return start


def parse_start(text: str) -> str | int | datetime:
    """`--from`: first, last, a sequence number or a time; raises ValueError."""
    if text in {"first", "last"}:
        return text
    if text.isdecimal() and text.isascii():
        return int(text)
    return datetime.fromisoformat(text)


def _open_out(options: TapOptions, stack: ExitStack) -> BinaryIO | None:
    if not options.is_raw:
        return None
    if options.out is None:
        return sys.stdout.buffer
    try:
        make_private(options.out)
        return stack.enter_context(options.out.open("wb"))
    except OSError as error:
        raise cannot_write("--out", options.out, error) from error


def _conclude(terminal: Terminal, tap: _Tap) -> None:
    terminal.say(
        zh=f"{tap.shown} 条记录，发现 {tap.findings} 处问题。",
        en=f"{counted(tap.shown, 'record')}, {counted(tap.findings, 'finding')}.",
    )
    terminal.result({"records": tap.shown, "findings": tap.findings})
    if tap.findings:
        raise SystemExit(Exit.FOUND)


class _Tap:
    """Holds what has come back until a checkpoint has signed it, for a moment; then shows it as what it is."""

    def __init__(
        self, terminal: Terminal, options: TapOptions, verifier: Verifier, out: BinaryIO | None, from_seq: int | None
    ) -> None:
        self._terminal = terminal
        self._options = options
        self._verifier = verifier
        self._out = out
        self._from_seq = from_seq
        self._waiting: list[tuple[Member, MemberState]] = []
        self.shown = 0
        self.findings = 0

    @property
    def _is_full(self) -> bool:
        return self._options.count is not None and self.shown >= self._options.count

    def follow(self, journal: Journal, stop: Event) -> None:
        """Read until it is enough."""
        heard_at = time.monotonic()
        while not stop.is_set() and not self._is_full:
            deliveries = journal.receive(timeout_s=0.2)
            for delivery in deliveries:
                self._take(delivery.message)
            if deliveries:
                heard_at = time.monotonic()
            silent_s = time.monotonic() - heard_at
            if silent_s > _PATIENCE_S:
                self._flush()
            if self._options.idle_s is not None and silent_s > self._options.idle_s:
                break
        self._flush()

    def _take(self, message: Message) -> None:
        division = self._options.division
        if self._is_full or (division is not None and message.routing_key.split(".")[1:2] != [division]):
            return
        verified = self._verifier.feed(message)
        if self._out is not None:
            write_jsonl(self._out, [message])
            self._out.flush()
        for finding in verified.findings:
            self.findings += 1
            self._terminal.say(zh=f"✗ {finding.kind}: {finding.zh}", en=f"✗ {finding.kind}: {finding.en}")
        self._waiting += [
            pair for pair in zip(verified.members, verified.states, strict=True) if self._is_wanted(*pair)
        ]
        self._sign(verified)

    def _is_wanted(self, member: Member, state: MemberState) -> bool:
        return (
            state in _USABLE
            and member.type == "record"
            and self._options.kind in {None, member.kind}
            and (self._from_seq is None or member.seq >= self._from_seq)
        )

    def _sign(self, verified: Verified) -> None:
        """Show what a checkpoint has just signed."""
        signed = verified.checkpoint
        if signed is None:
            return
        waiting, self._waiting = self._waiting, []
        for member, state in waiting:
            if (member.stream, member.epoch) == (signed.stream, signed.epoch) and member.seq <= signed.size:
                self._show(member, "anchored" if state == "anchored" else "verified")
            else:
                self._waiting.append((member, state))

    def _flush(self) -> None:
        """Show what no checkpoint has come for."""
        for member, state in self._waiting:
            self._show(member, state)
        self._waiting = []

    def _show(self, member: Member, state: MemberState) -> None:
        if self._is_full:
            return
        self.shown += 1
        if self._options.is_raw:
            return
        record = member.payload.decode("utf-8", "backslashreplace")
        if self._terminal.is_json:
            self._terminal.result(_object(member, state, record))
            return
        self._terminal.write(f"{state:8}  {member.stream} #{member.seq}  {member.kind:6}  {member.key}")
        if self._options.is_full:
            self._terminal.write(f"          {record}")


def _object(member: Member, state: MemberState, record: str) -> dict[str, Any]:
    return {
        "state": state,
        "stream": member.stream,
        "epoch": member.epoch,
        "seq": member.seq,
        "kind": member.kind,
        "key": member.key,
        "collected_at": member.collected_at,
        "record": record,
    }
