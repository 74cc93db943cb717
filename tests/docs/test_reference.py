"""Reference pages say everything that the program has, and the vendor's page every column."""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING, Any

import typer

from adapters.cgs import PLATFORM
from adapters.options import DatabaseOptions
from bus import errors
from bus.transport import rabbitmq
from monitor.cli import app
from monitor.settings import Settings, SigningSettings, SourceSettings
from monitor.terminal import Exit
from tests.docs.pages import ROOT, page, sections, words
from xsd.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    for word, each in getattr(command, "commands", {}).items():
        if hasattr(each, "commands"):
            yield from _commands(each, f"{name} {word}")
        else:
            yield f"{name} {word}", each


def test_the_page_of_commands_names_every_command_and_option() -> None:
    documented = sections(page("docs/reference/cli.md"))
    commands = dict(_commands(typer.main.get_command(app), "gateway"))
    assert list(commands) == list(documented)
    for name, command in commands.items():
        options = {o for p in command.params for o in p.opts if o.startswith("--")} - {"--help"}
        assert options - words(documented[name]) == set(), name


def test_the_page_of_configuration_names_every_key() -> None:
    documented = sections(page("docs/reference/configuration.md"))
    top = {*Settings.model_fields} - {"signing"} | {f"signing.{name}" for name in SigningSettings.model_fields}
    assert _first_cells(documented["The whole file"]) == top
    assert _first_cells(documented["A source"]) == {*SourceSettings.model_fields}
    assert _first_cells(documented["`options` of `cgs`"]) == {*DatabaseOptions.model_fields}
    assert _first_cells(documented["`bus` on RabbitMQ"]) == {*rabbitmq._OPTIONS}


def test_defaults_of_options_are_as_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", page("docs/reference/configuration.md"), re.MULTILINE)
    fields = DatabaseOptions.model_fields
    documented = {name: int(value) for name, value in rows if name in fields}
    expected = {name: field.default for name, field in fields.items() if type(field.default) in (int, float)}
    assert documented == expected


def test_the_page_of_errors_names_every_class_exit_code_and_rule() -> None:
    documented = sections(page("docs/reference/errors.md"))
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and kind.__module__ == "bus.errors"}
    assert kinds <= _first_cells(documented["The type says what the runtime does"])
    codes = re.findall(r"^\| (\d) \| (\w+) \|", documented["Exit codes"], re.MULTILINE)
    assert {(int(code), name) for code, name in codes} == {(each.value, each.name) for each in Exit}
    rows = re.findall(r"^\| (`[^|]+) \| (\w+) \|", documented["Rules of one record"], re.MULTILINE)
    severities = {rule: severity for names, severity in rows for rule in re.findall(r"`(\w+)`", names)}
    assert severities == {rule.name: rule.severity for rule in RULES}


def test_the_page_of_errors_names_every_code_of_a_fault() -> None:
    code = re.compile(r'"((?:MAP|XSD|XML)_[A-Z_]+)"|Fault\(\s*"([A-Z_]+)"')
    found: set[str] = set()
    for folder in ("adapters", "bus", "mappings", "xsd"):
        for file in (ROOT / folder).rglob("*.py"):
            found |= {a or b for a, b in code.findall(file.read_text(encoding="utf-8"))}
    assert len(found) > 30
    assert found - words(page("docs/reference/errors.md")) == set()


def test_the_vendors_page_names_every_column_with_its_size() -> None:
    text = page("docs/howto/vendor.md")
    for table in PLATFORM.tables:
        (row,) = re.findall(rf"^\| `{table.table}` .*$", text, re.MULTILINE)
        shared = {"BZ", "GXSJ", "ISGET", "YWLSH", "SJBBH", "XH"}
        for column in table.columns:
            if column.name not in shared:
                size = {"text": f"S{column.size}", "integer": "I", "time": "T"}[column.type]
                assert re.search(rf"\b{column.name}\W+ {size}\b|\b{column.name} {size}\b", row), column
        assert f"| {table.kind} |" in row


def test_every_dependency_has_a_line() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    names = {re.split(r"[\[<>=~]", line.strip())[0] for text in wanted for line in text.splitlines() if line.strip()}
    cells = re.findall(r"^\| ([^|]+) \|", page("docs/dependencies.md"), re.MULTILINE)
    documented = {name.strip() for cell in cells for name in cell.split(",")}
    assert names - documented == set()


def _first_cells(text: str) -> set[str]:
    """Quoted names in the first cell of each row of a table."""
    cells = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
