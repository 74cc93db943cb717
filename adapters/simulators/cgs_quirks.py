"""What real installations of cgs do wrong, each a switch (platform page, "Quirks")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from adapters.regions import RETIRED

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from adapters.simulators.cgs_cases import Step

_NO_DATE: Final = datetime(1900, 1, 1)  # noqa: DTZ001 - the platform's columns have no zone


@dataclass(frozen=True, slots=True)
class Quirks:
    """Shares of rows (0 to 1) that have a quirk; everything is off by default.

    Attributes of single rows:
        padded: text columns filled up with blanks.
        null_dates: 1900-01-01 where there is no date.
        padded_region: XZQHDM of 12 digits.
        retired_region: XZQHDM of a code abolished by 2002.
        applicant_type_3: SQRLX 3 for 9.
        stage_code_0001: SPHJDM "0001" for 1.
        money_comma: thousands comma in money.
        gbk_only: characters of GBK outside GB2312.
        trail_5c: characters whose second GBK byte is 0x5C.
        gb18030_only: characters beyond GBK; not for a `gbk` database.
        undecodable: octets that are no text; SQLite, or a `latin1` site.
        missing_parent: children whose 受理 is not there.

    Attributes of the feed:
        late_commits: rows that become visible after newer ones, their GXSJ unchanged.
        late_s: how much older the GXSJ of such a row is.
        same_second: rows of one commit share one GXSJ.
        change_in_place: rows changed later, same SJBBH.
        change_version: rows changed later, SJBBH + 1 in place.
        deletes: rows deleted later.
        purges: completed cases deleted later, whole.
        clock_steps: rows after which the platform's clock is set back by an hour, for ten rows.
    """

    padded: float = 0
    null_dates: float = 0
    padded_region: float = 0
    retired_region: float = 0
    applicant_type_3: float = 0
    stage_code_0001: float = 0
    money_comma: float = 0
    gbk_only: float = 0
    trail_5c: float = 0
    gb18030_only: float = 0
    undecodable: float = 0
    missing_parent: float = 0
    late_commits: float = 0
    late_s: float = 600
    same_second: float = 0
    change_in_place: float = 0
    change_version: float = 0
    deletes: float = 0
    purges: float = 0
    clock_steps: float = 0


#: Octets that are no text in UTF-8, GBK or GB18030.
BAD_OCTETS: Final = b"\xb2\xe2\xff\xfe"

_NAME_COLUMN: Final = {
    "SL": "SQDWHSQRXM",
    "SPCL": "SPRXM",
    "BZGZ": "BJGZFCR",
    "BZSL": "SLDWCBRXM",
    "TBCXSQ": "TBCXPZR",
    "TBCXJG": "TBCXJG",
    "BJ": "BLJGMS",
}
_TEXT_COLUMN: Final = {
    "SL": "XMMC",
    "SPCL": "SPYJ",
    "BZGZ": "BJGZYY",
    "BZSL": "BJCLQD",
    "TBCXSQ": "SQNR",
    "TBCXJG": "TBCXJG",
    "BJ": "BLJGMS",
}


def name_column(kind: str) -> str:
    """The column that quirks of text are put into."""
    return _NAME_COLUMN[kind]


def text_column(kind: str) -> str:
    """The column that a later change touches."""
    return _TEXT_COLUMN[kind]


def _append(text: str) -> Callable[[Step, random.Random], None]:
    def change(step: Step, _: random.Random) -> None:
        column = _NAME_COLUMN[step.kind]
        step.values[column] = f"{step.values[column]}{text}"

    return change


def _pad(step: Step, _: random.Random) -> None:
    name = _NAME_COLUMN[step.kind]
    step.values[name] = f"{step.values[name]} "
    if step.kind == "SL":
        step.values["XZQHDM"] = f"{step.values['XZQHDM']}  "[:12]


def _no_date(step: Step, _: random.Random) -> None:
    if step.kind == "TBCXJG":
        step.values["TBCXJSRQ"] = _NO_DATE


def _padded_region(step: Step, _: random.Random) -> None:
    if step.kind == "SL":
        step.values["XZQHDM"] = str(step.values["XZQHDM"]).strip()[:6] + "000000"


def _retired_region(step: Step, dice: random.Random) -> None:
    if step.kind == "SL":
        old = [code for code, new in RETIRED.items() if new == step.values["XZQHDM"]]
        step.values["XZQHDM"] = dice.choice(old)


def _set(kind: str, column: str, *, old: Any, new: Any) -> Callable[[Step, random.Random], None]:
    def change(step: Step, _: random.Random) -> None:
        if step.kind == kind and step.values[column] == old:
            step.values[column] = new

    return change


#: Quirk → how it changes one row. Order matters: blanks come last.
_CHANGES: Final[dict[str, Callable[[Step, random.Random], None]]] = {
    "null_dates": _no_date,
    "retired_region": _retired_region,
    "padded_region": _padded_region,
    "applicant_type_3": _set("SL", "SQRLX", old="9", new="3"),
    "stage_code_0001": _set("SPCL", "SPHJDM", old="1", new="0001"),
    "money_comma": _set("BJ", "SFJE", old="1200.00", new="1,200.00"),
    "gbk_only": _append("镕喆堃"),
    "trail_5c": _append("運誠"),
    "gb18030_only": _append("㛃䶮𠮷"),
    "padded": _pad,
}


def apply(step: Step, quirks: Quirks, dice: random.Random) -> Step:
    """A row with the quirks that the dice give it."""
    changed = step._replace(values=dict(step.values))
    for name, change in _CHANGES.items():
        share = getattr(quirks, name)
        if share and dice.random() < share:
            change(changed, dice)
    return changed
