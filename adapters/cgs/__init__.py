"""cgs: the front-end database of 禅城, 高明 and 三水, one product installed three times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.cgs.platform import PLATFORM
from adapters.database.source import DatabaseSource
from adapters.options import DatabaseOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLATFORM", "CgsSource"]


class CgsSource(DatabaseSource):
    """Source adapter `cgs`: seven kinds of generation 1, `versioning: explicit` by SJBBH."""

    def __init__(self, *, division: str, options: Mapping[str, Any]) -> None:
        super().__init__(PLATFORM, division=division, options=DatabaseOptions.parse(options))
