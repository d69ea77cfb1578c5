from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shops import HORIZON, T, prepared, shops

from tuning.data import ColumnRole, SplitConfig, SplitMethod, TargetConfig
from tuning.data.config import TransformChoice
from tuning.data.series import SeriesTransform
from tuning.errors import DataError
from tuning.models import Table, Task, Windows


def windows_of(table: Table) -> Windows:
    assert table.windows is not None
    return table.windows


def test_what_is_prepared() -> None:
    data = prepared()
    fold = data.folds[0]
    schema = fold.schema
    assert (data.task, data.metric.name, data.classes) == (Task.FORECASTING, "mase", ())
    assert schema.series is not None
    assert (schema.series.horizon, schema.series.season, schema.series.n_series) == (HORIZON, 7, 3)
    assert schema.series.past == ("traffic",)
    assert schema.series.known[0] == "promotion"
    assert "week_sin" in schema.series.known
    assert schema.series.static == ("size",)
    assert data.roles["promotion"] is ColumnRole.KNOWN
    for table in (fold.train, fold.valid, fold.test):
        n = len(table)
        assert table.numeric.shape == (n, len(schema.numeric))
        assert table.dense.shape == (n, schema.dense_width)
        assert np.isfinite(table.dense).all()
        assert windows_of(table).mask.sum() == n
        assert np.isfinite(table.known_target.astype(np.float64)).all()


def test_the_target_is_scaled_for_networks_by_training_rows() -> None:
    fold = prepared().folds[0]
    z = fold.train.known_target.astype(np.float64)
    assert fold.schema.target.mean == pytest.approx(z.mean())
    assert fold.schema.target.std == pytest.approx(z.std())
    assert not fold.schema.target.log1p


def test_notes_say_what_was_decided() -> None:
    notes = " ".join(prepared(metric="mape").notes)
    assert "3 series of 140 time steps of D, a season of 7" in notes
    assert "test 2024-04-30 to 2024-05-19" in notes
    assert "Forecasts are made relative to" in notes
    assert "log1p" in notes


def test_the_record_says_where_each_row_is() -> None:
    frame = shops()
    data = prepared(frame)
    record = data.splits.merge(frame[["day"]].rename_axis("row").reset_index(), on="row")
    assert len(record) == len(frame)
    bounds = record.groupby("part")["day"].agg(["min", "max"])
    assert bounds.loc["train", "max"] < bounds.loc["valid", "min"]
    assert bounds.loc["valid", "max"] < bounds.loc["test", "min"]
    assert (record.loc[record["part"] == "valid", "fold"] == 0).all()
    assert (record.loc[record["part"] != "valid", "fold"] == -1).all()


@pytest.mark.parametrize("split", [SplitConfig(valid=20, test=20), SplitConfig(valid=0.1, folds=3)])
def test_a_record_gives_the_same_folds_again(split: SplitConfig) -> None:
    first = prepared(split=split)
    again = prepared(split=SplitConfig(valid=11, test=12), splits=first.splits)
    pd.testing.assert_frame_equal(first.splits, again.splits)
    assert len(first.folds) == len(again.folds)
    for one, other in zip(first.folds, again.folds, strict=True):
        for name in ("train", "valid", "test"):
            np.testing.assert_array_equal(getattr(one, name).numeric, getattr(other, name).numeric)


def test_a_record_of_another_table_is_refused() -> None:
    splits = prepared().splits
    with pytest.raises(DataError, match="the file has changed"):
        prepared(shops(steps=100), splits=splits)


def test_folds_are_cut_one_after_the_other_before_the_test() -> None:
    data = prepared(split=SplitConfig(valid=15, test=20, folds=3))
    starts = [windows_of(fold.valid).origin.min() + 1 for fold in data.folds]
    assert starts == [T - 20 - 45, T - 20 - 30, T - 20 - 15]
    for fold, start in zip(data.folds, starts, strict=True):
        assert windows_of(fold.train).origin.max() + HORIZON < start
    assert len({len(fold.test) for fold in data.folds}) == 1


def test_shares_leave_room_for_all_folds() -> None:
    assert len(prepared(split=SplitConfig(folds=5)).folds) == 5


def test_without_a_test_its_table_is_empty() -> None:
    fold = prepared(split=SplitConfig(valid=20, test=0)).folds[0]
    assert len(fold.test) == 0
    assert len(fold.test.dense) == 0


