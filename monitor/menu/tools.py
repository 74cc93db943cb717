"""simulate, bench, schema, topology, keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.menu.options import (
    CONFIG,
    SEED,
    TIMEOUT_S,
    Config,
    Json,
    Lang,
    Seed,
    Timeout,
    UnusedConfig,
    group,
    open_terminal,
)

schema_app = group("统一标准 · The unified schema.")
topology_app = group("队列与绑定 · Exchanges, queues, bindings.")
keys_app = group("密钥与信任 · Keys and whom to trust.")


def simulate(
    platform: Annotated[Literal["cgs"], typer.Argument(metavar="PLATFORM", help="平台 · Platform: cgs.")],
    *,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="要建立并写入的数据库 · Database to create and feed.")
    ],
    division: Annotated[
        str, typer.Option("--division", metavar="CODE", help="区划 · Division: 440604, 440607, 440608.")
    ],
    records: Annotated[int, typer.Option("--records", metavar="N", min=1, help="多少条 · How many records.")] = 1000,
    rate: Annotated[
        float,
        typer.Option(
            "--rate",
            metavar="N",
            min=0,
            help="每秒条数；0 为一次写完过去数月的 · Records a second, now; 0 = months past, at once.",
        ),
    ] = 0.0,
    seed: Seed = SEED,
    first_case: Annotated[
        int,
        typer.Option(
            "--first-case", metavar="N", min=0, help="首个案件号，续写时用 · Number of the first case, to add more."
        ),
    ] = 0,
    quirk: Annotated[
        list[str] | None, typer.Option("--quirk", metavar="NAME[=SHARE]", help="怪癖，可重复 · A quirk; may repeat.")
    ] = None,
    timeout: Timeout = TIMEOUT_S,
    config: UnusedConfig = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """Speak a platform's interface."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.simulate import SimulateOptions, run_simulate

    quirks = tuple(quirk or ())
    run_simulate(terminal, SimulateOptions(platform, url, division, records, rate, seed, first_case, quirks, timeout))


def bench(
    *,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="轮数 · Rounds.")] = 5,
    records: Annotated[
        int, typer.Option("--records", metavar="N", min=1000, help="每轮条数 · Records a round.")
    ] = 40_000,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            metavar="NAME",
            help="只测此项，可重复 · Only this part; may repeat: single, double, package, package-double, consume, "
            "pg-store, journal, latency, memory.",
        ),
    ] = None,
    seconds: Annotated[
        int, typer.Option("--seconds", metavar="N", min=1, help="时延测多久 · Seconds of `latency`.")
    ] = 60,
    memory_records: Annotated[
        int, typer.Option("--memory-records", metavar="N", min=1000, help="内存测多少条 · Records of `memory`.")
    ] = 1_000_000,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="写成一页 · Write docs/reference/bench.md.")
    ] = None,
    config: UnusedConfig = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """Measure."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.bench import run_bench

    run_bench(
        terminal,
        rounds=rounds,
        records=records,
        parts=part or [],
        seconds=seconds,
        memory_records=memory_records,
        report=report,
    )


@schema_app.command(
    "docs",
    help="由 XSD 生成数据字典 (HTML) · Write the data dictionary from the XSD.",
    epilog="例 · Example:  gateway schema docs --out dictionary.html",
)
def schema_docs(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="写入 · Where to write.")] = Path(
        "dictionary.html"
    ),
    config: UnusedConfig = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """Write the data dictionary."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.schema import run_docs

    run_docs(terminal, out)


@topology_app.command(
    "apply",
    help="创建缺少的交换机、队列和绑定；不改已有的 · Create what is missing; never change what exists.",
    epilog="例 · Example:  gateway topology apply --bus 'amqp://operator:PASSWORD@mq/supervision'",
)
def topology_apply(
    *,
    bus: Annotated[
        str | None, typer.Option("--bus", metavar="URL", help="用此账号 (操作员) · URL with the operator's account.")
    ] = None,
    timeout: Timeout = TIMEOUT_S,
    config: Config = CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """Create what is missing."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.topology import run_apply

    run_apply(terminal, config, bus=bus, timeout_s=timeout)


@topology_app.command(
    "show",
    help="模型，以及总线与它的差别 · The model, and how the bus differs from it.",
    epilog="例 · Example:  gateway topology show",
)
def topology_show(*, timeout: Timeout = TIMEOUT_S, config: Config = CONFIG, json: Json = False, lang: Lang) -> None:
    """Show model and differences."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.topology import run_show

    run_show(terminal, config, timeout_s=timeout)


@keys_app.command(
    "new",
    help="生成私钥，并打印要写入信任文件的公钥 · Make a key; print what belongs into the trust file.",
    epilog="例 · Example:  gateway keys new keys/foshan-2.pem --name foshan-2",
)
def keys_new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="私钥文件 (0600) · File of the private key; a new one.")],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="密钥名，默认为文件名 · Name of the key; default: the file's name."
        ),
    ] = None,
    config: UnusedConfig = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """Make a key."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.keys import run_new

    run_new(terminal, file, name=name or file.stem)


@keys_app.command(
    "list",
    help="信任文件里的密钥，哪一个在此签名 · Keys of the trust file, and which one signs here.",
    epilog="例 · Example:  gateway keys list",
)
def keys_list(*, config: Config = CONFIG, json: Json = False, lang: Lang) -> None:
    """List the trusted keys."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.keys import run_list

    run_list(terminal, config)


@keys_app.command(
    "export",
    help="导出信任文件给核验方，不含私钥 · Write the trust file for whoever verifies; no private key.",
    epilog="例 · Example:  gateway keys export --out trust-for-core.yaml",
)
def keys_export(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="写入新文件 · A new file.")],
    config: Config = CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """Copy the trust file."""
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.keys import run_export

    run_export(terminal, config, out)
