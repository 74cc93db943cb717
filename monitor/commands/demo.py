"""`gateway demo`: the whole path on this machine, without a service."""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert

from adapters.simulators import cgs
from adapters.simulators.cgs_quirks import Quirks
from bus.outbound import Consumer
from bus.transport import connect
from bus.trust import load_trust
from bus.verify import audit
from monitor import logs
from monitor.bootstrap import build
from monitor.commands.deployment import write_deployment
from monitor.commands.run import stop_on_signals
from monitor.commands.simulate import feed_past, platform_now
from monitor.commands.verify import read_journal
from monitor.equation import show_equation, sources_object
from monitor.settings import load
from monitor.terminal import Exit, exit_codes

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from bus.outbound import Received
    from bus.verify import Report
    from monitor.bootstrap import Gateway
    from monitor.settings import Settings
    from monitor.terminal import Terminal

_DISTRICTS = {"chancheng": ("440604", "禅城"), "gaoming": ("440608", "高明"), "sanshui": ("440607", "三水")}

#: Shares of rows with a quirk: what a real platform shows, some of it not to be published.
_QUIRKS = Quirks(padded=0.1, null_dates=0.02, padded_region=0.1, applicant_type_3=0.05, stage_code_0001=0.1,
                 money_comma=0.1, gbk_only=0.05, trail_5c=0.05, missing_parent=0.002, same_second=0.1)  # fmt: skip

_CONFIG = """\
node: demo-1
group: demo
store: sqlite:///gateway.db
bus: embedded:///bus.db
signing: {key: keys/demo.pem}
sources:
"""
_SOURCE = """\
  {name}:                            # {zh}
    adapter: cgs
    division: "{division}"
    options: {{url: "sqlite:///{name}.db", poll_s: 0.5, late_poll_s: 1}}
"""

metadata = MetaData()

#: What the demonstration's core keeps: one row a record, so that a record handled twice would be an error.
records_table = Table(
    "records",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("record", Text, nullable=False),
)


def run_demo(terminal: Terminal, *, records: int, seed: int, is_serving: bool, directory: Path | None) -> None:
    """Feed three districts, drain them, consume as the core does, audit the journal, print the equation."""
    with exit_codes(terminal), stop_on_signals() as stop, ExitStack() as stack:
        logs.configure(is_quiet=True)
        folder = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-")))
        settings = _prepare(terminal, folder, records, seed)
        gateway = build(settings)
        stack.callback(gateway.close)
        engine = create_engine(f"sqlite:///{folder}/core.db")
        stack.callback(engine.dispose)
        metadata.create_all(engine)
        core = _Core(settings, engine)
        stack.callback(core.close)
        if is_serving:
            _serve(terminal, gateway, settings, stop, seed)
        else:
            gateway.run(stop, drain=True, timeout_s=60)
        core.catch_up(gateway)
        _conclude(
            terminal, gateway, core, audit(read_journal(settings.bus, timeout_s=5), load_trust(settings.signing.trust))
        )


def _prepare(terminal: Terminal, folder: Path, records: int, seed: int) -> Settings:
    sources = "".join(_SOURCE.format(name=name, zh=zh, division=code) for name, (code, zh) in _DISTRICTS.items())
    write_deployment(folder, "demo", _CONFIG + sources)
    share = -(-records // len(_DISTRICTS))
    for name, (division, zh) in _DISTRICTS.items():
        engine = create_engine(f"sqlite:///{folder}/{name}.db")
        cgs.create(engine)
        rows = feed_past(engine, division, share, seed=seed, quirks=_QUIRKS)
        engine.dispose()
        terminal.say(zh=f"模拟平台 {zh}（{name}）：{rows} 行", en=f"simulated platform {name} ({zh}): {rows} rows")
    return load(folder / "gateway.yaml")


class _Core:
    """The supervision core, as small as it can be: a consumer with a database of its own."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._stop = threading.Event()
        self.findings = 0
        self.consumer = Consumer(
            connect(settings.bus),
            trust=load_trust(settings.signing.trust),
            engine=engine,
            handle=self._handle,
            on_finding=lambda _: self._count(),
        )
        self.entries = 0
        self.records = 0
        self._thread = threading.Thread(target=self.consumer.run, args=[self._stop], name="core")
        self._thread.start()

    def _count(self) -> None:
        self.findings += 1

    def _handle(self, connection: Connection, received: Received) -> None:
        member = received.member
        if member.type == "record":
            row = {
                "key": member.key,
                "kind": member.kind,
                "stream": member.stream,
                "seq": member.seq,
                "record": member.payload.decode(),
            }
            connection.execute(insert(records_table), row)
            self.records += 1

    def catch_up(self, gateway: Gateway) -> None:
        """Wait until everything that was published has been handled, 30 s at most."""
        deadline = time.monotonic() + 30
        wanted = sum(progress.confirmed for progress in gateway.progress())
        while self.consumer.handled < wanted and time.monotonic() < deadline:
            time.sleep(0.05)

    def close(self) -> None:
        """Stop consuming."""
        self._stop.set()
        self._thread.join()


def _serve(terminal: Terminal, gateway: Gateway, settings: Settings, stop: threading.Event, seed: int) -> None:
    """Keep the platforms moving until Ctrl-C, and show the equation now and then."""
    terminal.say(zh="持续运行；按 Ctrl-C 停止。", en="Running; stop with Ctrl-C.")
    platforms = []
    for name, (division, _) in _DISTRICTS.items():
        engine = create_engine(settings.sources[name].options["url"])
        platforms.append(cgs.live(engine, division=division, now=platform_now, seed=seed, first_case=1_000_000))
    shown_at = time.monotonic()

    def on_tick() -> None:
        nonlocal shown_at
        for platform in platforms:
            next(platform)
        if time.monotonic() - shown_at > 5:
            shown_at = time.monotonic()
            show_equation(terminal, gateway.progress())

    gateway.run(stop, drain=False, timeout_s=60, on_tick=on_tick)


def _conclude(terminal: Terminal, gateway: Gateway, core: _Core, report: Report) -> None:
    progress = gateway.progress()
    published = sum(p.equation.published for p in progress)
    show_equation(terminal, progress)
    for finding in report.findings:
        terminal.say(zh=f"✗ {finding.zh}", en=f"✗ {finding.en}")
    terminal.say(
        zh=f"核心已核验并处理 {core.records} 条记录（已发布 {published} 条），发现问题 {core.findings} 处；"
        f"日志审计：{sum(t.records for t in report.totals)} 条记录，{len(report.findings)} 处问题。",
        en=f"The core verified and handled {core.records} records ({published} published), {core.findings} findings; "
        f"audit of the journal: {sum(t.records for t in report.totals)} records, {len(report.findings)} findings.",
    )
    findings = core.findings + len(report.findings)
    terminal.result({"sources": sources_object(progress), "verified": {"records": core.records, "findings": findings}})
    if findings or core.records != published or not all(p.equation.is_balanced for p in progress):
        raise SystemExit(Exit.FOUND)
