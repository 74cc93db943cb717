"""mapping lint, test, explain, coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.menu.options import Json, Lang, UnusedConfig, group, open_terminal

mapping_app = group("映射工具 · Mapping author's tools.")

Platform = Annotated[str, typer.Argument(metavar="PLATFORM", help="平台，如 cgs · Platform, e.g. cgs.")]
Directory = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIR", help="映射目录，默认随附的 · Folder of the mappings; default: those shipped."),
]


@mapping_app.command(
    "lint",
    help="对照标准检查映射：文件、行、列 · Check mappings against the schema: file, line, column.",
    epilog="例 · Example:  gateway mapping lint cgs",
)
def mapping_lint(
    platform: Platform, *, directory: Directory = None, config: UnusedConfig = None, json: Json = False, lang: Lang
) -> None:
    """Check mappings against the schema."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.mapping import run_lint

    run_lint(terminal, platform, directory)


@mapping_app.command(
    "test",
    help="运行样例对 · Run the golden pairs beside each document.",
    epilog="例 · Example:  gateway mapping test cgs",
)
def mapping_test(
    platform: Platform, *, directory: Directory = None, config: UnusedConfig = None, json: Json = False, lang: Lang
) -> None:
    """Run the golden pairs."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.mapping import run_test

    run_test(terminal, platform, directory)


@mapping_app.command(
    "explain",
    help="为什么是这个值：来源列、函数、代码表行 · Why this value: column, functions, row of the code table.",
    epilog="例 · Example:  gateway mapping explain cgs SL acceptedAt",
)
def mapping_explain(
    platform: Platform,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="类别，如 SL · KIND, e.g. SL.")],
    field: Annotated[
        str | None, typer.Argument(metavar="FIELD", help="元素名，默认全部 · Element; default: all.")
    ] = None,
    *,
    row: Annotated[
        Path | None,
        typer.Option("--row", metavar="FILE", help="来源行 (YAML)，默认取样例 · A row; default: a golden one."),
    ] = None,
    directory: Directory = None,
    config: UnusedConfig = None,
    json: Json = False,
    lang: Lang,
) -> None:
    """Explain a value."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.mapping import run_explain

    run_explain(terminal, platform, kind, field=field, row=row, directory=directory)


@mapping_app.command(
    "coverage",
    help="样例对覆盖了哪些目标、函数、代码表行 · What the golden pairs exercise.",
    epilog="例 · Example:  gateway mapping coverage cgs",
)
def mapping_coverage(
    platform: Platform, *, directory: Directory = None, config: UnusedConfig = None, json: Json = False, lang: Lang
) -> None:
    """Show what the golden pairs exercise."""
    del config
    terminal = open_terminal(lang, is_json=json)
    from monitor.commands.mapping import run_coverage

    run_coverage(terminal, platform, directory)
