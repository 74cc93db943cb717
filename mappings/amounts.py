"""Functions that make numbers: text and decimals only, never float."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from mappings.outcome import Context, Outcome, Run, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTEGER: Final = re.compile(r"([+-]?)0*([0-9]+)(?:\.0+)?")
_AMOUNT: Final = re.compile(r"([+-]?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?")


def build_integer(arguments: Mapping[str, object], context: Context) -> Run:
    """`integer`: integers, whole decimals and text → `xs:integer` without leading zeros."""
    del arguments

    def run(value: object) -> Outcome:
        text = plain(value) if isinstance(value, (str, int, Decimal)) else None
        match = None if text is None else _INTEGER.fullmatch(text)
        if match is None:
            return context.reject("MAP_INTEGER", value, zh="不是整数", en="not a whole number")
        sign, digits = match.groups()
        return f"-{digits}" if sign == "-" and digits != "0" else digits

    return run


def build_money(arguments: Mapping[str, object], context: Context) -> Run:
    """`money`: decimals, integers and text with or without thousands commas → decimal with two digits.

    More than two decimals reject unless the rest is zeros: an amount is never rounded.
    """
    del arguments

    def run(value: object) -> Outcome:
        text = plain(value) if isinstance(value, (str, int, Decimal)) else None
        match = None if text is None else _AMOUNT.fullmatch(text)
        if match is None:
            zh, en = "不是金额，应如 1,234.50", "not an amount, e.g. 1,234.50"
            return context.reject("MAP_MONEY", value, zh=zh, en=en)
        sign, whole, fraction = match.group(1), match.group(2).replace(",", ""), match.group(3) or ""
        if fraction[2:].strip("0"):
            zh, en = "超过两位小数，不作舍入", "has more than two decimals, and nothing is rounded"
            return context.reject("MAP_MONEY", value, zh=zh, en=en)
        amount = f"{whole.lstrip('0') or '0'}.{fraction[:2].ljust(2, '0')}"
        return f"-{amount}" if sign == "-" and amount != "0.00" else amount

    return run
