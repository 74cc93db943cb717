"""Synthetic identifiers with valid check digits (standard §3.1 rules 4–6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def organisation_code(serial: int) -> str:
    """组织机构代码 (GB 11714), 9 characters, from a number of up to 8 digits."""
    digits = f"{serial:08d}"
    check = 11 - sum(int(d) * w for d, w in zip(digits, _ORGANISATION_WEIGHTS, strict=True)) % 11
    return digits + {10: "X", 11: "0"}.get(check, str(check))


def citizen_number(region: str, born: date, serial: int) -> str:
    """居民身份证 number (GB 11643), 18 characters, from a serial of up to 3 digits."""
    body = f"{region}{born:%Y%m%d}{serial:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, _CITIZEN_WEIGHTS, strict=True)) % 11]


def credit_code(region: str, organisation: str) -> str:
    """统一社会信用代码 (GB 32100), 18 characters, of an enterprise with that organisation code."""
    body = f"91{region}{organisation}"
    total = sum(_CREDIT_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return body + _CREDIT_ALPHABET[(31 - total % 31) % 31]
