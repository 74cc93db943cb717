"""`gateway topology`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bus.transport import connect
from monitor.bootstrap import open_bus, topology_of
from monitor.patience import patiently
from monitor.settings import load
from monitor.terminal import Exit, exit_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bus.topology import Topology
    from bus.transport import ConnectedTransport
    from monitor.terminal import Terminal
    from monitor.texts import Language

_COLUMNS: Final[Mapping[Language, tuple[str, ...]]] = {
    "zh": ("队列", "参数（x-…）与绑定"),
    "en": ("queue", "arguments (x-…) and bindings"),
}


def run_apply(terminal: Terminal, config: Path, *, bus: str | None, timeout_s: float) -> None:
    """Create what is missing; what exists with other arguments is an error and stays."""
    with exit_codes(terminal):
        settings = load(config)
        topology = topology_of(settings)
        transport = connect(bus or settings.bus)
        patiently(terminal, lambda: transport.declare(topology), timeout_s=timeout_s)
        terminal.say(
            zh=f"已声明：{len(topology.queues)} 个队列，{len(topology.bindings)} 个绑定。",
            en=f"Declared: {len(topology.queues)} queues, {len(topology.bindings)} bindings.",
        )
        _compare(terminal, transport, topology, timeout_s=timeout_s)


def run_show(terminal: Terminal, config: Path, *, timeout_s: float) -> None:
    """Print the model and how the bus differs from it."""
    with exit_codes(terminal):
        settings = load(config)
        topology = topology_of(settings)
        _show_model(terminal, topology)
        transport = patiently(terminal, lambda: open_bus(settings), timeout_s=timeout_s)
        _compare(terminal, transport, topology, timeout_s=timeout_s)


def _show_model(terminal: Terminal, topology: Topology) -> None:
    rows: list[tuple[str, str]] = []
    for queue in topology.queues:
        arguments = (f"{name.removeprefix('x-')}={value}" for name, value in queue.arguments.items())
        rows.append((queue.name, ", ".join(arguments)))
        own = [b for b in topology.bindings if b.queue == queue.name]
        for exchange in dict.fromkeys(b.exchange for b in own):
            keys = " ".join(b.key for b in own if b.exchange == exchange)
            rows.append(("", f"⟵ {exchange} {keys}".rstrip()))
    terminal.table(_COLUMNS[terminal.language], rows)


def _compare(terminal: Terminal, transport: ConnectedTransport, topology: Topology, *, timeout_s: float) -> None:
    differences: Sequence[str] = patiently(terminal, lambda: transport.differences(topology), timeout_s=timeout_s)
    unseen = transport.blind_spots()
    for difference in differences:
        terminal.say(zh=f"✗ 差别：{difference}", en=f"✗ differs: {difference}")
    for text in unseen:
        terminal.say(zh=f"! 看不到：{text}", en=f"! not seen: {text}")
    if not differences:
        terminal.say(
            zh="总线与模型一致（就所能看到的而言）。" if unseen else "总线与模型一致。",
            en="The bus is equal to the model, as far as can be seen." if unseen else "The bus is equal to the model.",
        )
    terminal.result({"differences": list(differences), "not_seen": unseen})
    if differences:
        raise SystemExit(Exit.FOUND)
