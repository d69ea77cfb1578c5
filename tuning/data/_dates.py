"""Dates as people write them: the form of a column, learnt in training, that later text is read by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data._day_forms import (
    DAYS,
    DIGITS,
    ISO,
    NOT_A_TIME,
    PERIODS,
    UNIX,
    Stamps,
    day_comes_first,
    is_plausible,
    read_days,
)
from tuning.data._stamp_text import Parts
from tuning.data._zones import offset_minutes

IntArray = npt.NDArray[np.int64]

_PLAIN_ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_PLAIN_ZONE = r".*:.*(?:Z|[+-]\d{2}:?\d{2})"
_MIDNIGHT = r".*[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})"
_CLOCK_IN_FORM = re.compile(r" %[HI].*")
_SAMPLE = 200
_MICROSECONDS_PER_MINUTE = 60_000_000


@dataclass(frozen=True)
class DateFormat:
    """How the dates or times of one column are written.

    Attributes:
        form: of the day as strptime writes it, `ISO8601`, `unix seconds`, `%YQ%q` or `%GW%V`; with ` %I` and
            what follows where times of the day have AM or PM. A time of 24 hours may stand behind any day.
        is_zoned: every value names its time zone (True), none does (False), or either may be (None).
        are_days: every value is a midnight of its own time zone, and so a day there, which UTC would cut.
    """

    form: str = ISO
    is_zoned: bool | None = None
    are_days: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DateFormat:
        """Return what `to_json` gave; entries that are missing have their defaults."""
        return cls(**value)

    def read(self, column: pd.Series[Any]) -> Stamps:
        """Return (n,) datetime64[us] in UTC where zones are given, NaT where missing or not written so.

        Args:
            column: text, whole numbers for forms of digits, or dates, which are taken as they are.
        """
        if types.is_datetime64_any_dtype(column.dtype):
            return _from_datetimes(column)
        codes, distinct = _distinct(column)
        return np.append(self._read_distinct(distinct), NOT_A_TIME)[codes]  # code -1, missing, is the last

    def _read_distinct(self, distinct: Sequence[object]) -> Stamps:
        stamps = np.full(len(distinct), NOT_A_TIME)
        is_text = np.array([isinstance(value, str) for value in distinct], dtype=bool)
        stamps[~is_text] = [_as_stamp(value) for value in distinct if not isinstance(value, str)]
        texts = [value for value in distinct if isinstance(value, str)]
        stamps[is_text] = self._read_texts(texts)
        return stamps

    def _read_texts(self, texts: Sequence[str]) -> Stamps:
        if self.form != ISO or self.are_days:
            return self.read_parts(Parts(texts))
        series = pd.Series(texts, dtype="str")
        plain = series.str.fullmatch(_PLAIN_ISO).to_numpy(dtype=bool)
        if self.is_zoned is not None:
            plain = plain & (series.str.fullmatch(_PLAIN_ZONE).to_numpy(dtype=bool) == self.is_zoned)
        stamps = np.full(len(texts), NOT_A_TIME)
        stamps[plain] = _plain_iso(series[plain])
        others = np.flatnonzero(np.isnat(stamps))
        stamps[others] = self.read_parts(Parts([texts[int(place)] for place in others]))
        return stamps

    def read_parts(self, parts: Parts) -> Stamps:
        """Return (k,) datetime64[us] of stamps that were taken apart."""
        form = _CLOCK_IN_FORM.sub("", self.form).replace(",", "")
        fits = parts.has_day & parts.fits_clock(" %I" in self.form)
        if self.is_zoned is not None:
            fits &= parts.has_zone == self.is_zoned
        if form in UNIX:
            fits &= ~parts.has_clock
        if self.are_days:
            fits &= parts.is_midnight
        days = read_days(parts.days, form)[parts.day_codes] + parts.micros
        return np.where(fits, days if self.are_days else _in_utc(days, parts.zones), NOT_A_TIME)


@dataclass(frozen=True)
class DateGuess:
    """The form that fits a column best, and what a person should know of it.

    Attributes:
        format: reads the column, and all that come later.
        share: of the rows with a value, those that are dates by it.
        note: what was decided, to stand behind "read as dates".
        example: the first value that is no date; empty where all are.
        lost: rows with a value that is no date.
    """

    format: DateFormat
    share: float
    note: str
    example: str = ""
    lost: int = 0


def infer_dates(
    column: pd.Series[Any], day_first: bool | None = None, *, least: float = 0.95, periods: bool = False
) -> DateGuess | None:
    """Return the form of the dates of a column, by all of its values; None where they are no dates.

    Args:
        column: training values; None where missing.
        day_first: as the user gave it; None: by the values.
        least: share of the values that must be dates.
        periods: months, quarters and weeks are dates as well.
    """
    fitting = _fitting(column.dropna(), day_first, periods)
    if not fitting or fitting[0].rows < least * int(column.notna().sum()):
        return None
    best, present = fitting[0], int(column.notna().sum())
    note = describe(column.dropna(), [found.format for found in fitting])
    return DateGuess(best.format, best.rows / present, note, best.example, present - best.rows)


def fitting_formats(
    column: pd.Series[Any], day_first: bool | None = None, *, least: float = 0.95, periods: bool = False
) -> tuple[DateFormat, ...]:
    """Return the formats that read the most rows of a column, each to other times; the best guess first.

    Empty where even they read less than the least share. For the arguments see `infer_dates`.
    """
    fitting = _fitting(column.dropna(), day_first, periods)
    least_rows = least * int(column.notna().sum())
    return tuple(found.format for found in fitting if found.rows >= least_rows)


class _Found(NamedTuple):
    """A format, the rows that it reads, and the first text that it does not."""

    format: DateFormat
    rows: int
    example: str = ""


def _fitting(column: pd.Series[Any], day_first: bool | None, periods: bool) -> list[_Found]:
    """Return the formats that read the most of the rows, all of which have a value."""
    if types.is_datetime64_any_dtype(column.dtype) or types.is_bool_dtype(column.dtype) or not len(column):
        return [_Found(DateFormat(), len(column))] if types.is_datetime64_any_dtype(column.dtype) else []
    codes, distinct = _distinct(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    is_text = np.array([isinstance(value, str) for value in distinct], dtype=bool)
    dates = int(counts[~is_text].sum())  # objects that are dates whatever the form
    texts = [value for value in distinct if isinstance(value, str)]

    found = _by_rows(texts, counts[is_text], day_first, periods) if texts else []
    found = found or ([_Found(DateFormat(), 0)] if dates else [])
    most = max((one.rows for one in found), default=0)
    return [one._replace(rows=most + dates) for one in found if one.rows == most]


def _by_rows(texts: Sequence[str], counts: IntArray, day_first: bool | None, periods: bool) -> list[_Found]:
    """Return the formats that read other times than those before them."""
    series = pd.Series(texts, dtype="str")
    if (
        series.str.fullmatch(_PLAIN_ISO).all()
        and not series.str.fullmatch(_MIDNIGHT).all()
        and (plain := _plain_format(series, counts)).rows == counts.sum()
    ):
        return [plain]
    sample = Parts(_sample(texts))
    names = [name for name in _names(sample.days, day_first, periods) if _reads_any(sample, name)]
    parts = Parts(texts) if names else sample
    clock = _usual_clock(parts)
    read: dict[str, Stamps] = {}
    for name in names:
        stamps = DateFormat(_with_clock(name, clock)).read_parts(parts)
        if not any(np.array_equal(stamps, other, equal_nan=True) for other in read.values()):
            read[name] = stamps
    order = sorted(read, key=lambda name: _span(name, read[name]))
    found = [
        _found(_format(_with_clock(name, clock), parts, read[name]), texts, read[name], counts)
        for name in order
    ]
    return [one for one in found if one.rows]


def _found(form: DateFormat, texts: Sequence[str], stamps: Stamps, counts: IntArray) -> _Found:
    bad = np.flatnonzero(np.isnat(stamps))
    return _Found(form, int(counts.sum() - counts[bad].sum()), texts[int(bad[0])] if len(bad) else "")


def _sample(texts: Sequence[str]) -> Sequence[str]:
    return texts[:: max(len(texts) // _SAMPLE, 1)]


def _names(days: Sequence[str], day_first: bool | None, periods: bool) -> Sequence[str]:
    present = [day for day in days if day]
    if sum(_is_digits(day) for day in present) * 2 >= len(present):
        known: Sequence[str] = (*DIGITS, *UNIX)
    else:
        known = (*DAYS, *(PERIODS if periods else ()), *_guessed(present[:3]))
    return [name for name in known if day_first is None or day_comes_first(name) in (None, day_first)]


def _guessed(days: Sequence[str]) -> Sequence[str]:
    """Return the forms that pandas makes of days in words, which are more than the known ones."""
    words = [day for day in days if re.search("[A-Za-z]{3}", day)]
    guesses = {pd.tseries.api.guess_datetime_format(day) for day in words}
    return sorted(form for form in guesses if form and {"%Y", "%d"} <= set(re.findall("%[A-Za-z]", form)))


def _is_digits(day: str) -> bool:
    return day.removeprefix("-").replace(".", "", 1).isdecimal()


def _reads_any(sample: Parts, name: str) -> bool:
    stamps = read_days(sample.days, name)
    return is_plausible(stamps) if name in UNIX else not np.isnat(stamps).all()


def _plain_format(texts: pd.Series[Any], counts: IntArray) -> _Found:
    zoned = texts.str.fullmatch(_PLAIN_ZONE).to_numpy(dtype=bool)
    form = DateFormat(ISO, True if zoned.all() else None if zoned.any() else False)
    return _found(form, list(texts), _plain_iso(texts), counts)


def _plain_iso(texts: pd.Series[Any]) -> Stamps:
    parsed = pd.to_datetime(texts, format=ISO, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).to_numpy("datetime64[us]")


def _usual_clock(parts: Parts) -> str:
    clocks = pd.Series(parts.clocks, dtype=object)
    clocks = clocks[clocks != ""]
    return f" {clocks.mode().iloc[0]}" if len(clocks) else ""


def _with_clock(name: str, clock: str) -> str:
    """Return the form of days with that of the times behind; ISO 8601 has one already."""
    return name if name in UNIX or (name == ISO and not clock.startswith(" %I")) else name + clock


def _format(form: str, parts: Parts, stamps: Stamps) -> DateFormat:
    """Return the format with what its values say of time zones."""
    good = ~np.isnat(stamps)
    zoned = parts.has_zone[good]
    if not len(zoned) or not zoned.all():
        return DateFormat(form, None if zoned.any() else False)
    is_utc = np.array([zone == "+00:00" for zone in parts.zones], dtype=bool)[good]
    return DateFormat(form, True, bool(parts.is_midnight[good].all() and not is_utc.all()))


def _span(name: str, stamps: Stamps) -> int:
    """Return the whole years that times spread over, where the place of a year of two digits is in doubt."""
    present = stamps[~np.isnat(stamps)]
    if not len(present) or not name.startswith(("%y", "%d-%m-%y", "%m-%d-%y")):
        return 0
    return int((present.max() - present.min()).astype(np.int64) // (366 * 86_400_000_000))


def describe(column: pd.Series[Any], fitting: Sequence[DateFormat]) -> str:
    """Return the format that was chosen, the others that fit, and what to set: part of a sentence.

    Args:
        column: the values that decided.
        fitting: the chosen format, and those that fit as well.
    """
    best, *others = fitting
    text = f"in the format {best.form}"
    differing = next((form for form in others if _differ(column, best, form)), None)
    if differing is not None:
        names = " and ".join(form.form for form in others)
        text += f", not {names}, which would fit too: {how_they_differ(column, best, differing)}"
    return text + _zone_note(column, best)


def _differ(column: pd.Series[Any], one: DateFormat, other: DateFormat) -> bool:
    return bool(_differing(one.read(column), other.read(column)).any())


def _differing(one: Stamps, two: Stamps) -> npt.NDArray[np.bool_]:
    return np.asarray((one != two) & ~(np.isnat(one) & np.isnat(two)), dtype=bool)


def how_they_differ(column: pd.Series[Any], best: DateFormat, other: DateFormat) -> str:
    """Return a value that the formats read to two dates, and what to set for the second."""
    one, two = best.read(column), other.read(column)
    place = int(np.flatnonzero(_differing(one, two))[0])
    text = f"{str(column.iloc[place])!r} is {_shown(one[place])}"
    order = day_comes_first(other.form)
    if order is None or order == day_comes_first(best.form):
        return f"{text} and not {_shown(two[place])}, so write it as 2014-01-31 to be sure"
    return f"{text}; set data.day_first={str(order).lower()} if it is {_shown(two[place])}"


def _shown(stamp: np.datetime64) -> str:
    return "no date" if np.isnat(stamp) else f"{pd.Timestamp(stamp):%d %B %Y}".removeprefix("0")


def _zone_note(column: pd.Series[Any], best: DateFormat) -> str:
    if best.is_zoned is False or types.is_datetime64_any_dtype(column.dtype):
        return ""
    named = zone_names(column)
    if named is None:
        return ""
    if best.are_days:
        return ", as days of their own time zone"
    shown = ", ".join(f"{name} as UTC{zone}" for name, zone in sorted(named.items())[:4])
    without = ", those that name no time zone too" if best.is_zoned is None else ""
    return f", with their time zones, in UTC{f' ({shown})' if shown else ''}{without}"


def zone_names(column: pd.Series[Any]) -> dict[str, str] | None:
    """Return the offset of each name of a time zone, such as CET; None where no value has a time zone."""
    texts = [value for value in _distinct(column)[1] if isinstance(value, str)]
    return Parts(_sample(texts)).named_zones


def _in_utc(stamps: Stamps, zones: Sequence[str]) -> Stamps:
    """Return (k,) stamps less the offsets of their zones; NaT for hours that a region has twice or never."""
    out = stamps.copy()
    names = np.array(zones, dtype=object)
    for zone in set(zones) - {""}:
        rows = names == zone
        if "/" in zone:
            local = pd.DatetimeIndex(stamps[rows]).tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
            out[rows] = local.tz_convert(None).to_numpy("datetime64[us]")
        else:
            out[rows] = stamps[rows] - np.timedelta64(offset_minutes(zone) * _MICROSECONDS_PER_MINUTE, "us")
    return out


def _distinct(column: pd.Series[Any]) -> tuple[IntArray, list[object]]:
    """Return the (n,) code of each value, -1 where missing; and the distinct ones, as text or dates."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if column.dtype == object:
        column = column.map(_hashable)
    codes, distinct = pd.factorize(column, use_na_sentinel=True)
    return codes, [_stripped(value) for value in distinct]


def _hashable(value: object) -> object:
    if isinstance(value, str | date | np.datetime64 | int | float):
        return value
    return None if value is None or value is pd.NA else str(value)


def _stripped(value: object) -> object:
    """Return dates as they are, numbers as their digits, and text without spaces around it."""
    if isinstance(value, date | np.datetime64):
        return value
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _as_stamp(value: object) -> Any:
    if not isinstance(value, date | np.datetime64) or pd.isna(value):
        return NOT_A_TIME
    stamp = pd.Timestamp(value)
    naive = stamp.tz_convert(None) if stamp.tzinfo else stamp
    return naive.to_datetime64().astype("datetime64[us]")


def _from_datetimes(column: pd.Series[Any]) -> Stamps:
    parsed = pd.to_datetime(column, utc=True)
    return parsed.dt.tz_localize(None).to_numpy("datetime64[us]")
