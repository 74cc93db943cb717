"""Check digits of the numbers that records carry: GB 11714, GB 32100, GB 11643 (standard §3.1.4–6).

Own arithmetic instead of python-stdnum: that package has no GB 11714, refuses first-generation identity numbers and
costs 10 µs a number. A test compares ours with `stdnum.cn.ric` and `stdnum.cn.uscc`. All functions take the text as it
stands in the record, decide without regard to letter case, and never change it.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from operator import mul
from typing import Final

_ORG_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_ORG_CHECKS: Final = b" 123456789X0"  # by 11 minus the remainder: 1 to 11
_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS: Final = tuple(pow(3, i, 31) for i in range(17))
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_ID_OFFSET: Final = 48 * sum(_ID_WEIGHTS)  # the weights meet ASCII codes, not digits
_UNUSABLE: Final = 255


def _values(alphabet: str) -> bytes:
    """A translation table: ASCII code → place in `alphabet`, 255 for what is not in it."""
    return bytes(alphabet.index(chr(i)) if chr(i) in alphabet else _UNUSABLE for i in range(256))


_ORG_VALUES: Final = _values("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_USCC_VALUES: Final = _values(_USCC_ALPHABET)


@lru_cache(maxsize=1_024)
def is_org_code(text: str) -> bool:
    """Whether `text` is an organisation code of 9 characters with the right check digit (GB 11714)."""
    if len(text) != 9 or not text.isascii():
        return False
    raw = text.upper().encode()
    values = raw[:8].translate(_ORG_VALUES)
    return _UNUSABLE not in values and _ORG_CHECKS[11 - sum(map(mul, _ORG_WEIGHTS, values)) % 11] == raw[8]


@lru_cache(maxsize=1_024)
def is_uscc(text: str) -> bool:
    """Whether `text` is a unified social credit code: 18 characters, both check digits right (GB 32100-2015).

    Characters 9 to 17 are the organisation code with its own check digit.
    """
    if len(text) != 18 or not text.isascii():
        return False
    values = text.upper().encode().translate(_USCC_VALUES)
    if _UNUSABLE in values:
        return False
    return (31 - sum(map(mul, _USCC_WEIGHTS, values)) % 31) % 31 == values[17] and is_org_code(text[8:17])


@lru_cache(maxsize=1_024)
def is_calendar_day(yyyymmdd: str) -> bool:
    """Whether eight digits are a day of the calendar."""
    if len(yyyymmdd) != 8 or not (yyyymmdd.isascii() and yyyymmdd.isdigit()):
        return False
    try:
        date(int(yyyymmdd[:4]), int(yyyymmdd[4:6]), int(yyyymmdd[6:]))
    except ValueError:
        return False
    return True


def is_id_card(text: str) -> bool:
    """Whether `text` is a citizen's identity number: 18 characters with check digit, or 15 digits (GB 11643).

    Numbers of 15 digits were legal until 2013-01-01; whether one is too late is not asked here.
    """
    if not text.isascii():
        return False
    if len(text) == 18:
        body, check = text[:17], text[17]
        if not body.isdigit() or not is_calendar_day(text[6:14]):
            return False
        remainder = (sum(map(mul, _ID_WEIGHTS, body.encode())) - _ID_OFFSET) % 11
        return _ID_CHECKS[remainder] == (check if check != "x" else "X")
    return len(text) == 15 and text.isdigit() and is_calendar_day(f"19{text[6:12]}")


def modern_id_card(text: str) -> str:
    """The 18-character number of a 15-digit one, for comparison only: what a source sent is never overwritten.

    Raises:
        ValueError: `text` is not a valid number of 15 digits.
    """
    if len(text) != 15 or not is_id_card(text):
        raise ValueError("not an identity number of 15 digits")
    body = f"{text[:6]}19{text[6:]}"
    return body + _ID_CHECKS[(sum(map(mul, _ID_WEIGHTS, body.encode())) - _ID_OFFSET) % 11]
