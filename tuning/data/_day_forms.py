"""The forms that days are written in, and reading the text of days by one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Stamps = npt.NDArray[Any]  # (n,) datetime64[us]

NOT_A_TIME = np.datetime64("NaT", "us")
ISO = "ISO8601"
QUARTER, WEEK = "%YQ%q", "%GW%V"
_QUARTER_TEXT = re.compile(r"(\d{4})[- ]?[Qq]([1-4])")
_WEEK_TEXT = re.compile(r"(\d{4})[- ]?[Ww](\d{1,2})")
_ISO_TEXT = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")

DIGITS = {  # of stamps as whole digits, by their number; the first of several that fit is taken
    "%Y": 4,
    "%Y%m": 6,
    "%y%m%d": 6,
    "%Y%m%d": 8,
    "%d%m%Y": 8,
    "%m%d%Y": 8,
    "%Y%m%d%H": 10,
    "%Y%m%d%H%M": 12,
    "%Y%m%d%H%M%S": 14,
    "%Y%m%d%H%M%S%f": 17,
}
_YEARS = (1000, 2999)
_YEARS_WITH_HOURS = (1900, 2099)  # longer digits are seconds since 1970 as well
UNIX = {"unix seconds": 1e6, "unix milliseconds": 1e3, "unix microseconds": 1.0, "unix nanoseconds": 1e-3}
UNIX_RANGE = (np.datetime64("1990-01-01", "us"), np.datetime64("2050-01-01", "us"))

DAYS = (
    ISO,
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    *(f"{a}{sep}{b}{sep}%Y" for sep in "-/." for a, b in (("%d", "%m"), ("%m", "%d"))),
    *(f"{a}{sep}{b}{sep}%y" for sep in "/.-" for a, b in (("%d", "%m"), ("%m", "%d"))),
    "%y-%m-%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d/%b/%Y",
    "%d %B %Y",
    "%d-%B-%Y",
    "%b %d %Y",
    "%B %d %Y",
    "%b-%d-%Y",
    "%Y %b %d",
    "%Y-%b-%d",
    "%Y %B %d",
    "%d-%b-%y",
    "%d %b %y",
)
MONTHS = ("%Y/%m", "%m/%Y", "%m-%Y", "%m.%Y", "%b %Y", "%b-%Y", "%B %Y", "%B-%Y", "%b-%y", "%b %y")
PERIODS = (*MONTHS, QUARTER, WEEK)
_SHORT_YEAR = re.compile(r"\d{1,2}/\d{1,2}/\d{2}|\d{2}([.-])\d{2}\1\d{2}")  # 1.2.10 is a version


def read_days(days: Sequence[str], form: str) -> Stamps:
    """Return (k,) datetime64[us] of the text of days, NaT where it is not of the form."""
    if form in UNIX:
        return _from_unix(days, UNIX[form])
    if form in DIGITS:
        return _from_digits(days, form)
    if form == QUARTER:
        return _parsed([_quarter_start(day) for day in days], ISO)
    if form == WEEK:
        weeks = [_WEEK_TEXT.fullmatch(day) for day in days]
        return _parsed([week and f"{week[1]}-W{week[2]}-1" for week in weeks], "%G-W%V-%u")
    shape = _ISO_TEXT if form == ISO else _SHORT_YEAR if "%y" in form and "%b" not in form else None
    return _parsed([day if shape is None or shape.fullmatch(day) else None for day in days], form)


def _parsed(texts: Sequence[str | None], form: str) -> Stamps:
    series = pd.Series(np.array(texts, dtype=object), dtype="str")
    return pd.to_datetime(series, format=form, errors="coerce").to_numpy("datetime64[us]")


def _quarter_start(day: str) -> str | None:
    match = _QUARTER_TEXT.fullmatch(day)
    return match and f"{match[1]}-{3 * int(match[2]) - 2:02}-01"


def _from_unix(days: Sequence[str], microseconds: float) -> Stamps:
    ticks = [_whole_ticks(day, microseconds) for day in days]
    stamps = [NOT_A_TIME if tick is None else np.datetime64(tick, "us") for tick in ticks]
    return np.array(stamps, dtype="datetime64[us]")


def _whole_ticks(day: str, microseconds: float) -> int | None:
    """Return microseconds since 1970, None where the text is no number or beyond the years 1 to 9999."""
    try:
        ticks = int(day) * microseconds if day.lstrip("-").isdecimal() else float(day) * microseconds
    except ValueError:
        return None
    return round(ticks) if abs(ticks) < 6e16 else None


def _from_digits(days: Sequence[str], form: str) -> Stamps:
    good = [day if len(day) == DIGITS[form] and day.isdecimal() else None for day in days]
    stamps = _parsed(good, form)
    first, last = _YEARS_WITH_HOURS if "%H" in form else _YEARS
    years = stamps.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where((years >= first) & (years <= last), stamps, NOT_A_TIME)


def is_plausible(stamps: Stamps) -> bool:
    """Return whether most times that seconds since 1970 make lie in the years 1990 to 2049."""
    present = stamps[~np.isnat(stamps)]
    inside = (present >= UNIX_RANGE[0]) & (present < UNIX_RANGE[1])
    return bool(len(present)) and bool(inside.mean() >= 0.95)


def day_comes_first(form: str) -> bool | None:
    """Return whether a form has the day before the month; None of one that leaves no doubt."""
    if "%m" not in form or "%d" not in form or form.startswith("%Y"):
        return None
    return form.index("%d") < form.index("%m")
