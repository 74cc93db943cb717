"""`gateway schema docs` writes the data dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.conftest import Done


def test_the_dictionary_is_one_page_of_html(gateway: Callable[..., Done], tmp_path: Path) -> None:
    out = tmp_path / "dictionary.html"
    done = gateway("schema", "docs", "--out", out, "--json")
    page = out.read_text(encoding="utf-8")
    assert (done.code, done.json) == (0, {"file": str(out), "characters": len(page)})
    assert page.startswith("<!DOCTYPE html>")
    assert "SLSJ" in page


def test_a_place_that_cannot_be_written_is_misuse(gateway: Callable[..., Done]) -> None:
    done = gateway("schema", "docs", "--out", "/nowhere/x.html", "--lang", "zh")
    assert (done.code, done.err) == (2, "--out /nowhere/x.html：无法写入（No such file or directory）\n")
