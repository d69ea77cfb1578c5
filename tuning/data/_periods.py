"""Periods of pandas, which are read as the times at which they begin."""

from __future__ import annotations

from typing import Any

import pandas as pd

TimeIndex = pd.DatetimeIndex | pd.PeriodIndex


def without_periods(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of periods into columns of times; the frame is not changed."""
    names = [name for name in frame.columns if isinstance(frame[name].dtype, pd.PeriodDtype)]
    return frame.assign(**{name: frame[name].dt.to_timestamp() for name in names}) if names else frame


def level_values(index: pd.Index[Any], place: int) -> pd.Index[Any]:
    """Take the values of a level of an index, as a column has them."""
    values = index.get_level_values(place)
    return values.to_timestamp() if isinstance(values, pd.PeriodIndex) else values
