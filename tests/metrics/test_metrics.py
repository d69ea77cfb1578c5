from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tests.metrics.forecasts import forecasts, last_value, windows
from tuning.errors import ConfigError, DataError, InputError
from tuning.metrics import Direction, Predictions, get_metric, metrics_for, score_all
from tuning.models import Loss, Table, Task

Y = np.array([1.0, 2.0, 4.0])
P = np.array([1.0, 3.0, 2.0])


def probabilities(rows: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), rows)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rmse", math.sqrt(5 / 3)),
        ("mae", 1.0),
        ("mape", 100 / 3),
        ("smape", 100 * (0 + 2 / 5 + 4 / 6) / 3),
        ("r2", 1 - 5 / (np.var(Y) * 3)),
        ("rmsle", math.sqrt((math.log(4 / 3) ** 2 + math.log(5 / 3) ** 2) / 3)),
    ],
)
def test_regression_metrics_by_hand(name: str, expected: float) -> None:
    assert get_metric(name, Task.REGRESSION)(Y, P) == pytest.approx(expected)


@pytest.mark.parametrize("task", list(Task))
def test_weights_equal_repeated_rows(task: Task) -> None:
    repeats = np.array([1, 3, 2, 1, 4, 2])
    classes = 3 if task is Task.MULTICLASS else 2
    y = np.array([0, 1, 0, 1, 1, 0]) if task is not Task.MULTICLASS else np.array([0, 1, 2, 2, 1, 0])
    p = probabilities(6, classes)
    if not task.is_classification:
        y, p = y + 1.0, p[:, 0] + 1.0
    naive = np.array([1.0, 2.0, 1.0, 2.0, 3.0, 1.0])
    for metric in metrics_for(task):
        repeated = metric(
            np.repeat(y, repeats), np.repeat(p, repeats, axis=0), naive_error=np.repeat(naive, repeats)
        )
        assert metric(y, p, repeats.astype(float), naive) == pytest.approx(repeated), metric.name


def test_smape_of_two_zeros_is_zero() -> None:
    assert get_metric("smape", Task.REGRESSION)(np.zeros(3), np.zeros(3)) == 0.0


def test_classification_metrics_by_hand() -> None:
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    scores = score_all(Task.BINARY, Predictions(y, p))
    assert scores["accuracy"] == scores["balanced_accuracy"] == 0.75
    assert scores["roc_auc"] == 1.0
    assert scores["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.4, 0.7, 0.8])))
    assert scores["f1_macro"] == pytest.approx((2 / 3 + 0.8) / 2)


def test_multiclass_agrees_with_scikit_learn() -> None:
    y, p = np.tile([0, 1, 2], 20), probabilities(60, 3)
    scores = score_all(Task.MULTICLASS, Predictions(y, p))
    assert scores["roc_auc"] == pytest.approx(roc_auc_score(y, p, multi_class="ovr"))
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, p.argmax(axis=1)))


def test_multiclass_part_without_one_of_the_classes() -> None:
    y, p = np.tile([0, 1], 20), probabilities(40, 3)
    scores = score_all(Task.MULTICLASS, Predictions(y, p))
    assert set(scores) == {metric.name for metric in metrics_for(Task.MULTICLASS)}
    assert all(math.isfinite(value) for value in scores.values())


def test_float32_probabilities() -> None:
    y, p = np.tile([0, 1, 2], 20), probabilities(60, 3)
    metric = get_metric("log_loss", Task.MULTICLASS)
    assert metric(y, p.astype(np.float32)) == pytest.approx(metric(y, p), rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", list(Task))
def test_prediction_that_is_not_finite_scores_nan(task: Task, bad: float) -> None:
    y, p = np.array([0, 1, 2, 1]), probabilities(4, 3)
    if not task.is_classification:
        p = p[:, 0]
    p.flat[0] = bad
    assert all(math.isnan(metric(y, p)) for metric in metrics_for(task))
    assert all(math.isnan(value) for value in score_all(task, Predictions(y, p)).values())


def test_score_all_leaves_out_what_is_not_defined() -> None:
    with_zero = score_all(Task.REGRESSION, Predictions(np.array([0.0, 1.0]), np.array([1.0, 1.0])))
    assert "mape" not in with_zero
    assert "rmsle" in with_zero
    with_negative = score_all(Task.REGRESSION, Predictions(np.array([-1.0, 1.0]), np.array([1.0, 1.0])))
    assert "rmsle" not in with_negative
    assert "mape" in with_negative
    assert "rmsle" not in score_all(Task.REGRESSION, Predictions(np.array([1.0, 2.0]), np.array([-1.0, 1.0])))
    assert "roc_auc" not in score_all(Task.BINARY, Predictions(np.zeros(3, dtype=int), probabilities(3, 2)))
    assert score_all(Task.REGRESSION, Predictions(np.array([]), np.array([]))) == {}


@pytest.mark.parametrize(
    ("name", "task", "y", "instead"),
    [
        ("mape", Task.REGRESSION, np.array([0.0, 1.0]), "smape or mae"),
        ("rmsle", Task.REGRESSION, np.array([-0.5, 1.0]), "rmse, mae"),
        ("roc_auc", Task.BINARY, np.array([1, 1]), "log_loss"),
    ],
)
def test_check_target_refuses_what_cannot_be_scored(
    name: str, task: Task, y: np.ndarray, instead: str
) -> None:
    with pytest.raises(DataError, match=instead):
        get_metric(name, task).check_target(y)


def test_check_target_accepts_a_good_target() -> None:
    for task in Task:
        for metric in metrics_for(task):
            assert metric.requirement(np.array([1, 2, 1])) is None
            metric.check_target(np.array([1, 2, 1]))


def test_unknown_metric_names_choices_and_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"choose from rmse, mae.*Did you mean smape\?"):
        get_metric("smpae", Task.REGRESSION)
    with pytest.raises(InputError, match="is not a metric for regression"):
        get_metric("roc_auc", Task.REGRESSION)


