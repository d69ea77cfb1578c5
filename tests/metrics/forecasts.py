"""Small tables of forecasts, made by hand: two series of which each window has a scale of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuning.models import Panel, Schema, SeriesSchema, Table, TargetTransform, Task, Windows
from tuning.models._table import Loss

HORIZON = 3
SCHEMA = Schema(
    task=Task.FORECASTING, loss=Loss.ABSOLUTE, series=SeriesSchema(horizon=HORIZON, season=1, n_series=2)
)


def panel(steps: int = 12) -> Panel:
    """`north` rises by 1 a step from 10, `south` by 2 from 100."""
    values = np.stack([10.0 + np.arange(steps), 100.0 + 2 * np.arange(steps)])  # (S, T)
    return Panel(
        values=values,
        observed=np.ones_like(values, dtype=bool),
        past=np.zeros((2, steps, 0), np.float32),
        known=np.zeros((2, steps, 0), np.float32),
        static=np.zeros((2, 0), np.float32),
        codes=np.arange(2, dtype=np.int32),
        times=np.datetime64("2024-01-01") + np.arange(steps),
        names=np.array(["north", "south"], dtype=object),
    )


def windows(
    origins: Sequence[int] = (4, 7), naive_error: Sequence[float] = (1.0, 2.0), scale: float = 4.0
) -> Windows:
    """For each origin one window of each series; the last step of the first window has no target."""
    grid, series = panel(), np.tile([0, 1], len(origins))
    origin = np.repeat(origins, 2)
    mask = np.ones((len(series), HORIZON), dtype=bool)
    mask[0, -1] = False
    return Windows(
        panel=grid,
        series=series,
        origin=origin,
        mask=mask,
        location=grid.values[series, origin],
        scale=np.full(len(series), scale),
        naive_error=np.asarray(naive_error, dtype=np.float64)[series],
        transform=TargetTransform(),
    )


def forecasts(cut: Windows | None = None, weight: np.ndarray | None = None) -> Table:
    """The table of the windows; its rows have the targets that the panel has."""
    cut = windows() if cut is None else cut
    window = cut.window_of_row
    y = cut.panel.values[cut.series[window], cut.origin[window] + cut.step_of_row]
    none = np.zeros((len(y), 0), np.float32)
    return Table(
        numeric=none,
        categorical=np.zeros((len(y), 0), np.int32),
        embedding=none,
        dense=none,
        target=(y - cut.location[window]) / cut.scale[window],
        weight=weight,
        windows=cut,
    )


def last_value(table: Table) -> np.ndarray:
    """The naive forecast, on the scale of the table's target: it is off by 1 a step, or by 2."""
    return np.zeros(len(table))
