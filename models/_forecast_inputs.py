"""Windows as arrays: what a forecasting network sees of the past, of the future and of the series."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tuning.models._season import aligned_steps, last_values, seasonal_values, values_at
from tuning.models._table import FloatArray, Schema
from tuning.models._target import TargetTransform
from tuning.models._windows import SeriesSchema, Windows
from tuning.models.errors import ModelError

Float32Array = npt.NDArray[np.float32]


class PastFlag(IntEnum):
    """Columns of a past step that come before its covariates."""

    VALUE = 0
    PRESENT = 1
    OBSERVED = 2


class Guess(IntEnum):
    """What a naive rule says of a future step; the first columns of the future's inputs.

    LAST: the last value. SEASONAL: the value one season before. CHANGED: the last value, changed as the
    series changed between the origin and the step one season before.
    """

    LAST = 0
    SEASONAL = 1
    CHANGED = 2


class ForecastInputs(NamedTuple):
    """Inputs of w windows, standardised.

    Attributes:
        past: (w, L, `past_width`) the L steps up to the origin; all 0 before the series' start.
        future: (w, H, `future_width`) guesses, whether a season before is known, covariates known in
            advance.
        static: (w, Q) covariates of the series.
        codes: (w,) int64 number of the series in training, -1 for one not seen there.
    """

    past: Float32Array
    future: Float32Array
    static: Float32Array
    codes: npt.NDArray[np.int64]


def series_schema(schema: Schema) -> SeriesSchema:
    """The series of a schema.

    Raises:
        ModelError: it is not one of forecasts.
    """
    if schema.series is None:
        raise ModelError("A forecaster needs a schema of series: this one describes rows alone.")
    return schema.series


def past_width(series: SeriesSchema) -> int:
    """Numbers per past step."""
    return len(PastFlag) + len(series.past) + len(series.known)


def future_width(series: SeriesSchema) -> int:
    """Numbers per future step."""
    return len(Guess) + 1 + len(series.known)


def forecast_inputs(
    windows: Windows, season: int, window_size: int, target: TargetTransform
) -> ForecastInputs:
    """Cut `window_size` past steps and the horizon from the panel; `target` standardises the values."""
    panel = windows.panel
    return ForecastInputs(
        past=_past(windows, window_size, target),
        future=_future(windows, season, target),
        static=np.asarray(panel.static[windows.series], dtype=np.float32),
        codes=np.asarray(panel.codes[windows.series], dtype=np.int64),
    )


def _past(windows: Windows, window_size: int, target: TargetTransform) -> Float32Array:
    """(w, L, past_width), all 0 before the series' start."""
    steps = windows.origin[:, np.newaxis] + np.arange(1 - window_size, 1)  # (w, L)
    values = values_at(windows, steps)
    present = ~np.isnan(values)
    at = windows.series[:, np.newaxis], np.maximum(steps, 0)
    panel = windows.panel
    standardised = target.standardise(windows.standardise(np.where(present, values, 0.0)))
    flags = np.stack([standardised, present, panel.observed[at]], axis=2)
    past = np.concatenate([flags, panel.past[at], panel.known[at]], axis=2, dtype=np.float32)
    past[~present] = 0.0
    return past


def _future(windows: Windows, season: int, target: TargetTransform) -> Float32Array:
    """(w, H, future_width)."""
    steps = windows.origin[:, np.newaxis] + np.arange(1, windows.horizon + 1)  # (w, H)
    has_season = ~np.isnan(values_at(windows, aligned_steps(windows, season)))
    guesses = [target.standardise(windows.standardise(guess)) for guess in _guesses(windows, season)]
    known = windows.panel.known[windows.series[:, np.newaxis], steps]
    return np.concatenate([np.stack([*guesses, has_season], axis=2), known], axis=2, dtype=np.float32)


def _guesses(windows: Windows, season: int) -> list[FloatArray]:
    """What each `Guess` says, (w, H), forwarded."""
    last = last_values(windows)
    ahead = np.arange(1, windows.horizon + 1)
    before = values_at(windows, aligned_steps(windows, season) - ahead)  # (w, H) the origin, seasons ago
    change = seasonal_values(windows, season) - before
    return [last, seasonal_values(windows, season), last + np.where(np.isnan(change), 0.0, change)]