@pytest.mark.parametrize(
    ("split", "horizon", "message"),
    [
        (SplitConfig(valid=20, test=2), 3, "split.test: .* give --set split.test=3 or more"),
        (SplitConfig(valid=2, test=20), 3, "split.valid: .* give --set split.valid=3 or more"),
        (SplitConfig(valid=80, test=60), 3, "leave none of the 140 time steps to train on"),
        (SplitConfig(valid=60, test=60), 20, "windows to train on"),
        (SplitConfig(method=SplitMethod.RANDOM), 3, "split by time"),
    ],
)
def test_parts_that_are_too_short(split: SplitConfig, horizon: int, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        prepared(split=split, horizon=horizon)
    assert str(raised.value).count(". ") == 0


def test_a_relative_metric_trains_on_the_logarithm() -> None:
    fold = prepared(metric="mape").folds[0]
    windows = windows_of(fold.train)
    assert windows.transform.log1p
    assert windows.transform.clip_min == 0
    assert len(np.unique(windows.scale)) == 1
    assert fold.train.weight is None


def test_metrics_in_units_of_the_target_weigh_series_by_their_scale() -> None:
    fold = prepared(metric="mae").folds[0]
    windows = windows_of(fold.train)
    assert fold.train.weight is not None
    ratio = fold.train.weight / windows.scale[windows.window_of_row]
    np.testing.assert_allclose(ratio, ratio[0])
    assert fold.train.weight.mean() == pytest.approx(1)
    assert fold.valid.weight is None
    squared = prepared(metric="rmse").folds[0].train.weight
    assert squared is not None
    np.testing.assert_allclose(squared / squared[0], (fold.train.weight / fold.train.weight[0]) ** 2)


def test_naive_errors_are_those_of_the_season_before() -> None:
    frame = shops()
    windows = windows_of(prepared(frame).folds[0].test)
    wide = frame.pivot(index="shop", columns="day", values="sales").to_numpy()[:, : T - 40]
    expected = np.nanmean(np.abs(wide[:, 7:] - wide[:, :-7]), axis=1)
    np.testing.assert_allclose(windows.naive_error, expected[windows.series])


def test_a_series_that_never_changes_still_has_a_scale_and_a_naive_error() -> None:
    frame = shops()
    frame.loc[frame["shop"] == 2, "sales"] = 50.0
    windows = windows_of(prepared(frame).folds[0].train)
    assert (windows.scale > 0).all()
    assert (windows.naive_error > 0).all()


def test_a_series_that_begins_after_training_is_scored_as_unseen() -> None:
    frame = shops()
    late = (frame["shop"] == 3) & (frame["day"] < "2024-04-25")
    data = prepared(frame[~late].reset_index(drop=True))
    fold = data.folds[0]
    assert fold.schema.cardinalities == (2,)
    assert -1 in fold.test.categorical
    assert (windows_of(fold.test).scale > 0).all()


def test_many_windows_are_thinned_evenly() -> None:
    thin = windows_of(prepared(max_train_rows=200).folds[0].train)
    assert 100 < thin.mask.sum() <= 200
    for series in range(3):
        origins = thin.origin[thin.series == series]
        assert len(set(np.diff(origins).tolist())) <= 3
        assert len(set((origins % 7).tolist())) == 7


@pytest.mark.parametrize("season", [1, 4])
def test_a_given_season(season: int) -> None:
    data = prepared(season=season)
    assert data.folds[0].schema.series is not None
    assert data.folds[0].schema.series.season == season


def test_targets_below_the_lowest_forecast_are_refused() -> None:
    frame = shops()
    frame.loc[len(frame) - 1, "sales"] = -5.0
    with pytest.raises(DataError, match=r"target\.transform=none"):
        prepared(frame, metric="mape")
    with pytest.raises(DataError, match=r"--set target\.clip_min="):
        prepared(frame, target=TargetConfig(transform=TransformChoice.NONE, clip_min=0.0))


def test_one_series_needs_no_column_that_names_it() -> None:
    frame = shops(n_shops=1).drop(columns=["shop", "size"])
    roles = {"promotion": ColumnRole.KNOWN}
    data = prepared(frame, series=(), roles=roles)
    fold = data.folds[0]
    assert fold.schema.categorical == ()
    assert fold.train.categorical.shape == (len(fold.train), 0)
    assert isinstance(fold.transform, SeriesTransform)


def test_a_lowest_forecast_that_was_asked_for_is_the_one_to_change() -> None:
    with pytest.raises(DataError, match=r"at least 100, but a target is .*: give --set target\.clip_min="):
        prepared(target=TargetConfig(clip_min=100.0))


@pytest.mark.filterwarnings("error")
def test_targets_without_a_logarithm_are_refused_in_one_sentence() -> None:
    frame = shops()
    frame["sales"] -= 200
    with pytest.raises(DataError, match=r"target\.transform=log1p needs targets above -1"):
        prepared(frame, target=TargetConfig(transform=TransformChoice.LOG1P))


@pytest.mark.parametrize(
    ("horizon", "split", "way_out"),
    [
        (47, SplitConfig(), "lower the horizon."),
        (400, SplitConfig(test=400), "lower the horizon."),
        (30, SplitConfig(folds=3), "lower the horizon, or split.folds."),
    ],
)
def test_a_horizon_that_no_split_leaves_room_for(horizon: int, split: SplitConfig, way_out: str) -> None:
    with pytest.raises(DataError, match=r"data\.horizon: \d+ steps ahead are too many for 140") as raised:
        prepared(horizon=horizon, split=split)
    assert str(raised.value).endswith(way_out)


def test_training_time_without_a_target_is_refused() -> None:
    frame = shops()
    frame.loc[frame["day"] < "2024-04-15", "sales"] = np.nan
    with pytest.raises(DataError, match="There are 0 windows to train on"):
        prepared(frame, metric="mape")


def test_roles_of_series_are_refused_for_tables() -> None:
    with pytest.raises(DataError, match="is a role of forecasting"):
        prepared(task="regression", horizon=None, time=(), series=())
