"""`gateway demo`: the whole path on this machine, without a service."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, select, update

from adapters.simulators import cgs
from adapters.simulators.cgs_quirks import Quirks
from bus.trust import load_trust
from bus.verify import audit
from monitor import logs
from monitor.bootstrap import build
from monitor.commands.demo_core import DemoCore
from monitor.commands.deployment import not_empty, write_deployment
from monitor.commands.run import stop_on_signals
from monitor.commands.simulate import feed_past, platform_now
from monitor.commands.verify import read_journal
from monitor.equation import show_equation, sources_object, total
from monitor.held import notes, read_causes, show_notes
from monitor.settings import load
from monitor.terminal import Exit, exit_codes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from sqlalchemy import Column

    from bus.verify import Report
    from monitor.bootstrap import Gateway
    from monitor.settings import Settings
    from monitor.terminal import Terminal

_DISTRICTS: Final = {"chancheng": ("440604", "禅城"), "gaoming": ("440608", "高明"), "sanshui": ("440607", "三水")}

#: Shares of rows with a quirk: what real platforms show; the last two may not be published as they are.
_QUIRKS: Final = Quirks(padded=0.1, null_dates=0.02, padded_region=0.1, applicant_type_3=0.05, stage_code_0001=0.1,
                        money_comma=0.1, gbk_only=0.05, trail_5c=0.05, same_second=0.1,
                        missing_parent=0.006, undecodable=0.002)  # fmt: skip
_CORRECTED: Final = 2
_TOUCHED: Final = 3
_SERVED_EVERY_S: Final = 2.0
_SERVED_FIRST_CASE: Final = 1_000_000
_TIMEOUT_S: Final = 60.0

_CONFIG: Final = """\
node: demo-1
group: demo
store: sqlite:///gateway.db
bus: embedded:///bus.db
signing: {key: keys/demo.pem}
sources:
"""
_SOURCE: Final = """\
  {name}:                            # {zh}
    adapter: cgs
    division: "{division}"
    options: {{url: "sqlite:///{name}.db", poll_s: 0.5, late_poll_s: 1}}
"""


def run_demo(terminal: Terminal, *, records: int, seed: int, is_serving: bool, directory: Path | None) -> None:
    """Feed three districts, drain them, consume as the core does, audit the journal, print the equation."""
    with exit_codes(terminal), stop_on_signals() as stop, ExitStack() as stack:
        logs.configure(is_quiet=True)
        folder = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-")))
        settings = _prepare(terminal, folder, records, seed)
        gateway = build(settings)
        stack.callback(gateway.close)
        core = DemoCore(settings, folder / "core.db")
        stack.callback(core.close)
        _drain(terminal, gateway, stop, zh="采集并发布", en="read and published")
        if is_serving:
            _serve(terminal, gateway, core, folder, _Platforms(settings, seed), stop)
        else:
            _correct(terminal, settings)
            _drain(terminal, gateway, stop, zh="采集并发布", en="read and published")
        core.catch_up(sum(p.confirmed for p in gateway.progress()))
        _conclude(terminal, gateway, core, settings)


def _prepare(terminal: Terminal, folder: Path, records: int, seed: int) -> Settings:
    if folder.is_dir() and any(folder.iterdir()):
        raise not_empty(f"--dir {folder}")
    sources = "".join(_SOURCE.format(name=name, zh=zh, division=code) for name, (code, zh) in _DISTRICTS.items())
    write_deployment(folder, "demo", _CONFIG + sources)
    share = -(-records // len(_DISTRICTS))
    for number, (name, (division, zh)) in enumerate(_DISTRICTS.items()):
        engine = create_engine(f"sqlite:///{folder}/{name}.db")
        cgs.create(engine)
        rows = feed_past(engine, division, share, seed=seed + number, quirks=_QUIRKS)
        engine.dispose()
        terminal.say(zh=f"模拟平台 {zh}（{name}）：{rows} 行", en=f"simulated platform {name} ({zh}): {rows} rows")
    return load(folder / "gateway.yaml")


def _drain(terminal: Terminal, gateway: Gateway, stop: Event, *, zh: str, en: str) -> None:
    began = time.monotonic()
    before = sum(p.equation.published for p in gateway.progress())
    with terminal.progress(zh=zh, en=en) as show:
        gateway.run(
            stop,
            drain=True,
            timeout_s=_TIMEOUT_S,
            on_tick=lambda: show(sum(p.equation.published for p in gateway.progress())),
        )
    took_s = time.monotonic() - began
    count = sum(p.equation.published for p in gateway.progress()) - before
    terminal.say(
        zh=f"网关：采集、校验、封链、发布 {count} 条，{took_s:.1f} 秒",
        en=f"gateway: read, validated, sealed and published {count} records in {took_s:.1f} s",
    )


def _correct(terminal: Terminal, settings: Settings) -> None:
    """What platforms do to rows that were sent already: new content, or only a new change time, under one version."""
    name = next(iter(_DISTRICTS))
    engine = create_engine(settings.sources[name].options["url"])
    table = cgs.tables("sqlite")["BJ"]
    keys = select(table.c.YWLSH, table.c.SJBBH).order_by(table.c.GXSJ, table.c.YWLSH).limit(_CORRECTED + _TOUCHED)
    with engine.begin() as connection:
        for place, (number, version) in enumerate(connection.execute(keys).all()):
            values: dict[Column[Any], Any] = {table.c.GXSJ: platform_now()}
            if place < _CORRECTED:
                values[table.c.BLJGMS] = "更正：" + table.c.BLJGMS
            connection.execute(update(table).where(number == table.c.YWLSH, version == table.c.SJBBH).values(values))
    engine.dispose()
    terminal.say(
        zh=f"平台 {name}：就地改动 {_CORRECTED} 个办结结果（版本号不变），另 {_TOUCHED} 行只刷新了时间",
        en=f"platform {name}: {_CORRECTED} results changed in place (same version), {_TOUCHED} rows only touched",
    )


class _Platforms:
    """The three districts at work."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self._engines = {name: create_engine(settings.sources[name].options["url"]) for name in _DISTRICTS}
        self._events = [self._live(name, seed) for name in _DISTRICTS]
        self.steps = 0

    def _live(self, name: str, seed: int) -> Iterator[object]:
        division, _ = _DISTRICTS[name]
        return cgs.live(
            self._engines[name],
            division=division,
            now=platform_now,
            seed=seed,
            first_case=_SERVED_FIRST_CASE,
            quirks=Quirks(undecodable=0.001, change_in_place=0.002),
        )

    def step(self) -> None:
        """One thing happens in each district."""
        for events in self._events:
            next(events)
            self.steps += 1

    def close(self) -> None:
        """Close the databases."""
        for engine in self._engines.values():
            engine.dispose()


