"""Durations as people write them."""

from __future__ import annotations

import re
from typing import Any

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_duration_s(value: Any) -> Any:
    """Seconds of a duration; what is not text is passed through.

    Raises:
        ValueError: text that is neither a number nor a duration.

    >>> parse_duration_s("1h30m"), parse_duration_s("90"), parse_duration_s(5)
    (5400.0, 90.0, 5)
    """
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text):
        raise ValueError(f"a duration is a number of seconds or like 90s, 10m, 1h30m, not {value!r}")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """A duration in at most two units.

    >>> format_duration(5400), format_duration(61.2), format_duration(0.25)
    ('1h30m', '1m01s', '0.2s')
    """
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
