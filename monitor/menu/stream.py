"""tap, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.menu.options import CONFIG, TIMEOUT_S, Config, Json, Lang, Timeout, open_terminal


def tap(
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="WHERE", help="从何处起 · first | last | 时间 TIME | 序号 SEQ")
    ] = "last",
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="只看此类，如 SL · Only this KIND.")
    ] = None,
    division: Annotated[
        str | None, typer.Option("--division", metavar="CODE", help="只看此区划 · Only this division.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", min=1, help="看满几条即停 · Stop after so many.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="写出整条消息 (JSON Lines) · Whole messages, for `verify`.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="--raw 写入此文件 · Where --raw writes.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="也显示记录 XML · Show each record's XML.")] = False,
    idle: Annotated[
        float | None,
        typer.Option("--idle", metavar="SECONDS", min=0, help="安静几秒即停 · Stop after so many silent seconds."),
    ] = None,
    timeout: Timeout = TIMEOUT_S,
    config: Config = CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """Print records as they are verified."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.tap import TapOptions, run_tap

    run_tap(terminal, config, TapOptions(start, kind, division, count, raw, out, full, idle, timeout))


def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="`tap --raw` 的文件 · A file made by `tap --raw`.")
    ] = None,
    *,
    journal: Annotated[
        str | None, typer.Option("--journal", metavar="URL", help="读此总线的日志 · Read the journal of this bus.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", metavar="FILE", help="谁的签名有效 · Whose signatures count.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="各流必须从第 1 条开始 · Every stream must begin at number 1.")
    ] = False,
    timeout: Timeout = TIMEOUT_S,
    config: Config = CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """Audit a journal without the gateway."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.verify import VerifyOptions, run_verify

    run_verify(terminal, VerifyOptions(file, journal, trust, config, whole, timeout))
