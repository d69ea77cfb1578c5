"""The calendar of time steps: as numbers for trees, as points on circles for networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

FIELDS = (
    "second",
    "minute",
    "hour",
    "day_of_week",
    "day",
    "days_in_month",
    "week",
    "month",
    "day_of_year",
)
_HOURS_PER_YEAR = 8766.0
_PERIOD_HOURS = {"hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.5, "year": _HOURS_PER_YEAR}


def calendar_numbers(times: pd.DatetimeIndex) -> npt.NDArray[np.float32]:
    """(T,) times -> (T, len(FIELDS)) float32."""
    week = times.isocalendar().week.to_numpy(np.float32)
    columns = [week if name == "week" else np.asarray(getattr(times, name)) for name in FIELDS]
    return np.stack(columns, axis=1).astype(np.float32)


def circle_names(times: pd.DatetimeIndex) -> tuple[str, ...]:
    """Names of the columns of `circles` at the frequency of the grid: of periods longer than a step."""
    step_hours = float(np.median(np.diff(times.to_numpy("datetime64[s]")).astype(np.float64))) / 3600
    fitting = [name for name, hours in _PERIOD_HOURS.items() if hours >= 2 * step_hours]
    return tuple(f"{name}_{side}" for name in fitting for side in ("sin", "cos"))


def circles(times: pd.DatetimeIndex, names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """(T,) times -> (T, len(names)) sine and cosine of the place in the hour, day, week, month, year."""
    sides = {"sin": np.sin, "cos": np.cos}
    columns = [np.empty((len(times), 0))]
    for name in names:
        period, side = name.split("_")
        columns.append(sides[side](2 * np.pi * _phase(times, period))[:, np.newaxis])
    return np.concatenate(columns, axis=1).astype(np.float32)


def _phase(times: pd.DatetimeIndex, period: str) -> npt.NDArray[np.float64]:
    """(T,) share of the period that is over, from 0 to 1."""
    of_hour = (np.asarray(times.minute) + np.asarray(times.second) / 60) / 60
    of_day = (np.asarray(times.hour) + of_hour) / 24
    if period == "hour":
        return np.asarray(of_hour, np.float64)
    if period == "day":
        return np.asarray(of_day, np.float64)
    if period == "week":
        return np.asarray((np.asarray(times.dayofweek) + of_day) / 7, np.float64)
    if period == "month":
        return np.asarray((np.asarray(times.day) - 1 + of_day) / np.asarray(times.days_in_month), np.float64)
    return np.asarray((np.asarray(times.dayofyear) - 1 + of_day) / (365.0 + times.is_leap_year), np.float64)
