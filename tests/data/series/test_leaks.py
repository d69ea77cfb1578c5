"""A forecast sees nothing after its origin, and nothing is fitted on validation or test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shops import ROLES, prepared, shops

from tuning.data import Fold
from tuning.data.series import SeriesTransform
from tuning.data.series._history import CovariateRole
from tuning.data.series._origins import Origins
from tuning.data.series._read_series import read_like
from tuning.data.series._transform import make_windows
from tuning.models import Table, Windows


def windows_of(table: Table) -> Windows:
    assert table.windows is not None
    return table.windows


def transform_of(fold: Fold) -> SeriesTransform:
    assert isinstance(fold.transform, SeriesTransform)
    return fold.transform


@pytest.mark.parametrize("metric", ["mase", "mape"])
@pytest.mark.parametrize("origin", [30, 77, 118])
def test_the_future_changes_no_input(metric: str, origin: int) -> None:
    fold = prepared(metric=metric).folds[0]
    transform = transform_of(fold)
    past, changed = shops(), shops()
    later = (changed["day"] - changed["day"].min()).dt.days > origin
    rng = np.random.default_rng(1)
    changed.loc[later, "sales"] = rng.exponential(500, int(later.sum()))
    changed.loc[later, "traffic"] = rng.normal(0, 500, int(later.sum()))
    tables = []
    for frame in (past, changed):
        panel = transform.recipe.panel(read_like(frame, transform.columns))
        series, origins = np.nonzero(np.isfinite(panel.values[:, : origin + 1]))
        mask = np.ones((len(series), transform.horizon), dtype=bool)
        windows = make_windows(
            panel, Origins(series, origins, mask), transform.scaling, transform.recipe.transform
        )
        tables.append(transform.table(windows))
    first, second = tables
    for name in ("numeric", "categorical", "dense"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    one, other = windows_of(first), windows_of(second)
    for name in ("location", "scale", "naive_error"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("values", "observed", "past"):
        np.testing.assert_array_equal(
            getattr(one.panel, name)[:, : origin + 1], getattr(other.panel, name)[:, : origin + 1]
        )
    np.testing.assert_array_equal(one.panel.known, other.panel.known)


def test_scales_of_new_series_do_not_see_the_future() -> None:
    transform = transform_of(prepared().folds[0])
    new = shops(seed=5, n_shops=1).assign(shop=99)
    changed = new.copy()
    changed.loc[60:, "sales"] *= 10
    found = []
    for frame in (new, changed):
        panel = transform.recipe.panel(read_like(frame, transform.columns))
        at = (np.zeros(40, dtype=np.int64), np.arange(10, 50))
        scaling = transform.scaling
        found.append(
            (
                scaling.scale_of(panel, *at),
                scaling.naive_error_of(panel, *at, transform.recipe.transform),
                scaling.locations(panel, *at),
            )
        )
    np.testing.assert_array_equal(*found)
    assert (np.array(found) > 0).all()


def test_nothing_is_fitted_on_validation_or_test() -> None:
    frame, changed = shops(), shops()
    start = transform_start(prepared(frame).folds[0])
    later = changed["day"] >= start
    for column in ("sales", "promotion", "traffic"):
        changed.loc[later, column] = changed.loc[later, column] * 7 + 13
    folds = [prepared(each).folds[0] for each in (frame, changed)]
    one, other = (transform_of(fold) for fold in folds)
    for name in ("recipe", "scaling", "plan", "schema", "columns"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("numeric", "dense", "target"):
        np.testing.assert_array_equal(getattr(folds[0].train, name), getattr(folds[1].train, name))


@pytest.mark.parametrize("role", [None, "static"])
def test_static_values_that_are_first_given_later_are_not_seen(role: str | None) -> None:
    roles = {name: given for name, given in ROLES.items() if name != "size"}
    frame = shops()
    start = transform_start(prepared(frame).folds[0])
    frame["rating"] = frame["shop"].map({1: 3.0, 2: 4.0})
    told = frame.copy()
    told.loc[(told["shop"] == 3) & (told["day"] >= start), "rating"] = 9.0
    given = roles if role is None else {**roles, "rating": role}
    folds = [prepared(each, roles=given).folds[0] for each in (frame, told)]
    assert transform_of(folds[0]).recipe == transform_of(folds[1]).recipe
    assert "rating" in transform_of(folds[0]).recipe.names(CovariateRole.STATIC)
    for part in ("train", "valid", "test"):
        one, other = (getattr(fold, part) for fold in folds)
        np.testing.assert_array_equal(one.dense, other.dense)
        np.testing.assert_array_equal(one.windows.panel.static, other.windows.panel.static)


def test_series_that_begin_later_change_no_scale() -> None:
    start = transform_start(prepared().folds[0])
    new = shops(seed=9, n_shops=1).assign(shop=99, size=5000.0)
    later = pd.concat([shops(), new[new["day"] >= start]], ignore_index=True)
    one, other = (transform_of(prepared(frame).folds[0]) for frame in (shops(), later))
    assert one.recipe == other.recipe
    assert one.scaling == other.scaling


def transform_start(fold: Fold) -> np.datetime64:
    windows = windows_of(fold.valid)
    start: np.datetime64 = windows.panel.times[windows.origin.min() + 1]
    return start


def test_training_targets_lie_before_the_validation() -> None:
    fold = prepared().folds[0]
    train, valid, test = (windows_of(table) for table in (fold.train, fold.valid, fold.test))
    assert train.origin.max() + train.horizon <= valid.origin.min()
    assert valid.origin.max() + valid.horizon <= test.origin.min()


def test_targets_are_restored_exactly() -> None:
    fold = prepared(metric="mape").folds[0]
    frame = shops().pivot(index="shop", columns="day", values="sales").to_numpy()
    for table in (fold.train, fold.valid, fold.test):
        windows = windows_of(table)
        window = windows.window_of_row
        y = frame[windows.series[window], windows.origin[window] + windows.step_of_row]
        np.testing.assert_allclose(table.original_target, y, rtol=1e-12)


def test_inputs_are_not_changed() -> None:
    frame = shops()
    prepared(frame)
    assert frame.equals(shops())
