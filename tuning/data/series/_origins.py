"""The origins that forecasts are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuning.data.series._cut import Span
from tuning.data.series._season import Seasons

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Origins:
    """w forecasts: (w,) series, (w,) time step of the origin, and (w, H) whether the step has a target."""

    series: IntArray
    origin: IntArray
    mask: BoolArray

    def __len__(self) -> int:
        return len(self.series)


def origins_within(
    observed: BoolArray, span: Span, horizon: int, seasons: Seasons, max_rows: int | None = None
) -> Origins:
    """Every origin with a value whose H targets lie in the span, at least one of them known.

    Args:
        observed: (S, T) where the target is known.
        span: of the targets; origins may lie one step before it.
        horizon: H.
        seasons: no stride is a multiple of a part of them, or some hours would never be forecast.
        max_rows: with more rows, origins are left out evenly.
    """
    first, last = max(span.start - 1, 0), span.end - horizon - 1
    if last < first:
        return _empty(horizon)
    known_until = np.pad(np.cumsum(observed, axis=1), ((0, 0), (1, 0)))  # (S, T) -> (S, T + 1)
    at = np.arange(first, last + 1)
    ahead: IntArray = known_until[:, at + horizon + 1] - known_until[:, at + 1]  # (S, origins)
    good = observed[:, at] & (ahead > 0)
    if max_rows is not None:
        good = _thinned(good, ahead, max_rows, seasons)
    series, place = np.nonzero(good)
    return _with_mask(observed, series, at[place], horizon)


def latest_origins(origin: IntArray, horizon: int) -> Origins:
    """One forecast per series, from the given (S,) origins, of all H steps."""
    return Origins(np.arange(len(origin)), origin, np.ones((len(origin), horizon), dtype=bool))


def _empty(horizon: int) -> Origins:
    none = np.empty(0, dtype=np.int64)
    return Origins(none, none, np.empty((0, horizon), dtype=bool))


def _with_mask(observed: BoolArray, series: IntArray, origin: IntArray, horizon: int) -> Origins:
    steps = origin[:, np.newaxis] + np.arange(1, horizon + 1)  # (w,) -> (w, H)
    return Origins(series, origin, observed[series[:, np.newaxis], steps])


def _thinned(good: BoolArray, n_rows: IntArray, max_rows: int, seasons: Seasons) -> BoolArray:
    """Every k-th of (S, origins), with the least k that keeps to `max_rows` and divides no season.

    Each series begins at another origin, so that together they cover all times.
    """
    whole = math.lcm(seasons.first, seasons.second or 1)
    n_series, n_origins = good.shape
    place = np.arange(n_origins)[::-1] + np.arange(n_series)[:, np.newaxis]  # (S, origins)
    stride = max(int(n_rows[good].sum()) // max_rows, 1)
    kept: BoolArray = good & (place % stride == 0)
    while int(n_rows[kept].sum()) > max_rows or (stride > 1 and math.gcd(stride, whole) > 1):
        stride += 1
        kept = good & (place % stride == 0)
    return kept