def test_defaults() -> None:
    assert [get_metric(None, task).name for task in (Task.REGRESSION, Task.BINARY, Task.MULTICLASS)] == [
        "rmse",
        "roc_auc",
        "log_loss",
    ]


def test_direction() -> None:
    auc, rmse = get_metric("roc_auc", Task.BINARY), get_metric("rmse", Task.REGRESSION)
    assert auc.direction is Direction.MAXIMIZE
    assert auc.to_loss(0.7) == -0.7
    assert rmse.to_loss(0.7) == 0.7
    assert auc.is_better(0.8, 0.7)
    assert rmse.is_better(0.7, 0.8)
    assert not rmse.is_better(0.7, 0.7)
    assert rmse.is_better(0.7, math.nan)
    assert not auc.is_better(math.nan, 0.1)


def test_losses_match_the_metrics() -> None:
    losses = {metric.name: metric.loss for metric in metrics_for(Task.REGRESSION)}
    assert losses["rmse"] is losses["r2"] is losses["rmsle"] is Loss.SQUARED
    assert losses["mae"] is losses["mape"] is losses["smape"] is Loss.ABSOLUTE
    assert all(metric.loss is Loss.LOG for metric in metrics_for(Task.BINARY))


def scored(name: str, table: Table, outputs: np.ndarray | None = None) -> float:
    return get_metric(name, Task.FORECASTING).of(table, last_value(table) if outputs is None else outputs)


ERRORS = np.array([1, 2, 2, 4, 6, 1, 2, 3, 2, 4, 6])  # of the naive forecast, row by row
TRUTH = np.array([15, 16, 110, 112, 114, 18, 19, 20, 116, 118, 120])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mae", ERRORS.mean()),
        ("rmse", math.sqrt((ERRORS**2).mean())),
        ("mape", 100 * (ERRORS / TRUTH).mean()),
        ("smape", 100 * (2 * ERRORS / (2 * TRUTH - ERRORS)).mean()),
        ("wape", 100 * ERRORS.sum() / TRUTH.sum()),
        ("mase", np.mean([1, 2, 1, 2, 3, 1, 2, 3, 1, 2, 3])),
    ],
)
def test_forecast_metrics_by_hand_on_the_original_scale(name: str, expected: float) -> None:
    assert scored(name, forecasts()) == pytest.approx(expected)
    assert scored(name, forecasts(windows(scale=0.1))) == pytest.approx(expected), (
        "whatever the windows' scale"
    )


def test_forecast_metrics_and_their_default() -> None:
    names = [metric.name for metric in metrics_for(Task.FORECASTING)]
    assert names == ["mape", "smape", "wape", "mae", "rmse", "mase"]
    assert set(score_all(Task.FORECASTING, Predictions.of(forecasts(), np.zeros(11)))) == set(names)
    assert get_metric(None, Task.FORECASTING).name == "mase"


def test_mase_leaves_out_series_whose_naive_forecast_is_perfect() -> None:
    still = forecasts(windows(naive_error=(0.0, 2.0)))
    assert scored("mase", still) == pytest.approx(2.0)
    none = forecasts(windows(naive_error=(0.0, 0.0)))
    assert math.isnan(scored("mase", none))


def test_mase_needs_the_naive_error() -> None:
    mase = get_metric("mase", Task.FORECASTING)
    assert mase(Y, P, naive_error=np.array([1.0, 2.0, 4.0])) == pytest.approx((0 + 1 / 2 + 2 / 4) / 3)
    with pytest.raises(DataError, match="needs the naive error"):
        mase(Y, P)


def test_row_weights_count_in_every_metric_of_a_table() -> None:
    weight = np.array([1.0, 0.0] + [0.0] * 9)
    only_first = forecasts(weight=weight)
    assert scored("mase", only_first) == pytest.approx(1.0)
    assert scored("wape", only_first) == pytest.approx(100 / 15)
    assert math.isnan(scored("mae", forecasts(weight=np.zeros(11)))), "no row counts"


@pytest.mark.parametrize(
    ("name", "y", "instead"), [("mape", [0.0, 1.0], "wape or mase"), ("wape", [0.0, 0.0], "mae or mase")]
)
def test_percentages_of_forecasts_refuse_zeros(name: str, y: list[float], instead: str) -> None:
    metric = get_metric(name, Task.FORECASTING)
    with pytest.raises(DataError, match=instead):
        metric.check_target(np.array(y))
    assert math.isnan(metric(np.array(y), np.ones(2)))
    assert get_metric("wape", Task.FORECASTING)(np.array([0.0, 1.0]), np.ones(2)) == pytest.approx(100)


def test_a_forecast_that_is_not_finite_scores_nan() -> None:
    table = forecasts()
    outputs = last_value(table)
    outputs[3] = math.inf
    assert all(math.isnan(metric.of(table, outputs)) for metric in metrics_for(Task.FORECASTING))


def test_predictions_of_several_parts() -> None:
    table = forecasts()
    part = Predictions.of(table, last_value(table))
    both = Predictions.concatenate([part, part.take(part.step == 1)])
    assert len(both) == 11 + 4
    assert both.weight is None
    assert list(both.series[-4:]) == ["north", "south", "north", "south"]
    np.testing.assert_array_equal(part.y_true, TRUTH)
    np.testing.assert_array_equal(part.y_true - part.y_pred, ERRORS)
