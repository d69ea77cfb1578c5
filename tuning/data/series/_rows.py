"""Rows of a file as observations of series: whose they are, and which of them count."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data._numbers import NumberFormat
from tuning.data._offers import listing
from tuning.data.series._frequency import DAY, IntArray, Stamps, weekdays
from tuning.data.series._grid import show
from tuning.data.series._time_parts import is_time_part
from tuning.errors import DataError

_LARGEST = 1e30  # squares of it are within the range of float64, and it is within that of float32
_INFINITIES = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
_MOST_SEPARATORS = 8
_CLOCKS_CHANGE_BEFORE = 4 * DAY // 24
_SUNDAY = 6
SERIES_JOINT = " / "  # between the labels of a series that several columns name


def labels_of(column: pd.Series[Any]) -> tuple[IntArray, list[str | None]]:
    """(n,) code of each value by first appearance, -1 where missing; and the label of each code."""
    if column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype):
        column = _values.as_labels(column)
    first, distinct = pd.factorize(column, use_na_sentinel=True)
    read = _values.as_labels(pd.Series(distinct))
    again, labels = pd.factorize(read, use_na_sentinel=True)  # " a" and "a" are one label
    return np.append(again, -1)[first].astype(np.int64), list(labels)


def series_of(frame: pd.DataFrame, names: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """(n,) series of each row, -1 where a label is missing; and the names of the S series.

    Series are in the order of the file; names of several columns are joined by `SERIES_JOINT`. Without
    columns all rows are one series, with the empty name.

    Raises:
        DataError: one of several labels holds `SERIES_JOINT`, so that the name could not be taken apart.
    """
    if not names:
        return np.zeros(len(frame), dtype=np.int64), ("",)
    parts = [labels_of(frame[name]) for name in names]
    _refuse_joints(names, [labels for _, labels in parts])
    joint = np.zeros(len(frame), dtype=np.int64)
    missing = np.zeros(len(frame), dtype=bool)
    for codes, labels in parts:
        joint = pd.factorize(joint * (len(labels) + 1) + codes)[0].astype(np.int64)
        missing |= codes < 0
    codes = np.full(len(frame), -1, dtype=np.int64)
    codes[~missing], first = _renumbered(joint[~missing])
    rows = np.flatnonzero(~missing)[first]
    return codes, tuple(SERIES_JOINT.join(str(labels[codes[row]]) for codes, labels in parts) for row in rows)


def _refuse_joints(names: Sequence[str], labels: Sequence[Sequence[str | None]]) -> None:
    for name, each in zip(names, labels, strict=True):
        bad = next((label for label in each if label is not None and SERIES_JOINT in label), None)
        if bad is not None and len(names) > 1:
            raise DataError(
                f"data.series: {bad!r} in {name!r} holds {SERIES_JOINT!r}, which stands between the columns "
                "in names of series: write it otherwise."
            )


def _renumbered(codes: IntArray) -> tuple[IntArray, IntArray]:
    """(n,) codes from 0 in order of appearance, and the first position of each."""
    again = pd.factorize(codes)[0].astype(np.int64)
    return again, np.unique(again, return_index=True)[1].astype(np.int64)


def refuse_missing_series(codes: IntArray, names: Sequence[str], frame: pd.DataFrame, rows: IntArray) -> None:
    """Refuse rows that belong to no series.

    Raises:
        DataError: the message names the first.
    """
    bad = np.flatnonzero(codes < 0)
    if len(bad):
        name = next(name for name in names if labels_of(frame[name].iloc[rows[bad[:1]]])[0][0] < 0)
        raise DataError(
            f"data.series: row {rows[bad[0]] + 2} has no value in {name!r}, so that its series is not known: "
            "add it, or delete the row."
        )


def count_footer(stamps: Stamps, column: pd.Series[Any], number: NumberFormat) -> int:
    """Number of rows at the end that are no observations: without a time and without a number as target."""
    bad = np.isnat(stamps)
    if not bad[-1]:
        return 0
    tail = len(bad) - int(np.flatnonzero(~bad)[-1]) - 1 if not bad.all() else len(bad)
    numbers = _values.as_numbers(column.iloc[len(column) - tail :], number)
    valued = np.flatnonzero(np.isfinite(numbers))
    return tail if not len(valued) else tail - int(valued[-1]) - 1


def read_target(column: pd.Series[Any], number: NumberFormat, rows: IntArray) -> npt.NDArray[np.float64]:
    """(n,) float64 of the rows, NaN where the target is not given.

    Raises:
        DataError: a target is not a finite number.
    """
    if types.is_datetime64_any_dtype(column.dtype):
        raise DataError(
            f"data.target: {column.name!r} holds dates, not numbers: name the column to be forecast."
        )
    column = column.iloc[rows]
    values = _values.as_numbers(column, number)
    bad = np.flatnonzero(np.isnan(values) & ~_is_missing(column))
    if len(bad):
        value = str(column.iloc[bad[0]])[:40]
        what = "which is infinite" if value.strip().casefold() in _INFINITIES else "which is not a number"
        others = f" (so are {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise DataError(
            f"data.target: row {rows[bad[0]] + 2} has {value!r} in {column.name!r}, {what}{others}: correct "
            "it, or leave the cell empty where the value is not known."
        )
    if np.nanmax(np.abs(values), initial=0.0) > _LARGEST:
        raise DataError(f"data.target: {column.name!r} has values beyond {_LARGEST:g}: rescale it.")
    return values


def _is_missing(column: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    if _values.is_words(column):
        return _values.as_labels(column).isna().to_numpy(dtype=bool)
    return column.isna().to_numpy(dtype=bool)


def refuse_unlearnable(values: npt.NDArray[np.float64], name: str) -> None:
    """Refuse a target that is missing or the same in all rows.

    Raises:
        DataError: there is nothing to learn.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise DataError(f"data.target: {name!r} is missing in every row: name the column to be forecast.")
    if (known == known[0]).all():
        raise DataError(f"data.target: {name!r} is {known[0]:g} in every row: nothing can be learnt.")


