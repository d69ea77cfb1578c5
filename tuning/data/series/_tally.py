"""Running sums over time, for means of what is known so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """Sums and counts of values: (S, T), those that become known at each time step; or (S,), of all time."""

    total: FloatArray
    count: FloatArray

    @property
    def overall(self) -> Tally:
        """(S, T) -> (S,), over all time."""
        return Tally(self.total.sum(axis=1), self.count.sum(axis=1))

    @property
    def so_far(self) -> Tally:
        """(S, T) -> (S, T), over the time up to each step."""
        return Tally(self.total.cumsum(axis=1), self.count.cumsum(axis=1))

    @property
    def mean(self) -> FloatArray:
        """Means; nan without a value."""
        empty = np.full(self.total.shape, np.nan)
        return np.asarray(np.divide(self.total, self.count, out=empty, where=self.count > 0))


def sizes(values: FloatArray) -> Tally:
    """|value| of (S, T) values, nan where not known."""
    return _of(np.abs(values))


def changes(values: FloatArray, lag: int) -> Tally:
    """|v[t] - v[t - lag]| of (S, T) values."""
    change = np.full(values.shape, np.nan)
    change[:, lag:] = np.abs(values[:, lag:] - values[:, :-lag])
    return _of(change)


def deviations(values: FloatArray, locations: FloatArray, horizon: int) -> Tally:
    """|v[t + h] - location[t]| at the step t + h, of all h up to the horizon.

    Args:
        values: (S, T), nan where not known.
        locations: (S, T), of forecasts from each step; those from steps without a value do not count.
        horizon: H.
    """
    total, count = np.zeros(values.shape), np.zeros(values.shape)
    sources = np.where(np.isnan(values), np.nan, locations)
    for step in range(1, min(horizon, values.shape[1] - 1) + 1):
        part = _of(np.abs(values[:, step:] - sources[:, :-step]))
        total[:, step:] += part.total
        count[:, step:] += part.count
    return Tally(total, count)


def _of(values: FloatArray) -> Tally:
    known = np.isfinite(values)
    return Tally(np.where(known, values, 0.0), known.astype(np.float64))
