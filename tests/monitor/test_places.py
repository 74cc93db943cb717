"""Every problem leads to file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from monitor.places import Places

TEXT = "a: 1\nsources:\n  x:\n    options: {url: u, mode: m}\n    list: [p, q]\n"


@pytest.fixture
def places() -> Places:
    return Places(Path("g.yaml"), YAML(typ="rt").load(TEXT))


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ((), "g.yaml:1:1"),
        (("sources",), "g.yaml:2:1"),
        (("sources", "x", "options", "mode"), "g.yaml:4:23"),
        (("sources", "x", "list", 1), "g.yaml:5:15"),
        (("sources", "x", "missing", "deeper"), "g.yaml:3:3"),
        (("nothing",), "g.yaml:1:1"),
    ],
)
def test_the_deepest_node_that_is_there(places: Places, keys: tuple[str | int, ...], place: str) -> None:
    assert places.at(keys) == place


def test_a_text_that_begins_with_keys_leads_deeper(places: Places) -> None:
    assert places.problem(("sources", "x"), "options.mode: unknown\nvalue") == (
        "g.yaml:4:23: sources.x.options.mode: unknown\nvalue"
    )
    assert places.problem(("a",), "is no text") == "g.yaml:1:1: a: is no text"


def test_without_a_document_the_file_is_named() -> None:
    assert Places(Path("g.yaml"), None).problem(("bus",), "bad") == "g.yaml:1:1: bus: bad"