def keep_once(
    frame: pd.DataFrame,
    stamps: Stamps,
    series: IntArray,
    names: tuple[str, ...],
    keys: tuple[Sequence[str], Sequence[str]],
    *,
    is_new: bool = False,
) -> npt.NDArray[np.bool_]:
    """(n,) the rows to keep, where rows that are equal in all columns are kept once.

    Args:
        frame: (n,) rows of the file, at their position in the file as index.
        stamps: (n,) their times.
        series: (n,) their series.
        names: of the series.
        keys: the columns of the time, and those that tell series apart.
        is_new: the rows are to be forecast from: what tells them apart was decided in training.

    Raises:
        DataError: two rows of a series have the same time and other values.
    """
    index = pd.MultiIndex.from_arrays([series, stamps])
    keep = np.ones(len(frame), dtype=bool)
    repeated = np.flatnonzero(index.duplicated(keep=False))
    if not len(repeated):
        return keep
    doubtful = plain(frame.iloc[repeated])
    keep[repeated] = ~doubtful.duplicated().to_numpy()
    again = np.flatnonzero(index[keep].duplicated())
    if len(again):
        raise _repeated(frame[keep], stamps[keep], series[keep], names, keys, int(again[0]), is_new=is_new)
    return keep


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Write columns of objects as labels, which lists have too."""
    words = {str(name): _values.as_labels(frame[name]) for name in frame if frame[name].dtype == object}
    return frame.assign(**words)


def _repeated(
    frame: pd.DataFrame,
    stamps: Stamps,
    series: IntArray,
    names: tuple[str, ...],
    keys: tuple[Sequence[str], Sequence[str]],
    second: int,
    *,
    is_new: bool,
) -> DataError:
    first = int(np.flatnonzero((series == series[second]) & (stamps == stamps[second]))[0])
    of_series = f" of series {names[series[second]]!r}" if keys[1] else ""
    place = (
        f"data.time: row {frame.index[second] + 2} has the time {show(stamps[second])}{of_series} that row "
        f"{frame.index[first] + 2} has, with other values"
    )
    index = pd.MultiIndex.from_arrays([series, stamps])
    doubtful = index.duplicated(keep=False)
    if _are_clock_changes(stamps[doubtful], stamps):
        return DataError(
            f"{place}, as where clocks are set back by an hour: give the times in UTC or with "
            "their time zone."
        )
    separators = () if is_new else _separators(frame[doubtful], index[doubtful], (*keys[0], *keys[1]))
    if separators:
        return DataError(f"{place}: {_advice(separators, *keys)}.")
    return DataError(f"{place}: keep one row for each time, or add the rows of one time up first.")


def _advice(separators: tuple[str, ...], times: Sequence[str], keys: Sequence[str]) -> str:
    told = " and ".join(map(repr, separators))
    verb = "tells" if len(separators) == 1 else "tell"
    is_time = all(map(is_time_part, separators))
    option, key, columns = ("--time", "data.time", times) if is_time else ("--series", "data.series", keys)
    return f"{told} {verb} such rows apart, give {listing(option, key, [*columns, *separators])}"


def _are_clock_changes(repeated: Stamps, stamps: Stamps) -> bool:
    """Whether repeated times lie where local clocks are set back: an hour in the night to a Sunday."""
    ticks = repeated.astype(np.int64) % DAY
    in_the_night = (ticks < _CLOCKS_CHANGE_BEFORE).all() and (weekdays(repeated) == _SUNDAY).all()
    is_daily = (stamps.astype(np.int64) % DAY == 0).all()
    return bool(in_the_night and not is_daily)


def _separators(frame: pd.DataFrame, index: pd.MultiIndex, keys: Sequence[str]) -> tuple[str, ...]:
    """One or two columns of labels that no two rows of one time share, those with few levels first."""
    codes = {name: labels_of(frame[name])[0] for name in map(str, frame) if name not in keys}
    levels = {name: len(np.unique(code)) for name, code in codes.items() if _may_name_series(frame[name])}
    few = sorted(
        (name for name, count in levels.items() if 1 < count <= len(frame) // 2), key=levels.__getitem__
    )
    few = few[:_MOST_SEPARATORS]
    for chosen in [*combinations(few, 1), *combinations(few, 2)]:
        arrays: list[Any] = [
            index.get_level_values(0),
            index.get_level_values(1),
            *(codes[name] for name in chosen),
        ]
        if not pd.MultiIndex.from_arrays(arrays).has_duplicates:
            return chosen
    return ()


def _may_name_series(column: pd.Series[Any]) -> bool:
    """Labels and whole numbers may; measurements with fractions do not."""
    if not types.is_float_dtype(column.dtype):
        return not types.is_datetime64_any_dtype(column.dtype)
    values = column.dropna().to_numpy(np.float64)
    return bool((values % 1 == 0).all())


def order_note(stamps: Stamps, series: IntArray) -> str:
    """A note where the rows of a series are not in the order of time."""
    by_series = np.argsort(series, kind="stable")
    same = np.diff(series[by_series]) == 0
    steps = np.diff(stamps[by_series].astype(np.int64))[same]
    if not len(steps) or (steps >= 0).all():
        return ""
    if (steps <= 0).all():
        return "The newest rows come first in the file: read from the oldest on."
    return f"Rows are not in the order of time ({int((steps < 0).sum()):,} go back): sorted."
