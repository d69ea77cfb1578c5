"""Looking one season back: the values that a seasonal naive forecast repeats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tuning.models._table import FloatArray, IntArray, Table
from tuning.models._windows import Windows
from tuning.models.errors import ModelError


def windows_of(table: Table) -> Windows:
    """The windows of a table of forecasts.

    Raises:
        ModelError: the rows are not forecasts.
    """
    if table.windows is None:
        raise ModelError("A forecaster needs windows: these rows are no forecasts of series.")
    return table.windows


def aligned_steps(windows: Windows, season: int) -> IntArray:
    """(w, H) the latest known time step at the target's place in the season; below 0: before the grid."""
    ahead = np.arange(1, windows.horizon + 1)
    seasons_back = -(-ahead // season)  # (H,) whole seasons that lead back to the origin or before it
    return windows.origin[:, np.newaxis] + ahead - seasons_back * season


def values_at(windows: Windows, steps: IntArray) -> npt.NDArray[np.float64]:
    """Values of each window's series at (w, k) time steps, forwarded: (w, k), NaN before its first one."""
    series = windows.series[:, np.newaxis]
    values = windows.panel.values[series, np.maximum(steps, 0)]
    return np.where(steps >= 0, values, np.nan).astype(np.float64)


def last_values(windows: Windows) -> npt.NDArray[np.float64]:
    """(w, H) the value at the origin, forwarded, for every step ahead."""
    last = values_at(windows, windows.origin[:, np.newaxis])
    return np.broadcast_to(last, windows.mask.shape)


def seasonal_values(windows: Windows, season: int) -> npt.NDArray[np.float64]:
    """(w, H) the value one season before, forwarded; the last value where the history is shorter."""
    aligned = values_at(windows, aligned_steps(windows, season))
    return np.where(np.isnan(aligned), last_values(windows), aligned)


def rows_of(windows: Windows, per_step: FloatArray) -> npt.NDArray[np.float64]:
    """(w, H) one number per window and step -> (n,) one per row of the table."""
    return np.asarray(per_step[windows.mask], dtype=np.float64)
