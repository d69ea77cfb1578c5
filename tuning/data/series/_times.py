"""Reading the times of rows: from one column of time stamps, or from several that make them up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data.series._frequency import MICROSECONDS, Stamps
from tuning.data.series._time_parts import TimePart, check_parts, compose, read_part, recognise
from tuning.errors import DataError

IntArray = npt.NDArray[np.int64]
Regularity = Callable[[Stamps], float]

_UNIX = {"unix seconds": ("s", 1e8), "unix milliseconds": ("ms", 1e11)}
_QUARTER_FORMAT, _WEEK_FORMAT = "%YQ%q", "%GW%V"
_QUARTER = r"^(\d{4})[- ]?[Qq]([1-4])$"
_WEEK = r"^(\d{4})[- ]?[Ww](\d{1,2})$"
_DIGITS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d"}
_MONTH_FORMATS = ("%Y/%m", "%m/%Y", "%m-%Y", "%m.%Y", "%b %Y", "%b-%Y", "%B %Y", "%B-%Y", "%b-%y", "%b %y")
_SHORT_YEARS = ("%d-%m-%y", "%m-%d-%y", "%d.%m.%y", "%y-%m-%d")
_LEAST_READABLE = 0.5  # of the rows, for a format to be considered: the others are named to the user
_ZONE = r"\d(?:Z|[+-]\d{2}:?\d{2})$"
_HOW_TO_WRITE = "write it as 2014-01-31 or 2014-01-31 13:00"


@dataclass(frozen=True)
class TimeColumn:
    """One column that times are read from.

    Attributes:
        name: of the column in the file.
        part: what it is of the time.
        format: of stamps and times of the day; empty for plain numbers.
    """

    name: str
    part: TimePart
    format: str = ""

    def to_json(self) -> dict[str, str]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, str]) -> TimeColumn:
        """From what `to_json` gave."""
        return cls(value["name"], TimePart(value["part"]), value["format"])


def decide_times(
    frame: pd.DataFrame, names: Sequence[str], regularity: Regularity
) -> tuple[tuple[TimeColumn, ...], Stamps, tuple[str, ...]]:
    """How the columns are read, the (n,) stamps with NaT where they cannot be, and notes.

    Args:
        frame: the whole table.
        names: columns of the time.
        regularity: how regular (n,) stamps are, from 0 to 1: decides between formats that both fit.

    Raises:
        DataError: a column holds no times, or what it is of the time cannot be told.
    """
    if len(names) == 1:
        column, stamps, note = _decide_stamps(frame[names[0]], regularity)
        return (column,), stamps, (*note, *_zone_notes(frame[names[0]]))
    columns: list[TimeColumn] = []
    notes: list[str] = []
    values: dict[TimePart, npt.NDArray[Any]] = {}
    parts = recognise(frame[list(names)], _holds_stamps)
    for name, (part, format) in parts.items():
        if part is TimePart.STAMP:
            column, values[part], note = _decide_stamps(frame[name], regularity)
            columns.append(column)
            notes += note
        else:
            columns.append(TimeColumn(name, part, format))
            values[part] = read_part(frame[name], part, format)
    check_parts(tuple(column.part for column in columns))
    return tuple(columns), compose(values), tuple(notes)


def read_times(frame: pd.DataFrame, columns: Sequence[TimeColumn]) -> Stamps:
    """(n,) datetime64[us], NaT where a time cannot be read."""
    if len(columns) == 1 and columns[0].part is TimePart.STAMP:
        return parse_stamps(frame[columns[0].name], columns[0].format)
    return compose({column.part: _read_column(frame[column.name], column) for column in columns})


def _read_column(column: pd.Series[Any], spec: TimeColumn) -> npt.NDArray[Any]:
    if spec.part is TimePart.STAMP:
        return parse_stamps(column, spec.format)
    return read_part(column, spec.part, spec.format)


def show_value(frame: pd.DataFrame, names: Sequence[str], row: int) -> str:
    """What the file has for the time of a row, in quotes; `nothing` where it is empty."""
    values = [frame[name].iloc[row] for name in names]
    given = [str(value)[:40] for value in values if not _values.is_missing(value)]
    return repr(" ".join(given)) if given else "nothing"


def unreadable(names: Sequence[str], frame: pd.DataFrame, row: int) -> DataError:
    """The refusal of a row whose time cannot be read."""
    place = " and ".join(map(repr, names))
    value = show_value(frame, names, row)
    if value == "nothing":
        return DataError(f"data.time: row {row + 2} has no time in {place}: add it, or delete the row.")
    return DataError(
        f"data.time: row {row + 2} has {value} in {place}, which is not a time like those of the other rows: "
        f"{_HOW_TO_WRITE}, or delete the row."
    )


def has_zone(column: pd.Series[Any]) -> bool:
    """Whether the stamps of a column say their time zone."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return True
    if not _values.is_words(column):
        return False
    text = column.dropna().iloc[:100].astype(str).str.strip()
    return bool(text.str.contains(_ZONE, regex=True).any() and text.str.contains(":", regex=False).any())


