"""The calendar of time steps: as numbers for trees, as points on circles for networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_YEAR_DAYS = 365.25
_FIELD_CYCLE_DAYS = {
    "second": 1 / 1440,
    "minute": 1 / 24,
    "hour": 1.0,
    "day_of_week": 7.0,
    "day": 31.0,
    "days_in_month": _YEAR_DAYS,
    "week": _YEAR_DAYS,
    "month": _YEAR_DAYS,
    "day_of_year": _YEAR_DAYS,
}
_CIRCLE_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.4, "year": _YEAR_DAYS}
_FEWEST_CYCLES = 1.5  # in training; of fewer, the place in the cycle is a mere number of the time step


def calendar_fields(times: pd.DatetimeIndex) -> tuple[str, ...]:
    """The fields of the calendar that come again in the (T,) times of training; none of steps of years."""
    days = _days(times)
    if days / max(len(times) - 1, 1) >= int(_YEAR_DAYS):
        return ()
    return tuple(name for name, cycle in _FIELD_CYCLE_DAYS.items() if days >= _FEWEST_CYCLES * cycle)


def calendar_numbers(times: pd.DatetimeIndex, fields: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """(T,) times -> (T, len(fields)) float32."""
    columns = [np.empty((len(times), 0))]
    for name in fields:
        field = times.isocalendar().week if name == "week" else getattr(times, name)
        columns.append(np.asarray(field, dtype=np.float64)[:, np.newaxis])
    return np.concatenate(columns, axis=1).astype(np.float32)


def circle_names(times: pd.DatetimeIndex) -> tuple[str, ...]:
    """Names of the columns of `circles`: of periods of two steps or more that come again in training."""
    days = _days(times)
    step = days / max(len(times) - 1, 1)
    fitting = [
        name for name, cycle in _CIRCLE_DAYS.items() if cycle >= 2 * step and days >= _FEWEST_CYCLES * cycle
    ]
    return tuple(f"{name}_{side}" for name in fitting for side in ("sin", "cos"))


def _days(times: pd.DatetimeIndex) -> float:
    return float((times[-1] - times[0]) / pd.Timedelta(days=1))


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
