"""Region codes of Foshan as platforms write them (standard §2: XZQHDM, retired codes)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Codes abolished by 2002 that still stand in old rows → the division that took over.
RETIRED: Final[Mapping[str, str]] = {
    "440602": "440604",
    "440603": "440604",
    "440621": "440607",
    "440622": "440605",
    "440623": "440606",
    "440624": "440608",
    "440681": "440606",
    "440682": "440605",
    "440683": "440607",
    "440684": "440608",
}
_PADDING: Final = "000000"


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The code in use today, of 6 digits; anything that is no region code comes back trimmed."""
    code = text.strip()
    if len(code) == 12 and code.endswith(_PADDING):
        code = code[:6]
    return RETIRED.get(code, code)


def spellings(codes: Iterable[str]) -> tuple[str, ...]:
    """Every spelling that `canonical` turns into one of `codes`, but for blanks around it; sorted."""
    wanted = {canonical(code) for code in codes}
    known = wanted | {old for old, new in RETIRED.items() if new in wanted}
    return tuple(sorted(known | {code + _PADDING for code in known if len(code) == 6}))
