"""demo, init, check, run, status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.menu.options import CONFIG, SEED, TIMEOUT_S, Config, Json, Lang, Seed, Timeout, UnusedConfig, open_terminal


def demo(
    *,
    records: Annotated[
        int, typer.Option("--records", metavar="N", min=300, help="三个区共多少条 · Records, all districts.")
    ] = 3000,
    seed: Seed = SEED,
    serve: Annotated[bool, typer.Option("--serve", help="持续运行，直到 Ctrl-C · Keep running until Ctrl-C.")] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="保留全部文件于此新目录 · Keep all files in this new folder."),
    ] = None,
    config: UnusedConfig = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """The whole path on this machine."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.demo import run_demo

    run_demo(terminal, records=records, seed=seed, is_serving=serve, directory=directory)


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="新目录 · A new or empty folder.")],
    *,
    group: Annotated[
        str, typer.Option("--group", metavar="NAME", help="流名前缀 · First part of every stream's name.")
    ] = "foshan",
    config: UnusedConfig = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """Write a commented deployment."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.deployment import run_init

    run_init(terminal, directory, group=group)


def check(
    *,
    connect: Annotated[
        bool, typer.Option("--connect", help="也试连来源、账本和总线 · Also try sources, store and bus.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", min=0, help="试连的秒数，0 为一次 · Seconds to keep trying; 0 = once."
        ),
    ] = 0.0,
    config: Config = CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """Lint configuration, mappings and schema."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.check import run_check

    run_check(terminal, config, is_connecting=connect, timeout_s=timeout)


def run(
    *,
    drain: Annotated[bool, typer.Option("--drain", help="全部采集并发布后停止 · Stop when nothing is left.")] = False,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="NAME", help="只运行此来源，可重复 · Only this source; may repeat."),
    ] = None,
    timeout: Timeout = TIMEOUT_S,
    config: Config = CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """Run the service."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.run import run_gateway

    run_gateway(terminal, config, is_draining=drain, sources=source or [], timeout_s=timeout)


def status(*, timeout: Timeout = TIMEOUT_S, config: Config = CONFIG, json: Json = False, lang: Lang) -> None:
    """Show progress, lag, equation and held-back records."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.status import run_status

    run_status(terminal, config, timeout_s=timeout)
