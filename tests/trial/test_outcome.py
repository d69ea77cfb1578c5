"""What is kept of a trial at its end: details, and validation predictions on the original scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tests.metrics.forecasts import SCHEMA, forecasts, windows
from tests.trial.rows import RUNGS, small_frame
from tuning.data import DataConfig, Fold, SplitConfig, TargetConfig, prepare
from tuning.metrics import Metric, get_metric
from tuning.models import Model, Params, Table, Task
from tuning.store import Result
from tuning.trial import PREDICTIONS_NAME, FoldRows, TrialLoop, TrialSpec, mean_outputs, score_test


class ConstantParams(Params):
    """`level` is predicted in every row, on the scale of the table's target."""

    level: float = 0.0


class Constant(Model[ConstantParams]):
    """Predicts a level, or the classes in turn."""

    Params = ConstantParams
    tasks = frozenset(Task)

    @property
    def total_units(self) -> int:
        return 1

    def _advance(self, train: Table) -> None:
        """Nothing to train."""

    def restore_best(self) -> None:
        """There is one state."""

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        if self.schema.task.is_classification:
            return np.eye(self.schema.n_classes)[np.arange(len(table)) % self.schema.n_classes]
        return np.full(len(table), self.params.level)

    def _save(self, folder: Path) -> None:
        """Nothing beside the units."""

    def _load(self, folder: Path) -> None:
        """Nothing beside the units."""


def run(folds: list[FoldRows], metric: Metric, folder: Path) -> tuple[Result, pd.DataFrame]:
    spec = TrialSpec("constant", 0, {}, seed=0, max_iterations=9, checkpoint_iterations=RUNGS)
    result = TrialLoop(spec, Constant, folds, metric, folder).step().result
    assert result is not None
    return result, pd.read_parquet(folder / "trials" / spec.id / PREDICTIONS_NAME)


def forecast_folds() -> list[FoldRows]:
    """Two folds, which put their windows on scales of their own."""
    train = forecasts()
    first, second = windows(origins=[4]), windows(origins=[7], scale=0.25)
    return [FoldRows(SCHEMA, train, forecasts(valid)) for valid in (first, second)]


def test_forecasts_are_scored_and_kept_on_the_original_scale(tmp_path: Path) -> None:
    result, predictions = run(forecast_folds(), get_metric("mase", Task.FORECASTING), tmp_path)
    assert result.value == pytest.approx(np.mean([1, 2, 1, 2, 3]))
    assert result.valid["mase"] == pytest.approx(result.value)
    assert result.train["mase"] == pytest.approx(21 / 11)
    assert list(predictions) == ["fold", "series", "origin", "step", "time", "target", "output_0"]
    south = predictions.query("fold == 1 and series == 'south'")
    assert south["target"].tolist() == [116.0, 118.0, 120.0]
    assert south["output_0"].tolist() == [114.0] * 3
    assert south["step"].tolist() == [1, 2, 3]
    assert set(south["origin"]) == {pd.Timestamp("2024-01-08")}
    assert list(south["time"].dt.day) == [9, 10, 11]


def test_details_of_forecasts_are_of_all_folds_together(tmp_path: Path) -> None:
    result, predictions = run(forecast_folds(), get_metric("mae", Task.FORECASTING), tmp_path)
    error = (predictions["target"] - predictions["output_0"]).abs()
    steps, series = result.details["steps"], result.details["series"]
    for step, expected in error.groupby(predictions["step"]).mean().items():
        assert steps[str(step)]["mae"] == pytest.approx(expected)
    for name, expected in error.groupby(predictions["series"]).mean().items():
        assert series[name]["mae"] == pytest.approx(expected)


def test_the_mean_of_folds_that_scale_by_themselves(tmp_path: Path) -> None:
    level = 2.0
    tests = [forecasts(windows(origins=[7], scale=scale)) for scale in (4.0, 0.25)]
    model = Constant(ConstantParams(level=level), SCHEMA)
    folds = [Fold(SCHEMA, None, forecasts(), forecasts(), each) for each in tests]  # type: ignore[arg-type]
    score = score_test([model, model], folds)
    mean = mean_outputs([np.asarray(each.restore(np.full(5, level)), np.float64) for each in tests])
    np.testing.assert_allclose(mean, np.repeat([17.0, 114.0], [2, 3]) + level * (4.0 + 0.25) / 2)
    assert score.metrics["mae"] == pytest.approx(np.abs(tests[0].original_target - mean).mean())
    assert set(score.details["steps"]) == {"1", "2", "3"}


def test_details_of_classes(tmp_path: Path) -> None:
    data = DataConfig(path="none.csv", target="kind")
    prepared = prepare(small_frame(), data, TargetConfig(), SplitConfig(folds=2), None, 0)
    folds = [FoldRows(fold.schema, fold.train, fold.valid) for fold in prepared.folds]
    result, predictions = run(folds, prepared.metric, tmp_path)
    matrix = np.array(result.details["confusion"])
    counts = predictions["target"].value_counts().sort_index()
    assert matrix.sum(axis=1).tolist() == counts.tolist() == result.details["classes"]["support"]
    assert list(predictions) == ["fold", "target", "output_0", "output_1", "output_2"]


def test_regression_has_no_details(tmp_path: Path) -> None:
    data = DataConfig(path="none.csv", target="y")
    prepared = prepare(small_frame(), data, TargetConfig(), SplitConfig(), "mae", 0)
    folds = [FoldRows(fold.schema, replace(fold.train), fold.valid) for fold in prepared.folds]
    result, _ = run(folds, prepared.metric, tmp_path)
    assert result.details == {}


@pytest.mark.parametrize("name", ["mae", "rmse", "wape"])
def test_training_metrics_of_forecasts_know_nothing_of_the_weights_of_the_loss(
    name: str, tmp_path: Path
) -> None:
    metric = get_metric(name, Task.FORECASTING)
    (fold, *_) = forecast_folds()
    weighted = replace(fold, train=replace(fold.train, weight=np.linspace(0.1, 3.0, len(fold.train))))
    (plain, _), (result, _) = (
        run([each], metric, tmp_path / str(number)) for number, each in enumerate([fold, weighted])
    )
    assert result.train == plain.train
    error = np.abs(fold.train.original_target - fold.train.restore(np.zeros(len(fold.train)))).mean()
    assert result.train["mae"] == pytest.approx(error)
