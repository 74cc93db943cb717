"""The mapping author's reference beside the code names every function."""

from __future__ import annotations

from pathlib import Path

from mappings.functions import FUNCTIONS


def test_every_function_stands_in_the_authors_reference() -> None:
    readme = (Path(__file__).parents[2] / "mappings" / "README.md").read_text(encoding="utf-8")
    assert [name for name in FUNCTIONS if f"| `{name}` |" not in readme] == []
