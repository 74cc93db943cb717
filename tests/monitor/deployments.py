"""Small deployments: configuration, keys, and simulated platforms with rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from adapters.simulators import cgs
from monitor.commands.deployment import write_deployment
from monitor.commands.simulate import feed_past

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from adapters.simulators.cgs_quirks import Quirks

HEAD = """\
node: test-1
group: test
store: sqlite:///gateway.db
bus: {bus}
signing: {{key: keys/test.pem}}
sources:
"""
SOURCE = """\
  {name}:
    adapter: cgs
    division: "{division}"
    options: {{url: "sqlite:///{name}.db", poll_s: 0.1, late_poll_s: 1}}
"""


def deploy(
    folder: Path,
    sources: Mapping[str, str],
    *,
    records: int = 40,
    quirks: Quirks | None = None,
    bus: str = "embedded:///bus.db",
) -> Path:
    """gateway.yaml of a deployment with a platform of `records` rows for each source (name → division)."""
    parts = [SOURCE.format(name=name, division=division) for name, division in sources.items()]
    write_deployment(folder, "test", HEAD.format(bus=bus) + "".join(parts))
    for seed, (name, division) in enumerate(sources.items()):
        feed(folder / f"{name}.db", division, records, seed=seed, quirks=quirks)
    return folder / "gateway.yaml"


def feed(
    database: Path, division: str, records: int, *, seed: int = 0, quirks: Quirks | None = None, first_case: int = 0
) -> None:
    """Write rows into a simulated platform."""
    engine = create_engine(f"sqlite:///{database}")
    cgs.create(engine)
    feed_past(engine, division, records, seed=seed, quirks=quirks, first_case=first_case)
    engine.dispose()
