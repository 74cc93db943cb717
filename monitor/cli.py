"""The command `gateway`: assembles the menu, and turns what goes wrong before a command begins into exit codes."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import typer
from typer.exceptions import TyperException

from monitor.menu import service, stream, tools
from monitor.menu.mapping import mapping_app
from monitor.ownership import ownership_problems
from monitor.terminal import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Entry(NamedTuple):
    """A line of the menu."""

    command: Callable[..., None]
    zh: str
    en: str
    example: str


_MENU: Final = (
    _Entry(
        service.demo,
        "演示：模拟平台、采集、发布、核验，无需任何服务",
        "Demonstration, no service needed: simulated platforms are drained, published, consumed and verified.",
        "gateway demo --records 3000",
    ),
    _Entry(
        service.init,
        "新建带注释的部署：gateway.yaml、密钥 (0600)、trust.yaml",
        "Write a commented deployment: gateway.yaml, keys (0600), trust.yaml.",
        "gateway init /srv/gateway",
    ),
    _Entry(
        service.check,
        "检查配置、映射、标准；不改变任何东西",
        "Lint configuration, mappings, schema; change nothing.",
        "gateway check --connect",
    ),
    _Entry(
        service.run,
        "运行网关；--drain 取完即止，并打印平衡等式",
        "The service; --drain stops when nothing is left to read or send, and prints the equation.",
        "gateway run --drain --source chancheng",
    ),
    _Entry(
        service.status,
        "进度、滞后、平衡等式、被扣留的记录",
        "Progress, lag, equation, held-back records.",
        "gateway status --json",
    ),
    _Entry(
        stream.tap,
        "旁听：打印核验过的记录，不影响任何消费者",
        "A wire tap: print records as they are verified, without disturbing any consumer.",
        "gateway tap --from first --kind SL --count 10",
    ),
    _Entry(
        stream.verify,
        "不经网关核验日志：缺失、重复、乱序、篡改、伪造、断尾",
        "Audit a journal without the gateway: gap, double, reorder, altered, forged, head, tail, checkpoint. "
        "Without FILE and --journal: the journal of --config.",
        "gateway verify journal.jsonl --trust trust.yaml",
    ),
    _Entry(
        tools.simulate,
        "模拟一个平台的接口及其怪癖",
        "Speak a platform's interface, quirks on demand.",
        "gateway simulate cgs --url sqlite:///chancheng.db --division 440604 --records 1000",
    ),
    _Entry(
        tools.bench,
        "测速：与同一轮里的标尺相比",
        "Measure, as ratios to a yardstick in the same run.",
        "gateway bench --rounds 5 --json",
    ),
)
_GROUPS: Final = {
    "mapping": mapping_app,
    "schema": tools.schema_app,
    "topology": tools.topology_app,
    "keys": tools.keys_app,
}

app = typer.Typer(
    name="gateway",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="行政审批交换网关 · Integration middleware between approval platforms and the supervision core.\n\n"
    "从这里开始 · Start here:  gateway demo   or   gateway init DIR",
    epilog="例 · Example:  gateway demo",
)
for entry in _MENU:
    app.command(
        help=f"{entry.zh}。\n\n{entry.en}",
        short_help=f"{entry.zh} · {entry.en.partition('. ')[0]}",
        epilog=f"例 · Example:  {entry.example}",
    )(entry.command)
for name, group in _GROUPS.items():
    app.add_typer(group, name=name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command `gateway`; ends by SystemExit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):  # a locale without Chinese must not end a command
            output.reconfigure(errors="backslashreplace")
    try:
        code = app(given, prog_name="gateway", standalone_mode=False)
    except TyperException as error:
        _show_misuse(error, is_json="--json" in given)
        code = error.exit_code
    except ImportError as error:
        problems = ownership_problems()
        if not problems:
            raise
        print(error, *problems, sep="\n", file=sys.stderr)
        code = Exit.WRONG_USE
    sys.exit(code or Exit.DONE)


def _show_misuse(error: TyperException, *, is_json: bool) -> None:
    """The parser's own words, and a JSON object for whoever asked for one."""
    show = getattr(error, "show", None)
    if show is not None:
        show()
    else:
        print(error.format_message(), file=sys.stderr)
    if is_json:
        value = {"error": "usage", "exit": int(error.exit_code), "problems": [error.format_message()]}
        print(json.dumps(value, ensure_ascii=False))
