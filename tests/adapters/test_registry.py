"""Names of adapters, options and region codes."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from adapters import regions, registry
from adapters.cgs import CgsSource
from bus.errors import ConfigurationError


def test_a_built_in_adapter_is_made_by_its_name() -> None:
    made = registry.create("cgs", division="440604", options={"url": "sqlite://"})
    assert isinstance(made, CgsSource)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.factory("cds")
    assert caught.value.problems == ("adapter: 'cds' is unknown; known are cgs",)


def test_third_parties_are_found_by_their_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("acme", "adapters.cgs:CgsSource", registry.GROUP),
        EntryPoint("broken", "no.such.module:Adapter", registry.GROUP),
        EntryPoint("renamed", "adapters.cgs:NoSuchClass", registry.GROUP),
        EntryPoint("cgs", "no.such.module:Adapter", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: EntryPoints(p for p in points if p.group == group))
    assert registry.names() == ("acme", "broken", "cgs", "renamed")
    assert registry.factory("acme") is CgsSource
    assert registry.factory("cgs") is CgsSource, "a third party cannot replace a built-in adapter"
    for name in ("broken", "renamed"):
        with pytest.raises(ConfigurationError, match=rf"adapter: '{name}' \(.*\) cannot be imported"):
            registry.factory(name)


def test_no_installed_distribution_takes_a_name_of_ours() -> None:
    points = importlib.metadata.entry_points(group=registry.GROUP)
    assert not {point.name for point in points} & set(registry.BUILT_IN)


def test_importing_the_package_imports_no_driver() -> None:
    script = (
        "import sys, adapters, adapters.registry; print(sorted({'sqlalchemy', 'pydantic', 'lxml'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("440604", "440604"),
        (" 440604000000 ", "440604"),
        ("440602", "440604"),
        ("440683000000", "440607"),
        ("440604000001", "440604000001"),
        ("", ""),
        ("禅城", "禅城"),
    ],
)
def test_canonical_regions(written: str, canonical: str) -> None:
    assert regions.canonical(written) == canonical


def test_spellings_are_what_canonical_undoes() -> None:
    spelt = regions.spellings(["440604000000"])
    assert set(spelt) == {c + tail for c in ("440602", "440603", "440604") for tail in ("", "000000")}
    assert {regions.canonical(code) for code in spelt} == {"440604"}
    assert regions.spellings(["x"]) == ("x",)
