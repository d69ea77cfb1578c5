"""Times that are spread over several columns: a date and an hour, or year, month and day."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _values
from tuning.data.series._frequency import MICROSECONDS, Stamps
from tuning.errors import DataError

FloatArray = npt.NDArray[Any]  # of float64


class TimePart(StrEnum):
    """What a column is of the time."""

    STAMP = "stamp"  # a date, perhaps with a time of the day
    CLOCK = "clock"  # a time of the day, as 13:00 or 1300
    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"
    WEEK = "week"  # of ISO 8601
    DAY_OF_YEAR = "day of the year"
    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"


_NAMES = {
    TimePart.YEAR: {"year", "yr", "yyyy", "y"},
    TimePart.QUARTER: {"quarter", "qtr", "q"},
    TimePart.MONTH: {"month", "mnth", "mon", "mm", "mo", "m"},
    TimePart.WEEK: {"week", "wk", "weekofyear", "weeknumber", "weeknum", "weekno", "isoweek", "w"},
    TimePart.DAY_OF_YEAR: {"dayofyear", "doy", "yday", "julianday"},
    TimePart.DAY: {"day", "dd", "d", "dayofmonth", "dom", "mday"},
    TimePart.HOUR: {"hour", "hr", "hrs", "hh", "h"},
    TimePart.MINUTE: {"minute", "min", "mi"},
    TimePart.SECOND: {"second", "sec", "ss", "s"},
}
_RANGES = {
    TimePart.YEAR: (1000, 9999),
    TimePart.QUARTER: (1, 4),
    TimePart.MONTH: (1, 12),
    TimePart.WEEK: (1, 53),
    TimePart.DAY_OF_YEAR: (1, 366),
    TimePart.DAY: (1, 31),
    TimePart.HOUR: (0, 24),  # hour 24 is the next midnight
    TimePart.MINUTE: (0, 59),
    TimePart.SECOND: (0, 60),
}
_IN_ORDER = (
    TimePart.YEAR,
    TimePart.MONTH,
    TimePart.DAY,
    TimePart.HOUR,
    TimePart.MINUTE,
    TimePart.SECOND,
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK_TEXT, _CLOCK_NUMBER = "hh:mm", "hhmm"
_CLOCK = r"^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?: ?([AaPp])\.?[Mm]\.?)?$"
_WHOLE_DAYS = {TimePart.STAMP, TimePart.DAY, TimePart.DAY_OF_YEAR}
_NEEDS = {
    TimePart.QUARTER: {TimePart.YEAR},
    TimePart.MONTH: {TimePart.YEAR},
    TimePart.WEEK: {TimePart.YEAR},
    TimePart.DAY_OF_YEAR: {TimePart.YEAR},
    TimePart.DAY: {TimePart.MONTH},
    TimePart.CLOCK: _WHOLE_DAYS,
    TimePart.HOUR: _WHOLE_DAYS,
    TimePart.MINUTE: {TimePart.HOUR},
    TimePart.SECOND: {TimePart.MINUTE},
}


def recognise(
    columns: pd.DataFrame, holds_stamps: Callable[[pd.Series[Any]], bool]
) -> dict[str, tuple[TimePart, str]]:
    """What each column is of the time, and its format where it has one.

    Dates and times of the day are told by their values, all else by the name; where names say nothing, by
    values that fit the next part in the order year, month, day, hour, minute, second.

    Raises:
        DataError: it cannot be told of some column.
    """
    found = {name: _evident(columns[name], holds_stamps) for name in map(str, columns.columns)}
    taken = {part for part, _ in filter(None, found.values())}
    parts: dict[str, tuple[TimePart, str]] = {}
    for name, evident in found.items():
        parts[name] = evident or (_by_values(columns[name], taken), "")
        taken.add(parts[name][0])
    return parts


def _evident(
    column: pd.Series[Any], holds_stamps: Callable[[pd.Series[Any]], bool]
) -> tuple[TimePart, str] | None:
    if _share_of_clocks(column) > 0.5:
        return TimePart.CLOCK, _CLOCK_TEXT
    if holds_stamps(column):
        return TimePart.STAMP, ""
    named = _named_part(str(column.name))
    if named is TimePart.HOUR and np.nanmax(_numbers(column), initial=0) > 24:
        return TimePart.CLOCK, _CLOCK_NUMBER
    return None if named is None else (named, "")


def is_time_part(name: str) -> bool:
    """Whether a column is of the time, by its name of more than a letter."""
    return len(name) > 1 and _named_part(name) is not None


def _named_part(name: str) -> TimePart | None:
    words = [word.casefold() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]
    for word in ("".join(words), *words):
        for part, names in _NAMES.items():
            if word in names or (word.endswith("s") and word[:-1] in names and len(word) > 2):
                return part
    return None


def _by_values(column: pd.Series[Any], taken: set[TimePart]) -> TimePart:
    numbers = _numbers(column)
    numbers = numbers[~np.isnan(numbers)]
    last = max((_IN_ORDER.index(part) for part in taken if part in _IN_ORDER), default=-1)
    last = max(last, _IN_ORDER.index(TimePart.DAY) if TimePart.STAMP in taken else -1)
    if last + 1 < len(_IN_ORDER) and len(numbers):
        low, high = _RANGES[_IN_ORDER[last + 1]]
        if (numbers % 1 == 0).all() and low <= numbers.min() and numbers.max() <= high:
            return _IN_ORDER[last + 1]
    raise DataError(
        f"data.time: what the column {column.name!r} is of the time cannot be told: rename it to year, "
        "quarter, month, week, day, hour, minute or second."
    )


def check_parts(parts: Sequence[TimePart]) -> None:
    """Refuse parts that make up no time.

    Raises:
        DataError: two columns are the same part, or what a part belongs to is missing.
    """
    repeated = [part for part in parts if parts.count(part) > 1]
    if repeated:
        raise DataError(f"data.time: two of the columns are the {repeated[0]} of the time: name one of them.")
    if TimePart.STAMP in parts and set(parts) & {TimePart.YEAR, TimePart.MONTH, TimePart.DAY}:
        raise DataError(
            "data.time: one of the columns holds dates, which year, month and day repeat: leave them out."
        )
    for part in parts:
        if part in _NEEDS and not _NEEDS[part] & set(parts):
            wanted = " or ".join("date" if one is TimePart.STAMP else one for one in sorted(_NEEDS[part]))
            raise DataError(f"data.time: a column of the {part} needs one of the {wanted} beside it: add it.")


def read_part(column: pd.Series[Any], part: TimePart, format: str) -> FloatArray:
    """(n,) whole numbers, or microseconds of the day of a clock; NaN where missing or out of range."""
    if format == _CLOCK_TEXT:
        return _clock_of_text(column)
    numbers = _numbers(column)
    if format == _CLOCK_NUMBER:
        return _clock_of(numbers // 100, numbers % 100)
    low, high = _RANGES[part]
    if part is TimePart.SECOND:
        return np.where((numbers >= low) & (numbers < high), numbers, np.nan)
    return np.where((numbers >= low) & (numbers <= high) & (numbers % 1 == 0), numbers, np.nan)


def _numbers(column: pd.Series[Any]) -> FloatArray:
    """(n,) float64; names of months, whole or by three letters, are their numbers."""
    numbers = _values.as_numbers(column)
    if not _values.is_words(column) or np.isfinite(numbers).any():
        return numbers
    labels = _values.as_labels(column).astype("str").str.casefold().str.slice(0, 3)
    return labels.map({name: float(k) for k, name in enumerate(_MONTH_NAMES, start=1)}).to_numpy(np.float64)


def _share_of_clocks(column: pd.Series[Any]) -> float:
    if not _values.is_words(column) or not column.notna().any():
        return 0.0
    return float(np.isfinite(_clock_of_text(column.dropna().iloc[:1000])).mean())


def _clock_of_text(column: pd.Series[Any]) -> FloatArray:
    codes, distinct = pd.factorize(column, use_na_sentinel=True)
    text = pd.Series(
        [value.isoformat() if isinstance(value, time) else str(value).strip() for value in distinct]
    )
    parts = text.astype("str").str.extract(_CLOCK)
    hours = parts[0].astype(np.float64).to_numpy()
    half = parts[3].str.casefold()
    hours = np.where(half.notna(), hours % 12 + 12 * (half == "p"), hours)
    minutes = parts[1].astype(np.float64).to_numpy()
    seconds = parts[2].astype(np.float64).fillna(0.0).to_numpy()
    return np.append(_clock_of(hours, minutes, seconds), np.nan)[codes]  # code -1, missing, is the last


def _clock_of(hours: FloatArray, minutes: FloatArray, seconds: FloatArray | float = 0.0) -> FloatArray:
    total = hours * MICROSECONDS["h"] + minutes * MICROSECONDS["min"] + seconds * MICROSECONDS["s"]
    good = (minutes < 60) & (total >= 0) & (total <= MICROSECONDS["D"]) & (np.asarray(seconds) < 60)
    return np.where(good, total, np.nan)


def compose(values: Mapping[TimePart, npt.NDArray[Any]]) -> Stamps:
    """(n,) datetime64[us] of the parts, NaT where one is missing or the date does not exist."""
    numbers = {part: column for part, column in values.items() if part is not TimePart.STAMP}
    good = ~np.any([np.isnan(column) for column in numbers.values()] or [False], axis=0)
    whole: dict[TimePart, npt.NDArray[Any]] = {
        part: np.where(good, column, 1.0).astype(np.int64) for part, column in numbers.items()
    }
    stamps = values[TimePart.STAMP] if TimePart.STAMP in values else _dates(whole)
    stamps = stamps.astype("datetime64[us]")
    units = {TimePart.HOUR: "h", TimePart.MINUTE: "min", TimePart.CLOCK: "us"}
    for part, unit in units.items():
        if part in whole:
            stamps = stamps + (whole[part] * MICROSECONDS[unit]).astype("timedelta64[us]")
    if TimePart.SECOND in numbers:
        micros = np.where(good, numbers[TimePart.SECOND], 0.0) * MICROSECONDS["s"]
        stamps = stamps + np.round(micros).astype("timedelta64[us]")
    return np.where(good, stamps, np.datetime64("NaT", "us"))


def _dates(whole: Mapping[TimePart, npt.NDArray[Any]]) -> Stamps:
    years = (whole[TimePart.YEAR] - 1970).astype("datetime64[Y]")
    if TimePart.WEEK in whole:
        return _mondays(years, whole[TimePart.WEEK])
    if TimePart.DAY_OF_YEAR in whole:
        return _within(years.astype("datetime64[D]") + (whole[TimePart.DAY_OF_YEAR] - 1), years, "Y")
    months = years.astype("datetime64[M]")
    if TimePart.MONTH in whole:
        months = months + (whole[TimePart.MONTH] - 1)
    elif TimePart.QUARTER in whole:
        months = months + 3 * (whole[TimePart.QUARTER] - 1)
    days = months.astype("datetime64[D]")
    return _within(days + (whole[TimePart.DAY] - 1), months, "M") if TimePart.DAY in whole else days


def _within(days: Stamps, periods: Stamps, unit: str) -> Stamps:
    """Days, NaT where they are past the end of their month or year."""
    return np.where(days.astype(f"datetime64[{unit}]") == periods, days, np.datetime64("NaT", "D"))


def _mondays(years: Stamps, weeks: npt.NDArray[Any]) -> Stamps:
    """The Mondays of ISO weeks; NaT for a week 53 that the year does not have."""
    fourth = years.astype("datetime64[D]") + 3  # the 4th of January lies in week 1
    monday = fourth - (fourth.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    days = monday + 7 * (weeks - 1)
    return _within(days + 3, years, "Y") - np.timedelta64(3, "D")
