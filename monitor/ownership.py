"""Start-up check: nobody else owns one of our top-level names.

A distribution of the same name on the package index installs a package `adapters`; in one environment with ours, the
one installed last would quietly replace files of the other. Only the standard library is imported here, so that the
check works when our own packages do not.
"""

from __future__ import annotations

from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DISTRIBUTION: Final = "foshan-exchange"
NAMES: Final = ("adapters", "bus", "mappings", "monitor", "xsd")


def ownership_problems(owners: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """One text for each of our names that another distribution installs as well; [] = all ours.

    Args:
        owners: top-level name → distributions, as `importlib.metadata.packages_distributions` gives it.
    """
    known = packages_distributions() if owners is None else owners
    return [
        f"the distribution {other!r} also installs a package {name!r}, so one has overwritten files of the other: "
        f"`pip uninstall {other}` and install {DISTRIBUTION} again, into an environment of its own "
        f"（另一个发行包 {other} 占用了包名 {name}，请在独立的环境中重新安装 {DISTRIBUTION}）"
        for name in NAMES
        for other in dict.fromkeys(known.get(name, ()))
        if other.lower().replace("_", "-") != DISTRIBUTION
    ]
