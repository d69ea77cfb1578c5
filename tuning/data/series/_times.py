"""Reading the times of rows: from one column of time stamps, or from several that make them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _values
from tuning.data._dates import DateFormat, fitting_formats, how_they_differ, zone_names
from tuning.data.series._frequency import Stamps
from tuning.data.series._time_parts import TimePart, check_parts, compose, read_part, recognise
from tuning.errors import DataError

Regularity = Callable[[Stamps], float]

_LEAST_READABLE = 0.5  # of the values, for a format to be considered: the others are named to the user
_HOW_TO_WRITE = "write it as 2014-01-31 or 2014-01-31 13:00"


@dataclass(frozen=True)
class TimeColumn:
    """One column that times are read from.

    Attributes:
        name: of the column in the file.
        part: what it is of the time.
        format: of times of the day; empty for plain numbers.
        date: the form of stamps.
    """

    name: str
    part: TimePart
    format: str = ""
    date: DateFormat = field(default_factory=DateFormat)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TimeColumn:
        """Return what `to_json` gave, now or when `format` was that of stamps as well."""
        date = value.get("date") or {"form": value["format"] or DateFormat().form}
        return cls(value["name"], TimePart(value["part"]), value["format"], DateFormat.from_json(date))

    def read(self, column: pd.Series[Any]) -> npt.NDArray[Any]:
        """Return (n,) datetime64[us] of stamps, the numbers of all other parts; missing where unreadable."""
        if self.part is TimePart.STAMP:
            return self.date.read(column)
        return read_part(column, self.part, self.format)


def decide_times(
    frame: pd.DataFrame, names: Sequence[str], regularity: Regularity, day_first: bool | None = None
) -> tuple[tuple[TimeColumn, ...], Stamps, tuple[str, ...]]:
    """How the columns are read, the (n,) stamps with NaT where they cannot be, and notes.

    Args:
        frame: the whole table.
        names: columns of the time.
        regularity: how regular (n,) stamps are, from 0 to 1: decides between formats that both fit.
        day_first: as the user gave it; None: by the values.

    Raises:
        DataError: a column holds no times, or what it is of the time cannot be told.
    """
    if len(names) == 1:
        column, stamps, note = _decide_stamps(frame[names[0]], regularity, day_first)
        return (column,), stamps, note
    columns: list[TimeColumn] = []
    notes: list[str] = []
    values: dict[TimePart, npt.NDArray[Any]] = {}
    parts = recognise(frame[list(names)], _holds_stamps)
    for name, (part, format) in parts.items():
        if part is TimePart.STAMP:
            column, values[part], note = _decide_stamps(frame[name], regularity, day_first)
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
        return columns[0].read(frame[columns[0].name])
    return compose({column.part: column.read(frame[column.name]) for column in columns})


def show_value(frame: pd.DataFrame, names: Sequence[str], row: int) -> str:
    """What the file has for the time of a row, in quotes; `nothing` where it is empty."""
    values = [frame[name].iloc[row] for name in names]
    given = [str(value)[:40] for value in values if not _values.is_missing(value)]
    return repr(" ".join(given)) if given else "nothing"


def unreadable(columns: Sequence[TimeColumn], frame: pd.DataFrame, row: int) -> DataError:
    """Return the refusal of a row whose time cannot be read, with a form in which it would be."""
    names = [column.name for column in columns]
    place = " and ".join(map(repr, names))
    value = show_value(frame, names, row)
    if value == "nothing":
        return DataError(f"data.time: row {row + 2} has no time in {place}: add it, or delete the row.")
    return DataError(
        f"data.time: row {row + 2} has {value} in {place}, which is not a time like those of the other rows: "
        f"{_how_to_write(columns)}, or delete the row."
    )


def _how_to_write(columns: Sequence[TimeColumn]) -> str:
    """What to do for a time to be read as those of the other rows are: another form is not."""
    if len(columns) > 1:
        return "correct it"
    date, zone = columns[0].date, ""
    if date.is_zoned:
        zone = " and its time zone behind it, such as +01:00"
    if date.form == DateFormat().form:
        return f"write it as 2014-01-31 13:00{zone}" if zone else _HOW_TO_WRITE
    return f"write it in the format {date.form}{zone}"


def _zone_note(column: pd.Series[Any], form: DateFormat) -> str:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return f"Times in {column.name!r} have a time zone: read as UTC."
    named = zone_names(column) if form.is_zoned is not False else None
    if named is None:
        return ""
    if form.are_days:
        return f"Times in {column.name!r} are read as days of their own time zone."
    shown = ", ".join(f"{name} as UTC{zone}" for name, zone in sorted(named.items()))
    without = ", those that name no time zone too" if form.is_zoned is None else ""
    return f"Times in {column.name!r} have a time zone: read as UTC{f' ({shown})' if shown else ''}{without}."


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


def _formats(column: pd.Series[Any], day_first: bool | None = None) -> tuple[DateFormat, ...]:
    return fitting_formats(column, day_first, least=_LEAST_READABLE, periods=True)


def _holds_stamps(column: pd.Series[Any]) -> bool:
    """Return whether at least half of the values of a column are dates; years alone are not."""
    formats = _formats(column)
    return bool(formats) and formats[0].form != "%Y"


def _decide_stamps(
    column: pd.Series[Any], regularity: Regularity, day_first: bool | None
) -> tuple[TimeColumn, Stamps, tuple[str, ...]]:
    fitting = _formats(column, day_first)
    if not fitting:
        raise _no_times(column)
    read = {form: form.read(column) for form in fitting}
    best, note = fitting[0], ""
    if len(fitting) > 1:
        best, note = _most_regular(column, read, regularity)
    is_plain = not note and best.form == DateFormat().form
    told = "" if is_plain else f"Times in {str(column.name)!r} are read as {best.form}{note}."
    notes = tuple(filter(None, (told, _zone_note(column, best))))
    return TimeColumn(str(column.name), TimePart.STAMP, date=best), read[best], notes


def _most_regular(
    column: pd.Series[Any], read: dict[DateFormat, Stamps], regularity: Regularity
) -> tuple[DateFormat, str]:
    """Return the format that makes the stamps most regular or, as regular, most in order; and why."""
    regular = {form: round(regularity(stamps), 3) for form, stamps in read.items()}
    best = max(read, key=lambda form: (regular[form], _share_in_order(read[form])))
    others = [form for form in read if form != best]
    would_fit = f"{' and '.join(form.form for form in others)} would fit too"
    if any(regular[form] == regular[best] for form in others):
        return best, f", but {would_fit}: {how_they_differ(column, best, others[0])}"
    return best, f", which makes them regular ({would_fit})"


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
