"""`gateway verify`: audits a journal, or a file made of one, with nothing of the gateway but the trust file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bus.transport import connect
from bus.trust import load_trust
from bus.verify import audit, read_jsonl
from monitor.journal import read_held, require_file
from monitor.settings import load
from monitor.terminal import Exit, WrongUseError, cannot_read, exit_codes
from monitor.texts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeVar

    from bus.message import Message
    from bus.verify import Report, Unreadable
    from monitor.terminal import Terminal
    from monitor.texts import Language

    _Item = TypeVar("_Item")

_LABELS: Final[Mapping[Language, tuple[str, ...]]] = {
    "zh": ("消息", "条目", "其中记录", "首号", "末号", "检查点", "已签至", "重复", "拒绝"),
    "en": ("messages", "entries", "of them records", "first seq", "last seq", "checkpoints", "signed up to",
           "duplicates", "refused"),
}  # fmt: skip

_NOTHING_WRONG: Final = "nothing missing, doubled, reordered or altered"


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to audit.

    Attributes:
        file: made by `tap --raw`; None: a journal.
        journal: URL of a bus; None: a file, or the bus of `config`.
        trust: whose signatures count; None: the one of `config`, or `trust.yaml`.
        config: the deployment's file, where it is needed.
        is_whole: every stream must begin at number 1.
        timeout_s: how long a bus may be away.
    """

    file: Path | None
    journal: str | None
    trust: Path | None
    config: Path
    is_whole: bool
    timeout_s: float


def run_verify(terminal: Terminal, options: VerifyOptions) -> None:
    """Print every finding, then the totals of each stream."""
    with exit_codes(terminal):
        if options.file is not None and options.journal is not None:
            en = "name either a FILE made by `gateway tap --raw` or --journal URL, not both"
            raise WrongUseError(("FILE（`gateway tap --raw` 的文件）与 --journal URL 只能给一个", en))
        if options.file is not None:
            _require_readable(options.file)
        trust = load_trust(_trust_file(options))
        with terminal.progress(zh="核验消息", en="messages") as update:
            report = audit(_counted(_messages(terminal, options), update), trust, is_whole=options.is_whole)
        show_report(terminal, report)
        if report.findings:
            raise SystemExit(Exit.FOUND)


def _require_readable(file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise cannot_read("FILE", file, error) from error


def _trust_file(options: VerifyOptions) -> Path:
    if options.trust is not None:
        return options.trust
    if options.config.is_file():
        return load(options.config).signing.trust
    return Path("trust.yaml")


def _messages(terminal: Terminal, options: VerifyOptions) -> Iterable[Message | Unreadable]:
    if options.file is not None:
        return read_jsonl(options.file)
    url = options.journal or load(options.config).bus
    return read_journal(url, timeout_s=options.timeout_s, terminal=terminal)


def read_journal(url: str, *, timeout_s: float, terminal: Terminal | None = None) -> Iterator[Message]:
    """Everything that the journal of a bus holds now, from its first message. See `monitor.journal.read_held`."""
    require_file(url)
    return read_held(connect(url), timeout_s=timeout_s, terminal=terminal)


def _counted(items: Iterable[_Item], update: Callable[[int], None]) -> Iterator[_Item]:
    for number, item in enumerate(items, 1):
        yield item
        if number % 1000 == 0:
            update(number)


def show_report(terminal: Terminal, report: Report) -> None:
    """One line (or one JSON object) a finding, then the totals."""
    for finding in report.findings:
        terminal.say(zh=f"✗ {finding.kind}: {finding.zh}", en=f"✗ {finding.kind}: {finding.en}")
        terminal.result(finding._asdict())
    labels = [f"  {label}" for label in _LABELS[terminal.language]]
    terminal.sheet(labels, [(f"{t.stream}/e{t.epoch}", t[2:]) for t in report.totals])
    _show_verdict(terminal, report)
    terminal.result(
        {
            "totals": [total._asdict() for total in report.totals],
            "records": sum(total.records for total in report.totals),
            "findings": len(report.findings),
        }
    )


def _show_verdict(terminal: Terminal, report: Report) -> None:
    for total in report.totals:
        if total.first_seq > 1:
            place, first = f"{total.stream}/e{total.epoch}", total.first_seq
            terminal.say(
                zh=f"{place} 从第 {first} 条开始；之前的不在本次核验之内。",
                en=f"{place} begins at entry {first}; what was before it is not audited here.",
            )
    if not report.totals and not report.findings:
        terminal.say(zh="没有任何消息可核验。", en="There is no message to verify.")
        return
    count = len(report.findings)
    terminal.say(
        zh=f"\n发现 {count} 处问题。" if count else "\n核验通过：无缺失、无重复、无乱序、无篡改。",
        en=f"\n{counted(count, 'finding')}." if count else f"\nVerified: {_NOTHING_WRONG}.",
    )
