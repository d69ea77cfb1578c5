"""The regular grid that time stamps lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tuning.data.series._frequency import (
    DAY,
    MICROSECONDS,
    IntArray,
    Stamps,
    fixed_step,
    infer_frequency,
    months_of,
    most_common,
    parse_frequency,
    resolve_frequency,
    step_in_months,
    steps_within,
    weekdays,
)
from tuning.errors import DataError

MOST_CELLS = 200_000_000
_OFF = np.iinfo(np.int64).min
_LEAST_COVERAGE = 0.2
_LEAST_STEPS_TO_COMPARE = 3
_COARSER = ("s", "min", "h", "D", "W", "MS", "QS", "YS")


@dataclass(frozen=True)
class Grid:
    """Where stamps lie on a regular grid.

    Attributes:
        frequency: as pandas names it.
        times: (T,) of the grid.
        positions: (n,) of each stamp in `times`.
        note: what a person should know of how the stamps were read; empty where they were as they are.
    """

    frequency: str
    times: pd.DatetimeIndex
    positions: IntArray
    note: str = ""


def fit_grid(stamps: Stamps, series: IntArray, rows: IntArray, frequency: str | None) -> Grid:
    """The grid of the stamps that are to be learnt from.

    Args:
        stamps: (n,) datetime64[us], each at most once within a series.
        series: (n,) code of the series.
        rows: (n,) position in the file.
        frequency: as given; None: inferred from the most common step within series.

    Raises:
        DataError: too few stamps, no such frequency, stamps off its steps, or nearly all steps missing.
    """
    distinct = pd.Series(stamps).nunique()
    if distinct < 3:
        raise DataError(
            f"data.time: the file has {distinct} distinct time{'s' * (distinct > 1)}, at least 3 are needed "
            "to tell the step between them."
        )
    inferred = infer_frequency(stamps, series)
    alias = inferred if frequency is None else resolve_frequency(frequency, stamps)
    positions = _positions(stamps, alias)
    _refuse_off_grid(stamps, rows, positions, alias, inferred)
    _refuse_shared_steps(stamps, series, rows, positions, alias)
    _refuse_empty(stamps, series, rows, positions, alias, inferred)
    return _grid(stamps, series, positions, alias)


def apply_grid(stamps: Stamps, series: IntArray, rows: IntArray, frequency: str) -> Grid:
    """The grid of stamps that come later, of the frequency that was learnt.

    Raises:
        DataError: the stamps have another frequency.
    """
    positions = _positions(stamps, frequency)
    if (positions == _OFF).any():
        first = _first(positions == _OFF, rows)
        raise DataError(
            f"data.time: {_place(stamps, rows, first)} is off the steps of {frequency} that the model was "
            "trained on: give the rows at those times."
        )
    _refuse_shared_steps(stamps, series, rows, positions, frequency)
    steps = _position_steps(positions, series)
    if len(steps) >= _LEAST_STEPS_TO_COMPARE and most_common(steps) > 1:
        found = infer_frequency(stamps, series)
        raise DataError(
            f"data.time: the times of this file are {found} apart, the model was trained on steps of "
            f"{frequency}: give a row for each of them."
        )
    return _grid(stamps, series, positions, frequency)


def regularity(stamps: Stamps, series: IntArray) -> float:
    """How well stamps fit the grid of their own frequency: share on it, times share of it that is taken."""
    given = ~np.isnat(stamps)
    stamps, series = stamps[given], series[given]
    if pd.Series(stamps).nunique() < 2:
        return 0.0
    positions = _positions(stamps, infer_frequency(stamps, series))
    on_grid = positions != _OFF
    if not on_grid.any():
        return 0.0
    return float(on_grid.mean()) * _coverage(positions[on_grid], series[on_grid])


def spans(positions: IntArray, series: IntArray) -> IntArray:
    """(S,) steps from the first to the last row of each series."""
    bounds = pd.Series(positions).groupby(series).agg(["min", "max"])
    return (bounds["max"] - bounds["min"] + 1).to_numpy(np.int64)


def _coverage(positions: IntArray, series: IntArray) -> float:
    repeated = pd.MultiIndex.from_arrays([series, positions]).duplicated()
    return float((~repeated).sum()) / float(spans(positions, series).sum())


def _position_steps(positions: IntArray, series: IntArray) -> IntArray:
    order = np.lexsort((positions, series))
    steps: IntArray = np.diff(positions[order])[np.diff(series[order]) == 0]
    return steps


def _positions(stamps: Stamps, alias: str) -> IntArray:
    """(n,) steps from the first stamp on the grid, `_OFF` for stamps that are not on it."""
    offset = parse_frequency(alias)
    months, step = step_in_months(offset), fixed_step(offset)
    if months is not None:
        return _by_months(stamps, offset, months)
    if step is not None:
        return _by_step(stamps, offset, step)
    grid = pd.date_range(stamps.min(), stamps.max(), freq=offset, unit="us")
    found = grid.get_indexer(pd.DatetimeIndex(stamps)).astype(np.int64)
    return np.where(found < 0, _OFF, found)


def _by_months(stamps: Stamps, offset: Any, step: int) -> IntArray:
    months = months_of(stamps)
    if step % 3 == 0 and offset.n == 1:  # a quarter or a year: the calendar says in which months it starts
        anchors = np.array([_is_anchor(month, offset) for month in range(12)])
        good = anchors[months % 12]
    else:
        good = months % step == most_common(months % step)
    first = months[good].min() if good.any() else 0
    return np.where(good, (months - first) // step, _OFF)


def _is_anchor(month: int, offset: Any) -> bool:
    start = pd.Timestamp(year=2001, month=month + 1, day=1)
    return bool(offset.is_on_offset(start) or offset.is_on_offset(start + pd.offsets.MonthEnd()))


def _by_step(stamps: Stamps, offset: Any, step: int) -> IntArray:
    ticks = stamps.astype(np.int64)
    weekday = getattr(offset, "weekday", None)  # of weeks
    good = ticks % step == most_common(ticks % step)
    if weekday is not None:
        good = (ticks % DAY == most_common(ticks % DAY)) & (weekdays(stamps) == weekday)
        weeks = (ticks - ticks.min()) // (7 * DAY)
        good &= weeks % offset.n == (most_common(weeks[good] % offset.n) if good.any() else 0)
    first = ticks[good].min() if good.any() else 0
    return np.where(good, (ticks - first) // step, _OFF)


def _first(bad: Any, rows: IntArray) -> int:
    """The index of the bad one that comes first in the file."""
    candidates = np.flatnonzero(bad)
    return int(candidates[rows[candidates].argmin()])


def show(stamp: np.datetime64 | pd.Timestamp) -> str:
    """A stamp as a person writes it, without a time of day at midnight."""
    text = str(pd.Timestamp(stamp))
    return text.removesuffix(" 00:00:00")


def _place(stamps: Stamps, rows: IntArray, index: int) -> str:
    return f"row {rows[index] + 2} ({show(stamps[index])})"


def _refuse_off_grid(stamps: Stamps, rows: IntArray, positions: IntArray, alias: str, inferred: str) -> None:
    off = positions == _OFF
    if not off.any():
        return
    place = _place(stamps, rows, _first(off, rows))
    others = f", as are {int(off.sum()) - 1} more of {len(off)}" if off.sum() > 1 else ""
    if alias != inferred and not (_positions(stamps, inferred) == _OFF).any():
        raise DataError(
            f"data.frequency: {place} is off the steps of {alias}{others}: the times fit {inferred}, use "
            f"--set data.frequency={inferred}."
        )
    if _are_local_days(stamps):
        raise DataError(
            f"data.time: {place} is off the steps of {alias} by an hour{others}, as local days are in UTC: "
            "give the dates without a time zone."
        )
    raise DataError(
        f"data.time: {place} is off the steps of {alias} that most rows keep{others}: correct it, give the "
        "step by --set data.frequency=..., or aggregate the rows to regular steps first."
    )


def _are_local_days(stamps: Stamps) -> bool:
    """Whether there are two times of the day, an hour apart, as midnight has in UTC over a year."""
    hours = pd.unique(stamps.astype(np.int64) % DAY)
    return len(hours) == 2 and abs(int(hours[0]) - int(hours[1])) == MICROSECONDS["h"]


def _refuse_shared_steps(
    stamps: Stamps, series: IntArray, rows: IntArray, positions: IntArray, alias: str
) -> None:
    """Refuse two different times of a series within one step, as two days are of one month."""
    order = np.lexsort((positions, series))
    shared = (np.diff(positions[order]) == 0) & (np.diff(series[order]) == 0)
    if shared.any():
        first = int(np.flatnonzero(shared)[0])
        one, other = order[first], order[first + 1]
        raise DataError(
            f"data.frequency: {_place(stamps, rows, one)} and {_place(stamps, rows, other)} fall into one "
            f"step of {alias}: give a finer frequency, or aggregate the rows to that step first."
        )


def _refuse_empty(
    stamps: Stamps, series: IntArray, rows: IntArray, positions: IntArray, alias: str, inferred: str
) -> None:
    steps = int(spans(positions, series).sum())
    if len(positions) >= _LEAST_COVERAGE * steps:
        return
    missing = f"{steps - len(positions):,} of {steps:,} steps of {alias} have no row"
    if alias != inferred and len(positions) >= _LEAST_COVERAGE * _steps_of(stamps, series, inferred):
        raise DataError(f"data.frequency: {missing}: the times fit --set data.frequency={inferred}.")
    lonely = _lonely(stamps)
    if lonely is not None:
        place = _place(stamps, rows, lonely)
        raise DataError(f"data.time: {missing}: {place} lies far from all others, correct or delete it.")
    raise DataError(
        f"data.time: {missing}: aggregate the rows to a coarser step first, such as "
        f"{_coarser(stamps, series, len(positions))}, and give it by --set data.frequency."
    )


def _lonely(stamps: Stamps) -> int | None:
    """The first or the last time, where the gap beside it is most of the whole time."""
    order = np.argsort(stamps, kind="stable")
    gaps = np.diff(stamps[order].astype(np.int64))
    if 2 * gaps.max() < gaps.sum():
        return None
    widest = int(gaps.argmax())
    return int(order[0]) if widest == 0 else int(order[-1]) if widest == len(gaps) - 1 else None


def _steps_of(stamps: Stamps, series: IntArray, alias: str) -> int:
    positions = _positions(stamps, alias)
    good = positions != _OFF
    return int(spans(positions[good], series[good]).sum())


def _coarser(stamps: Stamps, series: IntArray, n: int) -> str:
    """The finest of the usual steps that has about one row each."""
    mean = float(steps_within(stamps, series).sum()) / max(n - 1, 1)
    lengths = {**MICROSECONDS, "W": 7 * DAY, "MS": 30 * DAY, "QS": 91 * DAY, "YS": 365 * DAY}
    return next((name for name in _COARSER if lengths[name] >= mean), _COARSER[-1])


def check_size(n_series: int, length: int, alias: str) -> None:
    """Refuse a grid that does not fit in memory.

    Raises:
        DataError: the message says how large it is.
    """
    if n_series * length > MOST_CELLS:
        raise DataError(
            f"data.time: {n_series:,} series of {length:,} steps of {alias} are more than the "
            f"{MOST_CELLS:,} values that fit in memory: take fewer series, a shorter time or a coarser step."
        )


def _grid(stamps: Stamps, series: IntArray, positions: IntArray, alias: str) -> Grid:
    length = int(positions.max()) + 1
    check_size(int(series.max()) + 1, length, alias)
    offset = parse_frequency(alias)
    start = stamps[positions == 0].min()
    if step_in_months(offset) is not None:
        start = start.astype("datetime64[M]").astype("datetime64[us]")
    times = pd.date_range(start, periods=length, freq=offset, unit="us")
    return Grid(alias, times, positions, _moved(stamps, times, positions, alias))


def _moved(stamps: Stamps, times: pd.DatetimeIndex, positions: IntArray, alias: str) -> str:
    """A note where stamps were moved to the start or the end of their month."""
    moved = np.flatnonzero(times.to_numpy()[positions] != stamps)
    if not len(moved):
        return ""
    one = int(moved[0])
    place = times.to_numpy()[positions[one]]
    return f"Times are read as steps of {alias}: {show(stamps[one])} is {show(place)}."
