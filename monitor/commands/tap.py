"""`gateway tap`: a wire tap on the journal."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from bus.errors import ConfigurationError
from bus.topology import JOURNAL
from bus.transport import connect
from bus.trust import load_trust
from bus.verify import Verifier, write_jsonl
from monitor.cli import parse_start
from monitor.commands.run import stop_on_signals
from monitor.settings import load
from monitor.terminal import Exit, exit_codes

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from bus.envelope import Member
    from bus.message import Message
    from bus.ports import ConsumeChannel
    from bus.verify import MemberState, Verified
    from monitor.terminal import Terminal


@dataclass(frozen=True, slots=True)
class TapOptions:
    """What to show, and from where."""

    start: str
    kind: str | None
    division: str | None
    count: int | None
    is_raw: bool
    out: Path | None
    idle_s: float | None


def run_tap(terminal: Terminal, config: Path, options: TapOptions) -> None:
    """Print records as they are verified; stops at `--count`, after `--idle`, or at Ctrl-C."""
    with exit_codes(terminal), stop_on_signals() as stop, ExitStack() as stack:
        settings = load(config)
        start = _start(options.start)
        out: BinaryIO | None = sys.stdout.buffer if options.is_raw else None
        if options.out is not None:
            out = stack.enter_context(options.out.open("wb"))
        from_seq = start if isinstance(start, int) else None
        where = "first" if isinstance(start, int) else start
        channel = connect(settings.bus).consumer(JOURNAL, prefetch=500, start=where)
        stack.callback(channel.close)
        tap = _Tap(terminal, options, Verifier(load_trust(settings.signing.trust)), out, from_seq)
        tap.follow(channel, stop)
        terminal.result({"records": tap.shown, "findings": tap.findings})
        if tap.findings:
            raise SystemExit(Exit.FOUND)


def _start(text: str) -> str | int | datetime:
    try:
        start = parse_start(text)
    except ValueError as error:
        raise ConfigurationError(
            [f"--from {text}: use first, last, a time like 2010-03-01T08:00:00+08:00, or a seq"]
        ) from error
    if isinstance(start, datetime) and start.tzinfo is None:
        raise ConfigurationError([f"--from {text}: the time needs a zone, e.g. {text}+08:00"])
    return start


class _Tap:
    """Holds what has come back until a checkpoint has signed it, for a moment; then shows it as what it is."""

    _PATIENCE_S = 1.0

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

    def follow(self, channel: ConsumeChannel, stop: Event) -> None:
        """Read until it is enough."""
        heard_at = time.monotonic()
        while not stop.is_set() and not self._is_full:
            deliveries = channel.receive(500, timeout_s=0.2)
            for delivery in deliveries:
                self._take(delivery.message)
            if deliveries:
                channel.ack(deliveries[-1].tag)
                heard_at = time.monotonic()
                continue
            silent_s = time.monotonic() - heard_at
            if silent_s > self._PATIENCE_S:
                self._flush()
            if self._options.idle_s is not None and silent_s > self._options.idle_s:
                break
        self._flush()

    def _take(self, message: Message) -> None:
        if self._is_full:
            return
        verified = self._verifier.feed(message)
        if self._out is not None and self._options.is_raw:
            write_jsonl(self._out, [message])
        for finding in verified.findings:
            self.findings += 1
            self._terminal.say(zh=f"✗ {finding.kind}: {finding.zh}", en=f"✗ {finding.kind}: {finding.en}")
        self._waiting += [
            pair for pair in zip(verified.members, verified.states, strict=True) if self._is_wanted(*pair)
        ]
        self._sign(verified)

    def _is_wanted(self, member: Member, state: MemberState) -> bool:
        options = self._options
        return (
            state in {"anchored", "chained", "verified"}
            and member.type == "record"
            and options.kind in {None, member.kind}
            and options.division in {None, member.division}
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
        line: dict[str, Any] = {
            "state": state,
            "stream": member.stream,
            "epoch": member.epoch,
            "seq": member.seq,
            "kind": member.kind,
            "key": member.key,
            "collected_at": member.collected_at,
        }
        if self._terminal.is_json:
            self._terminal.result({**line, "record": member.payload.decode("utf-8", "surrogateescape")})
        else:
            text = f"{state:8} {member.stream} #{member.seq} {member.kind:6} {member.key}"
            self._terminal.say(zh=text, en=text)