def _zone_notes(column: pd.Series[Any]) -> tuple[str, ...]:
    return (f"Times in {column.name!r} have a time zone: read as UTC.",) if has_zone(column) else ()


def parse_stamps(column: pd.Series[Any], format: str) -> Stamps:
    """(n,) datetime64[us] of one column, NaT where missing or not in the format."""
    codes, distinct = _distinct(column)
    parsed = np.append(_parse(distinct, format), np.datetime64("NaT", "us"))
    return parsed[codes]  # code -1, missing, is the last


def _distinct(column: pd.Series[Any]) -> tuple[IntArray, pd.Series[Any]]:
    if column.dtype == object:  # lists cannot be told apart by their hash
        column = column.map(
            lambda value: str(value) if isinstance(value, list | dict | np.ndarray) else value
        )
    codes, distinct = pd.factorize(column, use_na_sentinel=True)
    return codes, pd.Series(distinct)


def _parse(distinct: pd.Series[Any], format: str) -> Stamps:
    if format in _UNIX:
        unit, _ = _UNIX[format]
        ticks: Stamps = np.round(_values.as_numbers(distinct) * MICROSECONDS[unit])
        stamps = np.nan_to_num(ticks).astype(np.int64).astype("datetime64[us]")
        return np.where(np.isnan(ticks), np.datetime64("NaT", "us"), stamps)
    if format in _DIGITS.values():
        labels = _values.as_labels(distinct)
        length = next(length for length, name in _DIGITS.items() if name == format)
        distinct = labels.where(labels.astype("str").str.fullmatch(rf"\d{{{length}}}"), None)
    elif format == _QUARTER_FORMAT:
        return _from_pattern(distinct, _QUARTER, lambda year, quarter: (year - 1970) * 12 + (quarter - 1) * 3)
    elif format == _WEEK_FORMAT:
        labels = _values.as_labels(distinct).astype("str")
        distinct = labels.str.replace(_WEEK, r"\1-W\2-1", regex=True)
        format = "%G-W%V-%u"
    return _values.as_datetimes(distinct, format).to_numpy("datetime64[us]")


def _from_pattern(distinct: pd.Series[Any], pattern: str, months: Callable[[Any, Any], Any]) -> Stamps:
    parts = _values.as_labels(distinct).astype("str").str.extract(pattern).apply(pd.to_numeric)
    good = parts.notna().all(axis=1).to_numpy()
    stamps = np.full(len(distinct), np.datetime64("NaT", "us"))
    numbers = parts[good].astype(np.int64)
    stamps[good] = months(numbers[0], numbers[1]).to_numpy().astype("datetime64[M]")
    return stamps


def _holds_stamps(column: pd.Series[Any]) -> bool:
    """Whether at least half of the values of a column are dates; years alone are not."""
    _, distinct = _distinct(column)
    return any(
        np.isfinite(_parse(distinct, name).astype("datetime64[us]")).mean() >= _LEAST_READABLE
        for name in _candidates(distinct)
        if name != "%Y"
    )


