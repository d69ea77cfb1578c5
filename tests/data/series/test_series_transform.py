from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shops import HORIZON, prepared, shops

from tuning.data import load_transform
from tuning.data.series import SeriesTransform, _grid
from tuning.errors import DataError
from tuning.models import Table, Windows
from tuning.models.errors import CheckpointError

LAST = pd.Timestamp("2024-05-19")


@pytest.fixture(scope="module")
def transform() -> SeriesTransform:
    found = prepared().folds[0].transform
    assert isinstance(found, SeriesTransform)
    return found


def windows_of(table: Table) -> Windows:
    assert table.windows is not None
    return table.windows


def labelled(transform: SeriesTransform, frame: pd.DataFrame | None) -> pd.DataFrame:
    table = transform.apply(frame)
    return transform.labels(np.arange(len(table), dtype=np.float64), table)


def coming(days: int, first: pd.Timestamp = LAST) -> pd.DataFrame:
    """Rows of the time to come: promotions are known, sales are not."""
    times = pd.date_range(first + pd.Timedelta(days=1), periods=days, freq="D")
    frames = [
        pd.DataFrame({"shop": shop, "day": times, "promotion": 1.0, "size": 10.0 * (shop - 1)})
        for shop in (1, 2)
    ]
    return pd.concat(frames, ignore_index=True).assign(sales=np.nan, traffic=np.nan)


def test_without_rows_the_training_data_go_on(transform: SeriesTransform) -> None:
    forecasts = labelled(transform, None)
    assert list(forecasts.columns) == ["shop", "day", "step", "prediction"]
    assert forecasts["shop"].tolist() == [1] * HORIZON + [2] * HORIZON + [3] * HORIZON
    assert forecasts["day"].iloc[:HORIZON].tolist() == [LAST + pd.Timedelta(days=k) for k in (1, 2, 3)]
    assert forecasts["step"].iloc[:HORIZON].tolist() == [1, 2, 3]


def test_the_same_rows_give_the_same_forecasts(transform: SeriesTransform) -> None:
    alone, given = transform.apply(None), transform.apply(shops())
    for name in ("numeric", "categorical", "dense"):
        np.testing.assert_allclose(getattr(alone, name), getattr(given, name), rtol=1e-5, atol=1e-6)


def test_a_short_file_is_put_after_what_is_known(transform: SeriesTransform) -> None:
    longer = shops(steps=150)
    short = longer[(longer["day"] > LAST) & (longer["shop"] == 2)].reset_index(drop=True)
    known = pd.concat([shops().query("shop == 2"), short], ignore_index=True)
    first, second = transform.apply(short), transform.apply(known)
    assert len(windows_of(first)) == 1
    np.testing.assert_allclose(first.numeric, second.numeric, rtol=1e-5, atol=1e-6)


def test_given_rows_win(transform: SeriesTransform) -> None:
    frame = shops()
    changed = frame[(frame["shop"] == 1) & (frame["day"] == LAST)].assign(sales=1000.0)
    windows = windows_of(transform.apply(changed))
    assert windows.panel.values[0, windows.origin[0]] == 1000.0


def test_no_rows_are_refused(transform: SeriesTransform) -> None:
    with pytest.raises(DataError, match="There are no rows to predict"):
        transform.apply(shops().iloc[:0])


@pytest.mark.parametrize("hours", [-6, 6])
def test_times_between_the_steps_of_training_are_refused(transform: SeriesTransform, hours: int) -> None:
    newer = shops()
    newer["day"] += pd.Timedelta(hours=hours)
    for frame in (newer, newer[newer["day"] >= "2024-05-01"]):
        with pytest.raises(DataError, match="is not a whole number of steps of D from 2024-05-19"):
            transform.apply(frame)


def test_times_far_from_training_are_refused(
    transform: SeriesTransform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_grid, "MOST_CELLS", 10_000)
    newer = shops()
    newer["day"] += pd.Timedelta(days=365 * 20)
    with pytest.raises(DataError, match="3 series of 7,440 steps of D are more than the 10,000 values"):
        transform.apply(newer)


def test_a_new_series_has_its_own_rows_alone(transform: SeriesTransform) -> None:
    new = shops(seed=4, steps=12, n_shops=1).assign(shop=77)
    table = transform.apply(new)
    windows = windows_of(table)
    assert table.categorical.tolist() == [[-1]] * HORIZON
    assert windows.scale[0] > 0
    assert windows.naive_error[0] > 0
    assert labelled(transform, new)["shop"].tolist() == [77] * HORIZON


def test_the_origin_is_the_last_known_target_of_the_file(transform: SeriesTransform) -> None:
    early = shops().query("day < '2024-03-01'").reset_index(drop=True)
    assert labelled(transform, early)["day"].min() == pd.Timestamp("2024-03-01")


def test_covariates_of_the_time_to_come_are_used(
    transform: SeriesTransform, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        given = transform.apply(coming(HORIZON))
    assert not caplog.records
    column = transform.schema.numeric.index("promotion")
    assert (given.numeric[:, column] > 0).all()
    with caplog.at_level(logging.WARNING):
        transform.apply(None)
    assert "promotion: not given for all 3 steps to forecast" in caplog.text


def test_a_series_without_any_known_target_is_refused(transform: SeriesTransform) -> None:
    unknown = coming(2).assign(shop=50).drop_duplicates("day")
    with pytest.raises(DataError, match="There is no known target of '50'"):
        transform.apply(unknown)


def test_saved_and_read_back(transform: SeriesTransform, tmp_path: Path) -> None:
    transform.save(tmp_path / "fold-0")
    again = load_transform(tmp_path / "fold-0")
    assert isinstance(again, SeriesTransform)
    assert again.schema == transform.schema
    assert again.plan == transform.plan
    assert again.scaling == transform.scaling
    for frame in (None, shops(seed=1)):
        one, other = transform.apply(frame), again.apply(frame)
        for name in ("numeric", "categorical", "dense"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(windows_of(one).panel.values, windows_of(other).panel.values)


@pytest.mark.parametrize("name", ["series.json", "history.npz", "history.json", "encoders.skops"])
def test_a_damaged_folder_is_refused(transform: SeriesTransform, tmp_path: Path, name: str) -> None:
    transform.save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError):
        load_transform(tmp_path)


def test_forecasts_need_their_table_to_be_labelled(transform: SeriesTransform) -> None:
    with pytest.raises(DataError, match="table that they were made for"):
        transform.labels(np.zeros(3))
