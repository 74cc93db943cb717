"""`gateway mapping`: the mapping author's tools."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ruamel.yaml.error import YAMLError

from mappings.coverage import measure_coverage
from mappings.explain import explain_record
from mappings.golden import read_cases, read_record, run_golden
from mappings.library import read_platform
from mappings.lint import lint_platform
from mappings.translator import MappingTranslator
from monitor.terminal import Exit, WrongUseError, cannot_read, exit_codes

if TYPE_CHECKING:
    from pathlib import Path

    from bus.message import Record
    from mappings.library import Platform
    from monitor.terminal import Terminal


def run_lint(terminal: Terminal, platform: str, directory: Path | None) -> None:
    """Print every problem; errors are found things, warnings are not."""
    with exit_codes(terminal):
        report = lint_platform(read_platform(platform, directory=directory))
        terminal.say(zh=report.render("zh"), en=report.render("en"))
        terminal.result(
            {
                "problems": [
                    {"severity": p.severity, "code": p.code, "place": str(p.at), "key": p.key, "zh": p.zh, "en": p.en}
                    for p in report.problems
                ]
            }
        )
        if report.has_errors:
            raise SystemExit(Exit.FOUND)


def run_test(terminal: Terminal, platform: str, directory: Path | None) -> None:
    """Run the golden pairs."""
    with exit_codes(terminal):
        report = run_golden(MappingTranslator.load(platform, directory=directory))
        terminal.say(zh=report.render("zh"), en=report.render("en"))
        terminal.result({"cases": report.cases, "differences": [d.render("en") for d in report.differences]})
        if not report.is_passed:
            raise SystemExit(Exit.FOUND)


def run_explain(
    terminal: Terminal, platform: str, kind: str, *, field: str | None, row: Path | None, directory: Path | None
) -> None:
    """Print why an element has its value, for one row."""
    with exit_codes(terminal):
        translator = MappingTranslator.load(platform, directory=directory)
        record = _record(translator, platform, kind, row=row, directory=directory)
        explanation = explain_record(translator, record)
        if field is None:
            terminal.say(zh=explanation.render("zh"), en=explanation.render("en"))
            terminal.result({"kind": kind, "explanation": explanation.render("en")})
            return
        trace = explanation.target(field)
        if trace is None:
            name = f"{platform}/{kind}.yaml"
            raise WrongUseError((f"{name}：没有元素 {field!r}", f"{name}: has no target {field!r}"))
        terminal.say(zh=trace.render("zh"), en=trace.render("en"))
        terminal.result({"kind": kind, "field": field, "explanation": trace.render("en")})


def _record(
    translator: MappingTranslator, platform: str, kind: str, *, row: Path | None, directory: Path | None
) -> Record:
    """The row that was named, or the first golden pair's."""
    if kind not in translator.plans:
        known = ", ".join(sorted(translator.plans))
        zh, en = (
            f"{platform}：没有 {kind!r} 的映射；已有 {known}",
            f"{platform}: has no mapping for {kind!r}; known are {known}",
        )
        raise WrongUseError((zh, en))
    if row is not None:
        try:
            return read_record(row.read_text(encoding="utf-8"), kind)
        except OSError as error:
            raise cannot_read("--row", row, error) from error
        except (YAMLError, LookupError, TypeError, ValueError, AttributeError) as error:
            zh, en = (
                "不是来源行；请照样例对的 `record:` 书写",
                "is no row; write it like the `record:` of a golden pair",
            )
            raise WrongUseError((f"--row {row}：{zh}（{error}）", f"--row {row}: {en} ({error})")) from error
    found = _golden(read_platform(platform, directory=directory), kind)
    if found is None:
        name = f"{platform}/{kind}"
        raise WrongUseError(
            (f"{name}：没有样例对；请用 --row 给出一行", f"{name}: has no golden pair; name a row with --row FILE")
        )
    return found


def _golden(platform: Platform, kind: str) -> Record | None:
    """The record of the kind's first golden pair; pairs of other kinds are not read."""
    cases, _ = read_cases(replace(platform, documents={kind: platform.documents[kind]}))
    return cases[0].record if cases else None


def run_coverage(terminal: Terminal, platform: str, directory: Path | None) -> None:
    """Print what the golden pairs do not exercise."""
    with exit_codes(terminal):
        report = measure_coverage(MappingTranslator.load(platform, directory=directory))
        terminal.say(zh=report.render("zh"), en=report.render("en"))
        uncovered = report.uncovered()
        terminal.result(
            {"uncovered": [{"kind": item.kind, "place": str(item.at), "name": item.name} for item in uncovered]}
        )
        if uncovered:
            raise SystemExit(Exit.FOUND)