def _candidates(distinct: pd.Series[Any]) -> Iterator[str]:
    """Formats in which any of the first values is a time."""
    known = _known_formats(distinct)
    head = distinct.iloc[:10]
    return (name for name in known if not np.isnat(_parse(head, name)).all())


def _known_formats(distinct: pd.Series[Any]) -> Sequence[str]:
    if types.is_datetime64_any_dtype(distinct.dtype):
        return (_values.ISO_FORMAT,)
    if _are_digits(distinct):
        return tuple(_DIGITS.values())
    if _values.is_words(distinct):
        return (
            *_values.DATETIME_FORMATS,
            *_MONTH_FORMATS,
            *_SHORT_YEARS,
            _QUARTER_FORMAT,
            _WEEK_FORMAT,
        )
    if types.is_bool_dtype(distinct.dtype):
        return ()
    middle = float(np.nanmedian(_values.as_numbers(distinct))) if len(distinct) else 0.0
    return [name for name, (_, least) in reversed(_UNIX.items()) if least <= middle < least * 100]


def _are_digits(distinct: pd.Series[Any]) -> bool:
    """Whether most values are written as years, or as years with months and days, in digits alone."""
    if types.is_bool_dtype(distinct.dtype) or not len(distinct):
        return False
    labels = _values.as_labels(distinct).dropna().astype("str")
    return bool(len(labels)) and bool(labels.str.fullmatch(r"\d{4}|\d{6}|\d{8}").mean() >= _LEAST_READABLE)


def _decide_stamps(
    column: pd.Series[Any], regularity: Regularity
) -> tuple[TimeColumn, Stamps, tuple[str, ...]]:
    codes, distinct = _distinct(column)
    nat = np.datetime64("NaT", "us")
    read = {name: np.append(_parse(distinct, name), nat) for name in _candidates(distinct)}
    share = {name: float((~np.isnat(stamps))[codes].mean()) for name, stamps in read.items()}
    most = max(share.values(), default=0.0)
    if most < _LEAST_READABLE:
        raise _no_times(column)
    fitting = _without_equals({name: read[name] for name in read if share[name] == most})
    if len(fitting) == 1:
        name = next(iter(fitting))
        return TimeColumn(str(column.name), TimePart.STAMP, name), fitting[name][codes], ()
    scores = {
        name: (round(regularity(stamps[codes]), 3), _share_in_order(stamps[codes]))
        for name, stamps in fitting.items()
    }
    best = max(scores, key=lambda name: scores[name])
    others = " and ".join(name for name in fitting if name != best)
    note = (
        f"Times in {str(column.name)!r} are read as {best}, which makes them regular; {others} would fit too."
    )
    if scores[best][0] == sorted(score for score, _ in scores.values())[-2]:
        note = (
            f"Times in {str(column.name)!r} are read as {best}; {others} would fit too: "
            "write them as 2014-01-31."
        )
    return TimeColumn(str(column.name), TimePart.STAMP, best), fitting[best][codes], (note,)


def _without_equals(read: dict[str, Stamps]) -> dict[str, Stamps]:
    """Formats that read other times than those before them."""
    kept: dict[str, Stamps] = {}
    for name, stamps in read.items():
        if not any(np.array_equal(stamps[:-1], other[:-1], equal_nan=True) for other in kept.values()):
            kept[name] = stamps
    return kept


def _share_in_order(stamps: Stamps) -> float:
    steps = np.diff(stamps[~np.isnat(stamps)].astype(np.int64))
    return float((steps >= 0).mean()) if len(steps) else 0.0


def _no_times(column: pd.Series[Any]) -> DataError:
    present = column.dropna()
    if not len(present):
        return DataError(
            f"data.time: the column {column.name!r} is empty: name the column of the time stamps."
        )
    return DataError(
        f"data.time: the column {column.name!r} holds no times, as {str(present.iloc[0])[:40]!r} in row "
        f"{int(np.flatnonzero(column.notna())[0]) + 2} is none: name another column, or {_HOW_TO_WRITE}."
    )
