"""Reading the times of rows: from one column of time stamps, or from several that make them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _values
from tuning.data.series._frequency import Stamps
from tuning.data.series._stamps import NOT_A_TIME, best_formats, distinct_stamps, parse_distinct
from tuning.data.series._time_parts import TimePart, check_parts, compose, read_part, recognise
from tuning.errors import DataError

IntArray = npt.NDArray[np.int64]
Regularity = Callable[[Stamps], float]

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


def with_local_days(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Read time-zoned stamps at midnight of their own zone as its days, which in UTC begin at two times.

    Args:
        frame: not changed.
        names: columns of the time.

    Returns:
        The frame, and a note where a column was read so.
    """
    days = {
        name: frame[name].dt.tz_localize(None)
        for name in names
        if isinstance(frame[name].dtype, pd.DatetimeTZDtype) and _are_midnights(frame[name])
    }
    if not days:
        return frame, ""
    zones = ", ".join(f"{name!r} of {frame[name].dt.tz}" for name in days)
    return frame.assign(**days), f"Times are read as days of their own time zone: {zones}."


def _are_midnights(column: pd.Series[Any]) -> bool:
    present = column.dropna()
    return bool((present == present.dt.normalize()).all())


def _zone_notes(column: pd.Series[Any]) -> tuple[str, ...]:
    return (f"Times in {column.name!r} have a time zone: read as UTC.",) if has_zone(column) else ()


def parse_stamps(column: pd.Series[Any], format: str) -> Stamps:
    """(n,) datetime64[us] of one column, NaT where missing or not in the format."""
    codes, distinct = distinct_stamps(column)
    return _with_missing(parse_distinct(distinct, format))[codes]


def _with_missing(stamps: Stamps) -> Stamps:
    return np.append(stamps, NOT_A_TIME)  # code -1, missing, is the last


def _holds_stamps(column: pd.Series[Any]) -> bool:
    """Whether at least half of the values of a column are dates; years alone are not."""
    formats = best_formats(distinct_stamps(column)[1])
    return bool(formats) and formats[0] != "%Y"


def _decide_stamps(
    column: pd.Series[Any], regularity: Regularity
) -> tuple[TimeColumn, Stamps, tuple[str, ...]]:
    codes, distinct = distinct_stamps(column)
    read = {name: _with_missing(parse_distinct(distinct, name)) for name in best_formats(distinct)}
    if not read:
        raise _no_times(column)
    readable = {name: int((~np.isnat(stamps)).sum()) for name, stamps in read.items()}
    most = max(readable.values())
    fitting = _without_equals({name: read[name] for name in read if readable[name] == most})
    best, note = next(iter(fitting)), ""
    if len(fitting) > 1:
        best, note = _most_regular({name: fitting[name][codes] for name in fitting}, regularity)
    notes = (f"Times in {str(column.name)!r} are read as {best}{note}.",) if note else ()
    return TimeColumn(str(column.name), TimePart.STAMP, best), fitting[best][codes], notes


def _most_regular(read: dict[str, Stamps], regularity: Regularity) -> tuple[str, str]:
    """The format that makes the stamps the most regular or, as regular, the most in order; and why."""
    regular = {name: round(regularity(stamps), 3) for name, stamps in read.items()}
    best = max(read, key=lambda name: (regular[name], _share_in_order(read[name])))
    others = [name for name in read if name != best]
    would_fit = f"{' and '.join(others)} would fit too"
    if any(regular[name] == regular[best] for name in others):
        return best, f", but {would_fit}: write them as 2014-01-31 to be sure"
    return best, f", which makes them regular ({would_fit})"


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
