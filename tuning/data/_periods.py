"""Periods of pandas, which are read as times: their first, of weeks the last day, which names them."""

from __future__ import annotations

from typing import Any

import pandas as pd

TimeIndex = pd.DatetimeIndex | pd.PeriodIndex


def without_periods(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of periods into columns of times; the frame is not changed."""
    names = [name for name in frame.columns if isinstance(frame[name].dtype, pd.PeriodDtype)]
    return frame.assign(**{name: _stamps(pd.PeriodIndex(frame[name])) for name in names}) if names else frame


def level_values(index: pd.Index[Any], place: int) -> pd.Index[Any]:
    """Take the values of a level of an index, as a column has them."""
    values = index.get_level_values(place)
    return _stamps(values) if isinstance(values, pd.PeriodIndex) else values


def _stamps(periods: pd.PeriodIndex) -> pd.DatetimeIndex:
    """The times of periods: the week W-FRI is its Friday, as it is in a range of that frequency."""
    if periods.freqstr.split("-")[0].lstrip("0123456789") == "W":
        return periods.to_timestamp(how="end").normalize()
    return periods.to_timestamp()
