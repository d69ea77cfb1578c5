"""Numbers as people read them."""

from __future__ import annotations

import math

_SIGNIFICANT_DIGITS = 5
_PLAIN_BELOW = 1e12


def format_number(value: float | None) -> str:
    """A number with 5 significant digits, without an exponent up to a trillion; a dash for None.

    Integer digits are all kept, because sales of 153,234 are not 153,230.

    >>> [format_number(value) for value in (0.5, 1234.56789, 153234.4, 0.0000123456, None)]
    ['0.50000', '1234.6', '153234', '1.2346e-05', '–']
    """
    if value is None or math.isnan(value):
        return "–"
    if 10**_SIGNIFICANT_DIGITS <= abs(value) < _PLAIN_BELOW:
        return f"{value:.0f}"
    return f"{value:#.{_SIGNIFICANT_DIGITS}g}".removesuffix(".")
