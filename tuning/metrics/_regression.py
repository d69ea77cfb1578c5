"""Measures of predicted numbers. Percentages are in percent, 0 to 100 and above."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def rmse(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Root mean squared error."""
    from sklearn import metrics

    return float(metrics.root_mean_squared_error(y_true, y_pred, sample_weight=weight))


def mae(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean absolute error."""
    from sklearn import metrics

    return float(metrics.mean_absolute_error(y_true, y_pred, sample_weight=weight))


def mape(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean absolute percentage error, in percent of the true value."""
    from sklearn import metrics

    return 100 * float(metrics.mean_absolute_percentage_error(y_true, y_pred, sample_weight=weight))


def smape(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Symmetric mean absolute percentage error, in percent: mean of 2|y - p| / (|y| + |p|), 0 to 200.

    A row where both are 0 counts as 0.

    >>> smape(np.array([0.0, 1.0]), np.array([0.0, 3.0]))
    50.0
    """
    size = np.abs(y_true) + np.abs(y_pred)
    distance = 2 * np.abs(y_true - y_pred)
    ratio = np.divide(distance, size, out=np.zeros_like(size, dtype=np.float64), where=size > 0)
    return 100 * float(np.average(ratio, weights=weight))


def wape(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Weighted absolute percentage error, in percent: the sum of |y - p| over that of |y|.

    >>> wape(np.array([0.0, 4.0]), np.array([1.0, 3.0]))
    50.0
    """
    error = float(np.average(np.abs(y_true - y_pred), weights=weight))
    size = float(np.average(np.abs(y_true), weights=weight))
    return 100 * error / size if size > 0 else math.nan


def r2(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Share of the variance explained; 0 for the mean, 1 for perfect predictions."""
    from sklearn import metrics

    return float(metrics.r2_score(y_true, y_pred, sample_weight=weight))


def rmsle(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Root mean squared error of log(1 + value); nan where a prediction is -1 or less."""
    from sklearn import metrics

    if (y_pred <= -1).any():
        return math.nan
    return math.sqrt(metrics.mean_squared_log_error(y_true, y_pred, sample_weight=weight))


def needs_nonzero(y: Array) -> str | None:
    """A sentence where a target is 0, which makes a percentage of it meaningless."""
    return _refuse_zeros(y, "smape or mae")


def needs_nonzero_forecast(y: Array) -> str | None:
    """The same for forecasts, where there are better ways out."""
    return _refuse_zeros(y, "wape or mase")


def _refuse_zeros(y: Array, instead: str) -> str | None:
    zeros = int((y == 0).sum())
    if zeros == 0:
        return None
    return f"The metric mape is not defined for a target of 0, and {zeros} rows have one: use {instead}."


def needs_any_nonzero(y: Array) -> str | None:
    """A sentence where every target is 0, so that there is no sum to relate errors to."""
    if len(y) == 0 or (y != 0).any():
        return None
    return f"The metric wape is not defined where every target is 0, as in {len(y)} rows: use mae or mase."


def needs_nonnegative(y: Array) -> str | None:
    """A sentence where a target is negative."""
    negatives = int((y < 0).sum())
    if negatives == 0:
        return None
    return (
        f"The metric rmsle is not defined for a target below 0, and {negatives} rows have it: use rmse, mae."
    )


def needs_two_rows(y: Array) -> str | None:
    """A sentence where there is no variance to explain because there is only one row."""
    return (
        None if len(y) >= 2 else f"The metric r2 needs at least 2 rows, there are {len(y)}: use rmse or mae."
    )
