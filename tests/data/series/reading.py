"""Small frames of series, and reading them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.data import DataConfig
from tuning.data.series import Covariate, History, SeriesReading, read_history
from tuning.errors import DataError


def config(**settings: Any) -> DataConfig:
    return DataConfig(**{"path": "t.csv", "target": "y", "time": "t", "horizon": 2, **settings})


def values(n: int) -> np.ndarray:
    """n numbers, all different."""
    return np.arange(n) * 1.5 + 10


def of_times(times: Any, **columns: Any) -> pd.DataFrame:
    """One series with a different target at each time."""
    times = list(times)
    return pd.DataFrame({"t": times, "y": values(len(times)), **columns})


def from_csv(text: str) -> pd.DataFrame:
    """A frame as a file with the lines of the text gives it."""
    return pd.read_csv(io.StringIO(text))


def read(frame: pd.DataFrame, fit_before: np.datetime64 | None = None, **settings: Any) -> SeriesReading:
    return read_history(frame, config(**settings), fit_before)


def times_of(reading: SeriesReading) -> list[str]:
    return [str(time).removesuffix(" 00:00:00") for time in reading.history.times]


def refusal(frame: pd.DataFrame, **settings: Any) -> str:
    """The sentence that refuses a frame."""
    with pytest.raises(DataError) as refused:
        read(frame, **settings)
    message = str(refused.value)
    assert message.endswith((".", "?"))
    return message


def covariate(history: History, name: str) -> Covariate:
    return next(one for one in history.covariates if one.name == name)
