"""Naive and seasonal naive forecasts, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from tuning.models import Loss, Panel, Schema, SeriesSchema, Table, TargetTransform, Task, Windows
from tuning.models.errors import ModelError
from tuning.models.naive import Naive
from tuning.models.seasonal_naive import SeasonalNaive

LOG = TargetTransform(log1p=True)


def one_window(
    values: list[float], horizon: int, *, known: list[bool] | None = None, transform: TargetTransform = LOG
) -> Table:
    """One series on the original scale, its origin at its end; NaN before its start."""
    forwarded = transform.forward(np.array([values + [0.0] * horizon]))
    steps = forwarded.shape[1]
    panel = Panel(
        values=forwarded,
        observed=~np.isnan(forwarded),
        past=np.empty((1, steps, 0), np.float32),
        known=np.empty((1, steps, 0), np.float32),
        static=np.empty((1, 0), np.float32),
        codes=np.array([0], np.int32),
        times=np.datetime64("2020-01-01") + np.arange(steps),
        names=np.array(["a"], object),
    )
    one = np.array([3.0])
    windows = Windows(
        panel=panel,
        series=np.array([0]),
        origin=np.array([len(values) - 1]),
        mask=np.array([[True] * horizon if known is None else known]),
        location=one,
        scale=one,
        naive_error=one,
        transform=transform,
    )
    nothing = np.empty((int(windows.mask.sum()), 0), np.float32)
    return Table(nothing, nothing.astype(np.int32), nothing, nothing, windows=windows)


def schema(season: int) -> Schema:
    return Schema(Task.FORECASTING, Loss.ABSOLUTE, series=SeriesSchema(5, season, 1))


def forecast(
    model_class: type[Naive] | type[SeasonalNaive], season: int, table: Table
) -> npt.NDArray[np.float64]:
    model = model_class(model_class.Params(), schema(season))
    return table.restore(model.predict(table))


def test_naive_repeats_the_value_at_the_origin() -> None:
    np.testing.assert_allclose(forecast(Naive, 3, one_window([5.0, 1.0, 7.0], 3)), [7.0, 7.0, 7.0])


def test_only_the_steps_that_are_rows_are_forecast() -> None:
    table = one_window([1.0, 2.0, 3.0, 4.0], 3, known=[False, True, True])
    np.testing.assert_allclose(forecast(SeasonalNaive, 4, table), [2.0, 3.0])


@pytest.mark.parametrize(
    ("season", "expected"),
    [
        (4, [1.0, 2.0, 3.0, 4.0, 1.0]),
        (3, [2.0, 3.0, 4.0, 2.0, 3.0]),
        (1, [4.0, 4.0, 4.0, 4.0, 4.0]),
        (6, [4.0, 4.0, 1.0, 2.0, 3.0]),  # the first two lie before the series' start
    ],
)
def test_seasonal_naive_repeats_the_last_season(season: int, expected: list[float]) -> None:
    table = one_window([1.0, 2.0, 3.0, 4.0], 5)
    np.testing.assert_allclose(forecast(SeasonalNaive, season, table), expected)


def test_seasonal_naive_falls_back_where_the_grid_goes_further_back_than_the_series() -> None:
    table = one_window([np.nan, np.nan, 3.0, 4.0], 3)
    np.testing.assert_allclose(forecast(SeasonalNaive, 4, table), [4.0, 4.0, 3.0])


@pytest.mark.parametrize("model_class", [Naive, SeasonalNaive])
def test_a_baseline_learns_nothing_and_takes_no_parameters(
    model_class: type[Naive] | type[SeasonalNaive],
) -> None:
    assert not model_class.learns
    assert not model_class.Params.model_fields
    assert model_class(model_class.Params(), schema(3)).total_units == 1


def test_rows_that_are_no_forecasts_are_refused() -> None:
    table = replace(one_window([1.0, 2.0], 2), windows=None)
    with pytest.raises(ModelError, match="no forecasts"):
        forecast(Naive, 1, table)


def test_a_schema_without_series_is_refused() -> None:
    model = SeasonalNaive(SeasonalNaive.Params(), Schema(Task.FORECASTING, Loss.ABSOLUTE))
    with pytest.raises(ModelError, match="season"):
        model.predict(one_window([1.0, 2.0], 2))
