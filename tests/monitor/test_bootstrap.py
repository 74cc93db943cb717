"""Settings become objects; everything wrong with them is found before anything is opened."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from adapters.cgs import CgsSource
from bus.errors import ConfigurationError
from bus.trust import new_private_key
from monitor.bootstrap import _inbound_options, _package_of, build, find_problems, lint, open_bus, topology_of
from monitor.commands.keys import write_private
from monitor.settings import examine, load
from tests.monitor.conftest import run_drain
from tests.monitor.deployments import deploy

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.settings import Settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return deploy(tmp_path, {"chancheng": "440604", "gaoming": "440608"}, records=30)


def changed(config: Path, *pairs: tuple[str, str]) -> Settings:
    """The configuration with texts replaced."""
    text = config.read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    config.write_text(text, encoding="utf-8")
    return load(config)


def test_a_gateway_is_wired_and_drains(config: Path) -> None:
    progress = run_drain(config)
    assert [(p.name, p.equation.read, p.equation.is_balanced) for p in progress] == [
        ("chancheng", 30, True),
        ("gaoming", 30, True),
    ]


def test_only_the_named_sources_are_run(config: Path) -> None:
    gateway = build(load(config), only=["gaoming"])
    gateway.run(threading.Event(), drain=True, timeout_s=20)
    assert [p.name for p in gateway.progress()] == ["gaoming"]
    gateway.close()


def test_an_unknown_source_is_refused_with_the_known_ones(config: Path) -> None:
    with pytest.raises(ConfigurationError, match="--source x: unknown; known are chancheng, gaoming"):
        lint(load(config), only=["x"])


def test_every_problem_is_listed_with_its_place(config: Path) -> None:
    settings = changed(
        config,
        ("embedded:///bus.db", "amqq://u:p@h/x"),
        ("sqlite:///gateway.db", "mysql://u:p@h/x"),
        ("poll_s: 0.1, late_poll_s: 1}\n  gaoming", "pol_s: 1}\n    rules: {NO_RULE: off}\n  gaoming"),
        ('    adapter: cgs\n    division: "440608"', '    adapter: cgz\n    division: "440608"'),
    )
    (config.parent / "keys/test.pem").unlink()
    with pytest.raises(ConfigurationError) as caught:
        lint(settings)
    text = "\n".join(caught.value.problems).replace(f"{config.parent}/", "")
    for expected in (
        "gateway.yaml:3:1: store: mysql://u:***@h/x: the ledger lives in",
        "gateway.yaml:4:1: bus: unknown scheme 'amqq'",
        "keys/test.pem: cannot read the private key",
        "gateway.yaml:10:46: sources.chancheng.options.pol_s: unknown key",
        "gateway.yaml:11:5: sources.chancheng.rules",
        "gateway.yaml:13:5: sources.gaoming.adapter: 'cgz' is unknown",
    ):
        assert expected in text
    assert len(caught.value.problems) == 6


def test_the_usable_parts_of_a_faulty_file_are_examined_too(config: Path) -> None:
    text = config.read_text(encoding="utf-8").replace("node: test-1", "node: 7").replace("adapter: cgs", "adapter: cgz")
    config.write_text(text, encoding="utf-8")
    examined = examine(config)
    assert examined.settings is None
    problems = find_problems(None, examined.sources, examined.signing, examined.places)
    assert [line.partition(": ")[0].rpartition("/")[2] for line in problems] == [
        "gateway.yaml:8:5",
        "gateway.yaml:12:5",
    ]
    assert find_problems(None, {}, None, examined.places) == []


def test_a_mapping_that_several_sources_share_is_named_once(config: Path) -> None:
    own = config.parent / "own" / "cgs"
    own.mkdir(parents=True)
    (own / "SL.yaml").write_text("nonsense: 1\n", encoding="utf-8")
    settings = changed(config, ("    adapter: cgs\n", "    adapter: cgs\n    mappings: own\n"))
    with pytest.raises(ConfigurationError) as caught:
        lint(settings)
    assert len(caught.value.problems) == len(set(caught.value.problems))
    assert str(own / "SL.yaml") in caught.value.problems[0]


def test_an_embedded_bus_gets_its_queues_at_once(config: Path) -> None:
    settings = changed(config, ("sources:", 'feeds: ["440604"]\njournal_max_age: 7D\nsources:'))
    topology = topology_of(settings)
    assert {"feed.440604", "core", "journal"} <= {queue.name for queue in topology.queues}
    assert open_bus(settings).differences(topology) == []


@pytest.mark.parametrize(("packages", "number"), [("auto", 50), ("never", 0), ("7", 7)])
def test_packages_are_as_large_as_the_file_says(config: Path, packages: str, number: int) -> None:
    assert _package_of(changed(config, ("sources:", f"packages: {packages}\nsources:"))) == number


def test_rhythm_and_policy_of_a_source_reach_its_inbound_half(config: Path) -> None:
    source = changed(config, ("    adapter: cgs", "    on_quarantine: pass\n    adapter: cgs")).sources["chancheng"]
    options = _inbound_options(source)
    assert (options.poll_s, options.passes_gaps) == (0.1, True)
    plain = source.model_copy(update={"options": {}, "on_quarantine": "park"})
    assert (_inbound_options(plain).poll_s, _inbound_options(plain).passes_gaps) == (2.0, False)


def test_what_is_made_is_what_was_named(config: Path) -> None:
    _, signer, parts = lint(load(config))
    assert signer.name == "test"
    assert isinstance(parts["chancheng"].adapter, CgsSource)


def test_a_key_that_the_trust_file_does_not_name_is_found(config: Path) -> None:
    write_private(config.parent / "keys" / "other.pem", new_private_key())
    settings = changed(config, ("keys/test.pem", "keys/other.pem"))
    with pytest.raises(ConfigurationError, match=r"signing\.key: signs as other .* test/chancheng, test/gaoming"):
        lint(settings)
    found = find_problems(settings, settings.sources, settings.signing, examine(config).places)
    assert [text.partition(" (")[0].rpartition(": ")[2] for text in found] == ["signs as other"]


@pytest.mark.parametrize("url", ["postgresql+psycopg://u:p@ss@h:s3cret/x", "sqlite+s3cret", "s3cret@h"])
def test_an_url_of_the_store_that_means_nothing_is_not_quoted(config: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="store: not a database URL that works here") as caught:
        lint(changed(config, ("sqlite:///gateway.db", url)))
    assert "s3cret" not in str(caught.value)