def _serve(
    terminal: Terminal, gateway: Gateway, core: DemoCore, folder: Path, platforms: _Platforms, stop: Event
) -> None:  # fmt: skip
    """Keep the platforms moving until Ctrl-C; say every two seconds what has arrived."""
    terminal.say(
        zh="\n三个平台继续受理案件。另开一个终端可以旁听、查看、核验：",
        en="\nThe three platforms go on working. From another terminal you may listen, look, and audit:",
    )
    terminal.write(*(f"  gateway {words} --config {folder}/gateway.yaml" for words in ("tap", "status", "verify")))
    terminal.say(zh="按 Ctrl-C 停止。\n", en="Stop with Ctrl-C.\n")
    shown_at = time.monotonic()
    shown = core.records

    def on_tick() -> None:
        nonlocal shown_at, shown
        platforms.step()
        if time.monotonic() - shown_at < _SERVED_EVERY_S:
            return
        shown_at = time.monotonic()
        _show_served(terminal, gateway, core, core.records - shown)
        shown = core.records

    try:
        gateway.run(stop, drain=False, timeout_s=_TIMEOUT_S, on_tick=on_tick)
    finally:
        platforms.close()


def _show_served(terminal: Terminal, gateway: Gateway, core: DemoCore, more: int) -> None:
    """One line: the clock, the equation in short, and the newest record that the core has verified."""
    equation, count = total(gateway.progress()), core.records
    held = equation.quarantined + equation.parked + equation.conflict
    at = platform_now().strftime("%H:%M:%S")
    terminal.say(
        zh=f"{at}  已读 {equation.read}  已发布 {equation.published}  扣留 {held}  "
        f"核心已核验 {count} (+{more})  最新 {core.newest}",
        en=f"{at}  read {equation.read}  published {equation.published}  held {held}  "
        f"verified by the core {count} (+{more})  newest {core.newest}",
    )


def _conclude(terminal: Terminal, gateway: Gateway, core: DemoCore, settings: Settings) -> None:
    progress = gateway.progress()
    report: Report = audit(
        read_journal(settings.bus, timeout_s=_TIMEOUT_S), load_trust(settings.signing.trust), is_whole=True
    )
    published = sum(p.equation.published for p in progress)
    show_equation(terminal, progress)
    show_notes(terminal, notes(progress, read_causes(gateway.ledger, progress)))
    for finding in report.findings:
        terminal.say(zh=f"✗ {finding.zh}", en=f"✗ {finding.en}")
    audited, found = sum(t.records for t in report.totals), len(report.findings)
    terminal.say(
        zh=f"\n核心：已核验并各处理一次 {core.records} 条记录（已发布 {published} 条），通知 {core.notices} 份，"
        f"发现问题 {core.findings} 处。\n审计：日志中 {audited} 条记录，{found} 处问题："
        f"{'见上' if found else '无缺失、无重复、无乱序、无篡改'}。",
        en=f"\ncore: verified and handled once each {core.records} records ({published} published), {core.notices} "
        f"notices, {core.findings} findings.\naudit of the journal: {audited} records, {found} findings: "
        f"{'see above' if found else 'nothing missing, doubled, reordered or altered'}.",
    )
    findings = core.findings + len(report.findings)
    terminal.result({"sources": sources_object(progress), "verified": {"records": core.records, "findings": findings}})
    if findings or core.records != published or not all(p.equation.is_balanced for p in progress):
        raise SystemExit(Exit.FOUND)
