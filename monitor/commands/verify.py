"""`gateway verify`: audits a journal, or a file made of one, with nothing of the gateway but the trust file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.errors import ConfigurationError
from bus.topology import JOURNAL
from bus.transport import connect
from bus.trust import load_trust
from bus.verify import audit, read_jsonl
from monitor.terminal import Exit, exit_codes
from monitor.texts import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bus.message import Message
    from bus.verify import Report
    from monitor.terminal import Terminal

_SILENCE_S = 2.0


def run_verify(terminal: Terminal, file: Path | None, *, journal: str | None, trust: Path, timeout_s: float) -> None:
    """Print every finding, then the totals of each stream."""
    with exit_codes(terminal):
        if (file is None) == (journal is None):
            raise ConfigurationError(["name either a FILE made by `gateway tap --raw` or --journal URL"])
        keys = load_trust(trust)
        try:
            messages = read_jsonl(file) if file is not None else read_journal(journal or "", timeout_s=timeout_s)
            report = audit(messages, keys)
        except OSError as error:
            raise ConfigurationError([f"{file}: cannot be read ({error.strerror})"]) from error
        show_report(terminal, report)
        if report.findings:
            raise SystemExit(Exit.FOUND)


def read_journal(url: str, *, timeout_s: float) -> Iterator[Message]:
    """Everything that the journal of a bus holds now, from its first message.

    The journal has no end that could be asked for; it ends here when nothing has come for two seconds.
    """
    channel = connect(url).consumer(JOURNAL, prefetch=500, start="first")
    try:
        wait_s = min(timeout_s, 10.0)  # for the first message; then silence is the end
        while deliveries := channel.receive(500, timeout_s=wait_s):
            wait_s = _SILENCE_S
            yield from (delivery.message for delivery in deliveries)
            channel.ack(deliveries[-1].tag)
    finally:
        channel.close()


def show_report(terminal: Terminal, report: Report) -> None:
    """One line (or one JSON object) a finding, then the totals."""
    for finding in report.findings:
        terminal.say(zh=f"{finding.kind}: {finding.zh}", en=f"{finding.kind}: {finding.en}")
        terminal.result(finding._asdict())
    columns = {
        "zh": ("流", "纪元", "消息", "条目", "记录", "首号", "末号", "检查点", "已签至", "重复", "拒绝"),
        "en": (
            "stream",
            "epoch",
            "messages",
            "entries",
            "records",
            "first",
            "last",
            "checkpoints",
            "signed to",
            "duplicates",
            "refused",
        ),
    }[terminal.language]
    terminal.table(say(terminal.language, zh="合计", en="totals"), columns, report.totals)
    terminal.say(
        zh=f"发现 {len(report.findings)} 处问题。" if report.findings else "核验通过：无缺失、无重复、无乱序、无篡改。",
        en=f"{len(report.findings)} findings."
        if report.findings
        else "Verified: nothing missing, doubled, reordered or altered.",
    )
    terminal.result(
        {
            "totals": [total._asdict() for total in report.totals],
            "records": sum(total.records for total in report.totals),
            "findings": len(report.findings),
        }
    )
