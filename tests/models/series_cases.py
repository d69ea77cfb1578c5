"""A small forecasting problem: series with a season, covariates of every kind, gaps and a late start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from cases import Problem, read_only

from tuning.models import Loss, Panel, Schema, SeriesSchema, Table, TargetTransform, Task, Windows

N_SERIES = 3
N_STEPS = 96
SEASON = 6
HORIZON = 4
LATE_START = 30  # of the last series
TRAIN_END = 70
LAGS = (0, 1, 5)
LEVELS = np.array([10.0, 40.0, 200.0])


def make_forecasting_problem(*, loss: Loss | None = None) -> Problem:
    """Windows before and after a cut-off; lags as columns, the series' number as category."""
    panel = make_panel()
    early, late = _windows(panel, range(3, TRAIN_END - HORIZON)), _windows(panel, range(TRAIN_END, 91))
    train, valid = make_table(early), make_table(late)
    assert train.target is not None
    z = train.target.astype(np.float64)
    transform = TargetTransform(mean=float(z.mean()), std=float(z.std()))
    return Problem(make_schema(train, transform, loss or Loss.SQUARED), read_only(train), read_only(valid))


def make_schema(table: Table, transform: TargetTransform, loss: Loss) -> Schema:
    """The columns of `make_table`."""
    series = SeriesSchema(HORIZON, SEASON, N_SERIES, ("demand",), ("promotion", "phase"), ("size",))
    return Schema(
        task=Task.FORECASTING,
        loss=loss,
        numeric=tuple(f"number_{i}" for i in range(table.numeric.shape[1])),
        categorical=("series",),
        cardinalities=(N_SERIES,),
        dense_width=table.dense.shape[1],
        one_hot=(True,),
        target=transform,
        series=series,
    )


def make_panel() -> Panel:
    """Values that follow a season, a promotion known in advance, and yesterday's demand."""
    rng = np.random.default_rng(5)
    time = np.arange(N_STEPS)
    promotion = (rng.random((N_SERIES, N_STEPS)) < 0.3).astype(np.float64)
    demand = rng.normal(size=(N_SERIES, N_STEPS))
    shape = np.sin(2 * np.pi * time / SEASON) + 0.8 * promotion + 0.3 * np.roll(demand, 1, axis=1)
    values = LEVELS[:, None] * (1 + 0.2 * shape + 0.02 * rng.normal(size=shape.shape))
    values[-1, :LATE_START] = np.nan
    observed = (rng.random(values.shape) > 0.08) & ~np.isnan(values)
    observed[-1, LATE_START] = True
    phase = np.broadcast_to(time % SEASON / SEASON, values.shape)
    return Panel(
        values=_filled(values, observed),
        observed=observed,
        past=demand[..., np.newaxis].astype(np.float32),
        known=np.stack([promotion, phase], axis=2).astype(np.float32),
        static=np.array([[-1.0], [0.0], [1.0]], dtype=np.float32),
        codes=np.array([0, 1, 2], dtype=np.int32),
        times=np.datetime64("2020-01-01") + time,
        names=np.array(["a", "b", "c"], dtype=object),
    )


def _filled(values: npt.NDArray[np.float64], observed: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The last observed value at every step; the first value where nothing was observed before it."""
    positions = np.where(observed | (np.cumsum(observed, axis=1) == 0), np.arange(values.shape[1]), 0)
    return np.take_along_axis(values, np.maximum.accumulate(positions, axis=1), axis=1)


def _windows(panel: Panel, origins: range) -> Windows:
    """Every origin of every series that has a value there; location is the last value."""
    series, origin = (part.ravel() for part in np.meshgrid(range(N_SERIES), origins, indexing="ij"))
    has_past = ~np.isnan(panel.values[series, origin])
    series, origin = series[has_past].astype(np.int64), origin[has_past].astype(np.int64)
    mask = panel.observed[series[:, None], origin[:, None] + np.arange(1, HORIZON + 1)]
    return Windows(
        panel=panel,
        series=series,
        origin=origin,
        mask=mask,
        location=panel.values[series, origin],
        scale=0.2 * LEVELS[series],
        naive_error=0.1 * LEVELS[series],
        transform=TargetTransform(),
    )


def make_table(windows: Windows) -> Table:
    """The windows' known steps as rows: lags, the step ahead and known covariates, all from the past."""
    panel, of_row, ahead = windows.panel, windows.window_of_row, windows.step_of_row
    series, origin = windows.series[of_row], windows.origin[of_row]
    steps = np.maximum(windows.origin[:, None] - LAGS, 0)
    lags = windows.standardise(panel.values[windows.series[:, None], steps])[of_row]
    known = panel.known[series, origin + ahead]
    numeric = np.hstack([lags, ahead[:, None], known]).astype(np.float32)
    codes = panel.codes[series][:, None]
    target = panel.values[series, origin + ahead]
    return Table(
        numeric=numeric,
        categorical=codes.astype(np.int32),
        embedding=np.empty((len(series), 0), dtype=np.float32),
        dense=np.hstack([np.nan_to_num(numeric), codes == np.arange(N_SERIES)], dtype=np.float32),
        target=(target - windows.location[of_row]) / windows.scale[of_row],
        windows=windows,
    )


def rows_of_windows(table: Table, first: int, end: int) -> npt.NDArray[np.int64]:
    """The rows that windows `first` to `end` - 1 consist of."""
    assert table.windows is not None
    of_row = table.windows.window_of_row
    return np.flatnonzero((of_row >= first) & (of_row < end))


def with_another_future(table: Table, seed: int = 0) -> Table:
    """One window, with noise after its origin in all that is not known in advance."""
    windows = table.windows
    assert windows is not None
    assert len(windows) == 1
    rng = np.random.default_rng(seed)
    panel, after = windows.panel, int(windows.origin[0]) + 1
    values, observed, past = panel.values.copy(), panel.observed.copy(), panel.past.copy()
    values[:, after:] = rng.normal(scale=1000.0, size=values[:, after:].shape)
    observed[:, after:] = ~observed[:, after:]
    past[:, after:] = rng.normal(size=past[:, after:].shape)
    changed = replace(panel, values=values, observed=observed, past=past)
    target = None if table.target is None else rng.normal(size=len(table))
    return replace(table, target=target, windows=replace(windows, panel=changed))
