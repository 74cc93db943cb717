"""`gateway topology`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.transport import connect
from monitor.bootstrap import topology_of
from monitor.settings import load
from monitor.terminal import Exit, exit_codes
from monitor.texts import say

if TYPE_CHECKING:
    from pathlib import Path

    from bus.topology import Topology
    from monitor.terminal import Terminal


def run_apply(terminal: Terminal, config: Path, *, bus: str | None) -> None:
    """Create what is missing; what exists with other arguments is an error and stays."""
    with exit_codes(terminal):
        settings = load(config)
        topology = topology_of(settings)
        transport = connect(bus or settings.bus)
        transport.declare(topology)
        differences = transport.differences(topology)
        terminal.say(
            zh=f"已就绪：{len(topology.queues)} 个队列，{len(topology.bindings)} 个绑定。",
            en=f"Ready: {len(topology.queues)} queues, {len(topology.bindings)} bindings.",
        )
        _finish(terminal, differences)


def run_show(terminal: Terminal, config: Path) -> None:
    """Print the model and how the bus differs from it."""
    with exit_codes(terminal):
        settings = load(config)
        topology = topology_of(settings)
        _show_model(terminal, topology)
        _finish(terminal, connect(settings.bus).differences(topology))


def _show_model(terminal: Terminal, topology: Topology) -> None:
    columns = {"zh": ("队列", "参数", "绑定"), "en": ("queue", "arguments", "bound by")}[terminal.language]
    rows = [
        (
            queue.name,
            " ".join(f"{name.removeprefix('x-')}={value}" for name, value in queue.arguments.items()),
            " ".join(f"{b.exchange}:{b.key or '*'}" for b in topology.bindings if b.queue == queue.name),
        )
        for queue in topology.queues
    ]
    terminal.table(say(terminal.language, zh="模型", en="model"), columns, rows)


def _finish(terminal: Terminal, differences: list[str]) -> None:
    for difference in differences:
        terminal.say(zh=f"差别：{difference}", en=f"differs: {difference}")
    if not differences:
        terminal.say(zh="总线与模型一致。", en="The bus is equal to the model.")
    terminal.result({"differences": differences})
    if differences:
        raise SystemExit(Exit.FOUND)
