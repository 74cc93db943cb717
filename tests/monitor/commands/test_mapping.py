"""`gateway mapping`: lint, golden pairs, explanations and coverage from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mappings
from monitor.commands import mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.monitor.conftest import Done

SHIPPED = Path(mappings.__file__).parent


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with the shipped mapping of one kind and one golden pair."""
    (tmp_path / "cgs" / "golden" / "BZGZ").mkdir(parents=True)
    for name in ("BZGZ.yaml", "golden/BZGZ/plain.yaml"):
        shutil.copy(SHIPPED / "cgs" / name, tmp_path / "cgs" / name)
    return tmp_path


def test_lint_names_file_line_and_column(gateway: Callable[..., Done], own: Path) -> None:
    done = gateway("mapping", "lint", "cgs", "--json")
    assert (done.code, done.json) == (0, {"problems": []})
    document = own / "cgs" / "BZGZ.yaml"
    document.write_text(document.read_text(encoding="utf-8") + "colour: red\n", encoding="utf-8")
    line = document.read_text(encoding="utf-8").count("\n")
    done = gateway("mapping", "lint", "cgs", "--dir", own, "--json", "--lang", "zh")
    assert done.code == 1
    assert f"{document}:{line}:1: " in done.err
    assert done.json["problems"][0]["place"] == f"{document}:{line}:1"


def test_golden_pairs_are_run_and_a_difference_is_found(gateway: Callable[..., Done], own: Path) -> None:
    done = gateway("mapping", "test", "cgs", "--dir", own, "--json")
    assert (done.code, done.json) == (0, {"cases": 1, "differences": []})
    pair = own / "cgs" / "golden" / "BZGZ" / "plain.yaml"
    text = pair.read_text(encoding="utf-8")
    assert 'reason: "' in text
    pair.write_text(text.replace('reason: "', 'reason: "X', 1), encoding="utf-8")
    done = gateway("mapping", "test", "cgs", "--dir", own, "--lang", "zh")
    assert done.code == 1
    assert "reason" in done.out


def test_a_value_is_explained(gateway: Callable[..., Done], own: Path) -> None:
    done = gateway("mapping", "explain", "cgs", "BZGZ", "reason", "--dir", own)
    assert (done.code, done.err) == (0, "")
    assert "BJGZYY" in done.out
    pair = own / "cgs" / "golden" / "BZGZ" / "plain.yaml"
    field = gateway("mapping", "explain", "cgs", "BZGZ", "reason", "--row", pair, "--dir", own, "--json")
    assert field.json["field"] == "reason"
    whole = gateway("mapping", "explain", "cgs", "BZGZ", "--dir", own, "--json", "--lang", "zh")
    assert whole.json["kind"] == "BZGZ"
    assert field.json["explanation"] in whole.json["explanation"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("XX",), "cgs: has no mapping for 'XX'; known are BZGZ"),
        (("BZGZ", "nothing"), "cgs/BZGZ.yaml: has no target 'nothing'"),
        (("BZGZ", "--row", "/nowhere"), "--row /nowhere: cannot be read"),
    ],
)
def test_misuse_is_said(gateway: Callable[..., Done], own: Path, arguments: tuple[str, ...], text: str) -> None:
    done = gateway("mapping", "explain", "cgs", *arguments, "--dir", own)
    assert done.code == 2
    assert text in done.err


@pytest.mark.parametrize("text", ["- a\n", "a: [", "record: 1\n"])
def test_a_row_that_is_none_is_refused(gateway: Callable[..., Done], own: Path, text: str) -> None:
    (own / "row.yaml").write_text(text, encoding="utf-8")
    done = gateway("mapping", "explain", "cgs", "BZGZ", "--row", own / "row.yaml", "--dir", own)
    assert done.code == 2
    assert "is no row; write it like the `record:` of a golden pair" in done.err


def test_without_a_golden_pair_a_row_must_be_named(gateway: Callable[..., Done], own: Path) -> None:
    shutil.rmtree(own / "cgs" / "golden")
    done = gateway("mapping", "explain", "cgs", "BZGZ", "--dir", own)
    assert (done.code, done.err) == (2, "cgs/BZGZ: has no golden pair; name a row with --row FILE\n")


def test_coverage_lists_what_nothing_exercises(gateway: Callable[..., Done], own: Path) -> None:
    (own / "cgs" / "golden" / "BZGZ" / "plain.yaml").unlink()
    done = gateway("mapping", "coverage", "cgs", "--dir", own, "--json")
    assert done.code == 1
    reasons = [item for item in done.json["uncovered"] if item["name"] == "reason"]
    assert [item["kind"] for item in reasons] == ["target"]
    assert reasons[0]["place"].startswith(f"{own}/cgs/BZGZ.yaml:")


def test_coverage_of_everything_is_no_finding(gateway: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    class Complete:
        """A report without gaps."""

        def render(self, _language: str) -> str:
            """Nothing is left."""
            return "complete"

        def uncovered(self) -> list[str]:
            """Nothing."""
            return []

    monkeypatch.setattr(mapping, "measure_coverage", lambda _translator: Complete())
    done = gateway("mapping", "coverage", "cgs")
    assert (done.code, done.out) == (0, "complete\n")


def test_a_platform_without_mappings_is_misuse(gateway: Callable[..., Done]) -> None:
    done = gateway("mapping", "lint", "nowhere")
    assert done.code == 2
    assert "no such folder of mappings" in done.err
