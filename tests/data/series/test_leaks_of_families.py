"""From file to forecast, for every family: what lies after the cut-off changes no forecast made there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from shops import prepared, shops

from tuning.data import Fold, SplitConfig
from tuning.models import Task, Windows, family_names, load_family
from tuning.space import load_space

SPLIT = SplitConfig(valid=20, test=20)
SMALL = {"n_estimators": 10, "iterations": 10, "epochs": 2, "hidden_size": 64, "num_layers": 1}
FAMILIES = [name for name in family_names() if Task.FORECASTING in load_family(name).tasks]


def _with_noise_after(frame: pd.DataFrame, cut_off: pd.Timestamp) -> pd.DataFrame:
    """Every value of the target and of what is known of the past alone, after the cut-off."""
    changed, rng = frame.copy(), np.random.default_rng(1)
    later = (changed["day"] > cut_off).to_numpy()
    for column in ("sales", "traffic"):
        changed.loc[later, column] = rng.exponential(900, int(later.sum()))
    return changed


def _windows(fold: Fold) -> Windows:
    assert fold.valid.windows is not None
    return fold.valid.windows


def _forecasts(name: str, fold: Fold) -> npt.NDArray[Any]:
    """A family, trained a little, from the last origin before the validation."""
    space, model_class = load_space(name), load_family(name)
    params = space.full(space.defaults())
    small = {key: value for key, value in SMALL.items() if key in params}
    model = model_class(model_class.Params(**{**params, **small}), fold.schema, seed=3)
    model.bind(fold.train, fold.valid)
    model.advance()
    windows = _windows(fold)
    at_cut_off = windows.origin[windows.window_of_row] == windows.origin.min()
    rows = fold.valid.take(np.flatnonzero(at_cut_off))
    return np.asarray(rows.restore(model.predict(rows)))


@pytest.mark.parametrize("name", FAMILIES)
def test_noise_after_the_cut_off_changes_no_forecast(name: str) -> None:
    frame = shops().dropna(subset=["sales"])
    before = prepared(frame, split=SPLIT).folds[0]
    windows = _windows(before)
    cut_off = pd.Timestamp(windows.panel.times[windows.origin.min()])
    after = prepared(_with_noise_after(frame, cut_off), split=SPLIT).folds[0]
    forecasts = _forecasts(name, before)
    assert len(forecasts) >= 3
    assert not np.array_equal(before.valid.original_target, after.valid.original_target)
    np.testing.assert_array_equal(forecasts, _forecasts(name, after))
