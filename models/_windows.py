"""What a forecaster sees: series on one time grid, and the windows cut from them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tuning.models._target import TargetTransform
from tuning.models.errors import ModelError

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SeriesSchema:
    """What is needed to build a forecaster.

    Attributes:
        horizon: H, steps that are forecast at once.
        season: m, steps of one season; 1: none.
        n_series: series seen in training.
        past: names of the past-only covariates, length P.
        known: names of the covariates known in advance, the calendar's among them, length K.
        static: names of the covariates that do not change over time, length Q.
    """

    horizon: int
    season: int
    n_series: int
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """S series on one regular grid of T time steps, which may reach past the last known value.

    Attributes:
        values: (S, T) float64, the target on the forwarded scale (`TargetTransform.forward`), gaps filled
            with the last known value; NaN before a series' first value.
        observed: (S, T) bool, where the target was given rather than filled.
        past: (S, T, P) float32, past-only covariates, scaled, gaps filled; known up to the origin only.
        known: (S, T, K) float32, covariates known in advance and the calendar, scaled, gaps filled.
        static: (S, Q) float32, scaled.
        codes: (S,) int32, number of the series in training, -1 for one not seen there.
        times: (T,) datetime64, the grid.
        names: (S,) object, the series.
    """

    values: FloatArray
    observed: BoolArray
    past: FloatArray
    known: FloatArray
    static: FloatArray
    codes: IntArray
    times: npt.NDArray[np.datetime64]
    names: npt.NDArray[np.object_]


@dataclass(frozen=True)
class Windows:
    """w forecasts to make, each of one series from one origin, over the H steps that follow.

    The rows of the `Table` that holds them are the window's steps, in order, where `mask` is True: first
    those of window 0, then those of window 1, ... A model may look at a window's past up to and with its
    origin, and at `Panel.known` beyond.

    Targets in the table are z = (forward(y) - location) / scale, with the window's own location, taken
    from its past, and its series' scale, fitted on training time.

    Attributes:
        panel: the series.
        series: (w,) row of the panel.
        origin: (w,) last time step that is known.
        mask: (w, H) bool, the steps that are rows of the table: those with a target, or all to predict.
        location: (w,) float64.
        scale: (w,) float64, above 0.
        naive_error: (w,) float64, mean absolute error of the seasonal naive forecast over the series'
            training time, on the original scale: the denominator of MASE (Hyndman and Koehler, 2006).
        transform: between the original scale and the forwarded one.
    """

    panel: Panel
    series: IntArray
    origin: IntArray
    mask: BoolArray
    location: FloatArray
    scale: FloatArray
    naive_error: FloatArray
    transform: TargetTransform

    def __len__(self) -> int:
        return len(self.series)

    @property
    def horizon(self) -> int:
        return int(self.mask.shape[1])

    @property
    def window_of_row(self) -> IntArray:
        """(n,) the window of each row."""
        return np.nonzero(self.mask)[0]

    @property
    def step_of_row(self) -> IntArray:
        """(n,) how many steps ahead each row lies, from 1."""
        return np.nonzero(self.mask)[1] + 1

    def standardise(self, forwarded: FloatArray) -> FloatArray:
        """(w, k) values on the forwarded scale -> (w, k) on the scale of the table's target."""
        return (forwarded - self.location[:, np.newaxis]) / self.scale[:, np.newaxis]

    def restore(self, z: FloatArray) -> npt.NDArray[np.float64]:
        """(n,) on the scale of the table's target -> (n,) on the original scale."""
        window = self.window_of_row
        forwarded = np.asarray(z, dtype=np.float64) * self.scale[window] + self.location[window]
        with np.errstate(over="ignore"):  # an overflow ends as inf, which counts as divergence
            return np.asarray(self.transform.inverse(forwarded), dtype=np.float64)

    def take_rows(self, rows: npt.NDArray[np.integer]) -> Windows:
        """The windows that the given rows make up.

        Raises:
            ModelError: the rows are not whole windows, one after another.
        """
        window = self.window_of_row[rows]
        chosen = window[np.diff(window, prepend=-1) != 0]
        counts = self.mask.sum(axis=1)  # (w, H) -> (w,) rows of each window
        shift = (np.cumsum(counts) - counts)[chosen] - (np.cumsum(counts[chosen]) - counts[chosen])
        whole = np.arange(counts[chosen].sum()) + np.repeat(shift, counts[chosen])
        if not np.array_equal(whole, rows):
            raise ModelError("Rows of forecasts can only be taken by whole windows.")
        return self.take(chosen)

    def take(self, windows: npt.NDArray[np.integer] | slice) -> Windows:
        """The given windows, of the same panel."""
        return replace(
            self,
            series=self.series[windows],
            origin=self.origin[windows],
            mask=self.mask[windows],
            location=self.location[windows],
            scale=self.scale[windows],
            naive_error=self.naive_error[windows],
        )
