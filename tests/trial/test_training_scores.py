"""Metrics of the training rows: of a sample, the same for every trial, and in the trial's time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tests.data.series.shops import prepared as prepared_shops
from tests.data.series.shops import shops
from tests.trial.rows import RMSE, small_folds, spec_of
from tests.trial.scripted import Scripted
from tuning.data import DataConfig, SplitConfig, TargetConfig, prepare
from tuning.metrics import Metric, get_metric
from tuning.models import Table, Task
from tuning.trial import FoldRows, Report, TrialLoop

MOST = 10_000


class Watched(Scripted):
    """Tells what it was asked to predict."""

    tasks = frozenset({Task.REGRESSION, Task.FORECASTING})
    seen: list[Table]
    pause_s = 0.0

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        type(self).seen.append(table)
        time.sleep(self.pause_s)
        return super().predict(table)


def large_folds(rows: int, folds: int = 0) -> tuple[FoldRows, ...]:
    x = np.arange(rows, dtype=np.float64)
    data = DataConfig(path="t.csv", target="y")
    made = prepare(
        pd.DataFrame({"x": x, "y": x % 7 + 0.5}),
        data,
        TargetConfig(),
        SplitConfig(folds=folds, valid=0.01, test=0.01),
        "rmse",
        0,
    )
    return tuple(FoldRows(fold.schema, fold.train, fold.valid) for fold in made.folds)


def run(
    folds: tuple[FoldRows, ...], folder: Path, number: int = 0, metric: Metric = RMSE
) -> tuple[Report, list[Table]]:
    """The last report, and the tables that were predicted beside the validation rows."""
    Watched.seen = []
    spec = spec_of({"script": [1.0, 2.0]}, number=number, max_iterations=1, seed=number)
    loop = TrialLoop(spec, Watched, folds, metric, folder)
    while not (report := loop.step()).is_last:
        pass
    valid = {id(fold.valid) for fold in folds}
    return report, [table for table in Watched.seen if id(table) not in valid]


@pytest.mark.parametrize(("rows", "folds"), [(30_000, 0), (12_000, 0), (30_000, 3)])
def test_a_sample_of_the_training_rows_is_scored(rows: int, folds: int, tmp_path: Path) -> None:
    made = large_folds(rows, folds)
    report, scored = run(made, tmp_path)
    assert sum(map(len, scored)) == MOST - (MOST % 3 if folds else 0)
    assert report.result is not None
    assert set(report.result.train) == set(report.result.valid)
    for table, fold in zip(scored, made, strict=True):
        assert set(table.numeric[:, 0]) <= set(fold.train.numeric[:, 0])


def test_every_trial_is_scored_on_the_same_rows(tmp_path: Path) -> None:
    made = large_folds(30_000)
    first, second = (run(made, tmp_path, number)[1][0] for number in (0, 1))
    np.testing.assert_array_equal(first.numeric, second.numeric)


def test_whole_windows_of_a_forecast_are_scored(tmp_path: Path) -> None:
    fold = prepared_shops(shops(steps=1800)).folds[0]
    rows = FoldRows(fold.schema, fold.train, fold.valid)
    assert len(fold.train) > MOST
    report, (table,) = run((rows,), tmp_path, metric=get_metric("mase", Task.FORECASTING))
    assert MOST - 3 <= len(table) <= MOST
    assert table.windows is not None
    assert len(table) == table.windows.mask.sum()
    assert report.result is not None
    assert "mase" in report.result.train


def test_few_rows_are_all_scored(tmp_path: Path) -> None:
    made = small_folds()
    _, scored = run(made, tmp_path)
    assert [len(table) for table in scored] == [len(made[0].train)]


def test_the_end_of_a_trial_is_in_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watched, "pause_s", 0.1)
    report, _ = run(small_folds(), tmp_path)
    assert report.train_seconds >= 0.1 * len(Watched.seen)
