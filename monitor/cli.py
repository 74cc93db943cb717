"""The command `gateway`. Each command imports its own work, so that `--help` stays fast."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.texts import default_language

app = typer.Typer(
    name="gateway",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="行政审批交换网关 · Integration middleware between approval platforms and the supervision core.\n\n"
    "从这里开始 · Start here:  gateway demo   or   gateway init DIR",
)
mapping_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="映射工具 · Mapping author's tools.")
schema_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="统一标准 · The unified schema.")
topology_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="队列与绑定 · Exchanges, queues, bindings."
)
keys_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="密钥 · Keys and whom to trust.")
for name, sub in (("mapping", mapping_app), ("schema", schema_app), ("topology", topology_app), ("keys", keys_app)):
    app.add_typer(sub, name=name)

Config = Annotated[Path, typer.Option("--config", help="配置文件 · The deployment's file.")]
Json = Annotated[bool, typer.Option("--json", help="最后一行输出 JSON · One JSON object on the last line.")]
Lang = Annotated[Literal["zh", "en"], typer.Option("--lang", help="语言 · Language.", default_factory=default_language)]
Timeout = Annotated[float, typer.Option("--timeout", help="等待服务的秒数 · Seconds to wait for a service.")]

_CONFIG = Path("gateway.yaml")


@app.command(epilog="例 · Example:  gateway demo --records 3000")
def demo(
    *,
    records: Annotated[
        int, typer.Option("--records", min=21, help="三个区共多少条 · Records, three districts together.")
    ] = 3000,
    seed: Annotated[int, typer.Option("--seed", help="种子 · Seed of the simulated cases.")] = 20100301,
    serve: Annotated[bool, typer.Option("--serve", help="持续运行，直到 Ctrl-C · Keep running until Ctrl-C.")] = False,
    directory: Annotated[Path | None, typer.Option("--dir", help="保留文件的目录 · Keep the files here.")] = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """无需任何服务：模拟平台、采集、发布、核验，并打印平衡等式。.

    No service needed: simulated platforms are drained, published, consumed and verified as the core would do it.
    """
    from monitor.commands.demo import run_demo
    from monitor.terminal import Terminal

    run_demo(Terminal(lang, json), records=records, seed=seed, is_serving=serve, directory=directory)


@app.command(epilog="例 · Example:  gateway init /srv/gateway")
def init(
    directory: Annotated[Path, typer.Argument(help="空目录 · A new or empty folder.")],
    *,
    group: Annotated[str, typer.Option("--group", help="流名前缀 · First part of every stream's name.")] = "foshan",
    json: Json = False,
    lang: Lang,
) -> None:
    """新建一个带注释的部署：gateway.yaml、密钥 (0600)、trust.yaml。.

    Write a commented deployment: gateway.yaml, keys (0600), trust.yaml.
    """
    from monitor.commands.deployment import run_init
    from monitor.terminal import Terminal

    run_init(Terminal(lang, json), directory, group=group)


@app.command(epilog="例 · Example:  gateway check --connect")
def check(
    *,
    connect: Annotated[
        bool, typer.Option("--connect", help="也连接来源、账本和总线 · Try sources, store and bus.")
    ] = False,
    config: Config = _CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """检查配置、映射和标准；不改变任何东西。.

    Lint configuration, mappings and schema; with --connect try every source, the store and the bus. Changes nothing.
    """
    from monitor.commands.deployment import run_check
    from monitor.terminal import Terminal

    run_check(Terminal(lang, json), config, is_connecting=connect)


@app.command(epilog="例 · Example:  gateway run --drain --source chancheng")
def run(
    *,
    drain: Annotated[bool, typer.Option("--drain", help="全部采集并发布后停止 · Stop when nothing is left.")] = False,
    source: Annotated[list[str] | None, typer.Option("--source", help="只运行这些来源 · Only these sources.")] = None,
    config: Config = _CONFIG,
    timeout: Timeout = 300.0,
    json: Json = False,
    lang: Lang,
) -> None:
    """运行网关；--drain 取完即止并打印平衡等式。.

    The service. With --drain it stops when nothing is left to read or send, and prints the equation.
    """
    from monitor.commands.run import run_gateway
    from monitor.terminal import Terminal

    run_gateway(Terminal(lang, json), config, is_draining=drain, sources=source or [], timeout_s=timeout)


@app.command(epilog="例 · Example:  gateway status --json")
def status(*, config: Config = _CONFIG, json: Json = False, lang: Lang) -> None:
    """各来源的进度、平衡等式和被扣留的记录。.

    Progress, lag, equation and held-back records of every source.
    """
    from monitor.commands.status import run_status
    from monitor.terminal import Terminal

    run_status(Terminal(lang, json), config)


@app.command(epilog="例 · Example:  gateway tap --from first --kind SL --count 10")
def tap(
    *,
    start: Annotated[str, typer.Option("--from", help="first | last | 时间 TIME | 序号 SEQ")] = "last",
    kind: Annotated[str | None, typer.Option("--kind", help="只看这一类 · Only this KIND.")] = None,
    division: Annotated[str | None, typer.Option("--division", help="只看这个区划 · Only this division.")] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="看到这么多条后停止 · Stop after so many.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="写出原始消息 · Write whole messages as JSON Lines.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="写入文件 · Where --raw writes.")] = None,
    idle: Annotated[float | None, typer.Option("--idle", help="安静这么多秒后停止 · Stop after silence.")] = None,
    config: Config = _CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """旁听：打印核验过的记录，不影响任何消费者。.

    A wire tap on the journal: prints records as they are verified, without disturbing any consumer.
    """
    from monitor.commands.tap import TapOptions, run_tap
    from monitor.terminal import Terminal

    options = TapOptions(start, kind, division, count, raw, out, idle)
    run_tap(Terminal(lang, json), config, options)


@app.command(epilog="例 · Example:  gateway verify journal.jsonl --trust trust.yaml")
def verify(
    file: Annotated[Path | None, typer.Argument(help="`tap --raw` 的文件 · A file made by `tap --raw`.")] = None,
    *,
    journal: Annotated[
        str | None, typer.Option("--journal", help="总线 URL · URL of a bus whose journal is read.")
    ] = None,
    trust: Annotated[Path, typer.Option("--trust", help="信任文件 · Whose signatures count.")] = Path("trust.yaml"),
    timeout: Timeout = 300.0,
    json: Json = False,
    lang: Lang,
) -> None:
    """不经网关核验日志：缺失、重复、乱序、篡改、伪造、断尾。.

    Audit a journal without the gateway: gap, double, reorder, altered, forged, head, tail, checkpoint.
    """
    from monitor.commands.verify import run_verify
    from monitor.terminal import Terminal

    run_verify(Terminal(lang, json), file, journal=journal, trust=trust, timeout_s=timeout)


@app.command(epilog="例 · Example:  gateway simulate cgs --url sqlite:///chancheng.db --division 440604 --records 1000")
def simulate(
    platform: Annotated[Literal["cgs"], typer.Argument(help="平台 · Platform.")],
    *,
    url: Annotated[str, typer.Option("--url", help="数据库 URL · Database to create and feed.")],
    division: Annotated[str, typer.Option("--division", help="区划代码 · Division.")],
    records: Annotated[int, typer.Option("--records", min=1, help="多少条 · How many records.")] = 1000,
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="每秒条数，0 为尽快 · Records a second, 0 = at once.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="种子 · Seed.")] = 20100301,
    quirk: Annotated[list[str] | None, typer.Option("--quirk", help="怪癖 · A quirk to switch on; may repeat.")] = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """模拟一个平台的接口及其怪癖。.

    Speak a platform's interface, quirks on demand.
    """
    from monitor.commands.simulate import SimulateOptions, run_simulate
    from monitor.terminal import Terminal

    options = SimulateOptions(platform, url, division, records, rate, seed, tuple(quirk or ()))
    run_simulate(Terminal(lang, json), options)


@mapping_app.command("lint", epilog="例 · Example:  gateway mapping lint cgs")
def mapping_lint(
    platform: Annotated[str, typer.Argument(help="平台 · Platform.")],
    *,
    directory: Annotated[Path | None, typer.Option("--dir", help="映射目录 · Folder of the mappings.")] = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """对照标准检查映射：文件、行、列。 Lint against the schema: file, line, column."""
    from monitor.commands.mapping import run_lint
    from monitor.terminal import Terminal

    run_lint(Terminal(lang, json), platform, directory)


@mapping_app.command("test", epilog="例 · Example:  gateway mapping test cgs")
def mapping_test(
    platform: Annotated[str, typer.Argument(help="平台 · Platform.")],
    *,
    directory: Annotated[Path | None, typer.Option("--dir", help="映射目录 · Folder of the mappings.")] = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """运行样例对。 Run the golden pairs beside each document."""
    from monitor.commands.mapping import run_test
    from monitor.terminal import Terminal

    run_test(Terminal(lang, json), platform, directory)


@mapping_app.command("explain", epilog="例 · Example:  gateway mapping explain cgs SL acceptedAt")
def mapping_explain(
    platform: Annotated[str, typer.Argument(help="平台 · Platform.")],
    kind: Annotated[str, typer.Argument(help="类别 · KIND.")],
    field: Annotated[str | None, typer.Argument(help="元素名 · Element; all when left out.")] = None,
    *,
    row: Annotated[Path | None, typer.Option("--row", help="来源行 (YAML) · A row, as in a golden pair.")] = None,
    directory: Annotated[Path | None, typer.Option("--dir", help="映射目录 · Folder of the mappings.")] = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """为什么是这个值：来源字段、函数、代码表行。 Why this value: column, functions, table row."""
    from monitor.commands.mapping import run_explain
    from monitor.terminal import Terminal

    run_explain(Terminal(lang, json), platform, kind, field=field, row=row, directory=directory)


@mapping_app.command("coverage", epilog="例 · Example:  gateway mapping coverage cgs")
def mapping_coverage(
    platform: Annotated[str, typer.Argument(help="平台 · Platform.")],
    *,
    directory: Annotated[Path | None, typer.Option("--dir", help="映射目录 · Folder of the mappings.")] = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """样例对覆盖了哪些目标、函数、代码表行。 What the golden pairs exercise."""
    from monitor.commands.mapping import run_coverage
    from monitor.terminal import Terminal

    run_coverage(Terminal(lang, json), platform, directory)


@schema_app.command("docs", epilog="例 · Example:  gateway schema docs --out dictionary.html")
def schema_docs(
    *,
    out: Annotated[Path, typer.Option("--out", help="写入 · Where to write.")] = Path("dictionary.html"),
    json: Json = False,
    lang: Lang,
) -> None:
    """由 XSD 生成数据字典 (HTML)。 Write the data dictionary from the XSD."""
    from monitor.commands.schema import run_docs
    from monitor.terminal import Terminal

    run_docs(Terminal(lang, json), out)


@topology_app.command("apply", epilog="例 · Example:  gateway topology apply --bus amqp://operator:…@host/supervision")
def topology_apply(
    *,
    bus: Annotated[
        str | None, typer.Option("--bus", help="操作员账号的 URL · URL with the operator's account.")
    ] = None,
    config: Config = _CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """创建缺少的交换机、队列和绑定。 Create what is missing; never changes what exists."""
    from monitor.commands.topology import run_apply
    from monitor.terminal import Terminal

    run_apply(Terminal(lang, json), config, bus=bus)


@topology_app.command("show", epilog="例 · Example:  gateway topology show")
def topology_show(*, config: Config = _CONFIG, json: Json = False, lang: Lang) -> None:
    """模型，以及总线与它的差别。 The model, and how the bus differs from it."""
    from monitor.commands.topology import run_show
    from monitor.terminal import Terminal

    run_show(Terminal(lang, json), config)


@keys_app.command("new", epilog="例 · Example:  gateway keys new keys/foshan-2.pem --name foshan-2")
def keys_new(
    file: Annotated[Path, typer.Argument(help="私钥文件 · File of the private key (0600); must not exist.")],
    *,
    name: Annotated[str, typer.Option("--name", help="密钥名 · Name of the key, as in checkpoints.")],
    json: Json = False,
    lang: Lang,
) -> None:
    """生成密钥，打印要写入信任文件的公钥。 Make a key; print what belongs into the trust file."""
    from monitor.commands.keys import run_new
    from monitor.terminal import Terminal

    run_new(Terminal(lang, json), file, name=name)


@keys_app.command("list", epilog="例 · Example:  gateway keys list")
def keys_list(*, config: Config = _CONFIG, json: Json = False, lang: Lang) -> None:
    """信任文件里的密钥。 Keys of the trust file, and which one signs here."""
    from monitor.commands.keys import run_list
    from monitor.terminal import Terminal

    run_list(Terminal(lang, json), config)


@keys_app.command("export", epilog="例 · Example:  gateway keys export --out trust-for-core.yaml")
def keys_export(
    *,
    out: Annotated[Path, typer.Option("--out", help="写入 · Where to write.")],
    config: Config = _CONFIG,
    json: Json = False,
    lang: Lang,
) -> None:
    """导出信任文件（不含私钥）给核验方。 Write the trust file, without any private key, for whoever verifies."""
    from monitor.commands.keys import run_export
    from monitor.terminal import Terminal

    run_export(Terminal(lang, json), config, out)


@app.command(epilog="例 · Example:  gateway bench --rounds 5 --json")
def bench(
    *,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="轮数 · Rounds.")] = 5,
    records: Annotated[int, typer.Option("--records", min=1000, help="每轮条数 · Records a round.")] = 40_000,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            help="只测这些 · Only these parts: single, double, package, package-double, consume, pg-store, "
            "journal, latency, memory.",
        ),
    ] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=1, help="时延测多久 · Seconds of `latency`.")] = 60,
    memory_records: Annotated[
        int, typer.Option("--memory-records", min=1000, help="内存测多少条 · Records of `memory`.")
    ] = 1_000_000,
    report: Annotated[Path | None, typer.Option("--report", help="写成一页 · Write docs/reference/bench.md.")] = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """测速：自带 RabbitMQ 与 PostgreSQL，与同一轮里的标尺相比。.

    Measure, as ratios to a yardstick in the same run; RabbitMQ and PostgreSQL are started for it and removed again.
    """
    from monitor.commands.bench import run_bench
    from monitor.terminal import Terminal

    run_bench(
        Terminal(lang, json),
        rounds=rounds,
        records=records,
        parts=part or [],
        seconds=seconds,
        memory_records=memory_records,
        report=report,
    )


def main() -> None:
    """Entry point of the command `gateway`."""
    app()


def parse_start(text: str) -> str | int | datetime:
    """`--from`: first, last, a sequence number or a time; raises ValueError."""
    if text in {"first", "last"}:
        return text
    if text.isdecimal():
        return int(text)
    return datetime.fromisoformat(text)
