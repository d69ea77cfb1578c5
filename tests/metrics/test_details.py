"""Details: what they say agrees with scikit-learn, with the metrics, and with strict JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import classification_report, roc_auc_score

from tests.metrics.forecasts import forecasts, last_value
from tuning.metrics import Predictions, describe, score_all
from tuning.metrics._details import MOST_CONFUSIONS, MOST_MATRIX_CLASSES, MOST_SERIES
from tuning.models import Task


def classified(rows: int = 90, classes: int = 3, weight: np.ndarray | None = None) -> Predictions:
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows)
    outputs = rng.dirichlet(np.ones(classes), rows)
    outputs[np.arange(rows), y] += 1.5 / classes
    return Predictions(y, outputs / outputs.sum(axis=1, keepdims=True), weight)


def through_json(details: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(details, allow_nan=False))


@pytest.mark.parametrize("weighted", [False, True])
def test_classes_agree_with_scikit_learn(weighted: bool) -> None:
    weight = np.random.default_rng(1).uniform(0.5, 2, 90) if weighted else None
    rows = classified(weight=weight)
    details = through_json(describe(Task.MULTICLASS, rows))
    predicted = rows.y_pred.argmax(axis=1)
    report = classification_report(rows.y_true, predicted, output_dict=True, sample_weight=weight)
    for code in range(3):
        for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert details["classes"][ours][code] == pytest.approx(report[str(code)][theirs], rel=1e-5)
        area = roc_auc_score(rows.y_true == code, rows.y_pred[:, code], sample_weight=weight)
        assert details["classes"]["roc_auc"][code] == pytest.approx(area, rel=1e-5)
    scores = score_all(Task.MULTICLASS, rows)
    assert details["macro"]["f1"] == pytest.approx(scores["f1_macro"], rel=1e-5)
    assert details["macro"]["roc_auc"] == pytest.approx(scores["roc_auc"], rel=1e-5)


def test_the_confusion_matrix_counts_rows() -> None:
    rows = Predictions(np.array([0, 0, 1, 2, 2]), np.eye(3)[[0, 1, 1, 2, 0]])
    details = describe(Task.MULTICLASS, rows)
    assert details["confusion"] == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert details["classes"]["support"] == [2, 1, 2]
    assert details["weighted"]["recall"] == pytest.approx(3 / 5)


def test_a_class_without_rows_has_no_area_and_does_not_count_in_its_mean() -> None:
    rows = Predictions(
        np.array([0, 1, 0, 1]), np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0], [0, 0.9, 0.1]])
    )
    details = through_json(describe(Task.MULTICLASS, rows))
    assert details["classes"]["roc_auc"] == [1.0, 1.0, None]
    assert details["classes"]["support"] == [2, 2, 0]
    assert details["macro"]["roc_auc"] == details["weighted"]["roc_auc"] == 1.0
    one_class = describe(Task.BINARY, Predictions(np.zeros(2, int), np.full((2, 2), 0.5)))
    assert one_class["classes"]["roc_auc"] == [None, None]
    assert one_class["macro"]["roc_auc"] is None


def test_many_classes_keep_their_most_frequent_mistakes() -> None:
    rows = classified(rows=5000, classes=MOST_MATRIX_CLASSES + 1)
    details = through_json(describe(Task.MULTICLASS, rows))
    assert "confusion" not in details
    counts = [count for _, _, count in details["confusions"]]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == MOST_CONFUSIONS
    true, predicted, count = details["confusions"][0]
    guesses = rows.y_pred.argmax(axis=1)
    assert true != predicted
    assert ((rows.y_true == true) & (guesses == predicted)).sum() == count


def test_details_of_a_thousand_classes_fit_into_any_database() -> None:
    details = describe(Task.MULTICLASS, classified(rows=20_000, classes=1000))
    assert len(json.dumps(details)) < 64 * 1024


def test_every_metric_of_each_step_and_each_series() -> None:
    table = forecasts()
    rows = Predictions.of(table, last_value(table))
    details = through_json(describe(Task.FORECASTING, rows))
    assert list(details["steps"]) == ["1", "2", "3"]
    assert set(details["steps"]["1"]) == set(score_all(Task.FORECASTING, rows))
    assert [details["steps"][step]["mase"] for step in "123"] == [1.0, 2.0, 3.0]
    assert details["steps"]["3"]["mae"] == pytest.approx((6 + 3 + 6) / 3)
    assert list(details["series"]) == ["north", "south"]
    assert details["series"]["south"]["mae"] == 4.0


def test_many_series_are_left_out() -> None:
    count = MOST_SERIES + 1
    y, ones = np.arange(1.0, count + 1), np.ones(count)
    names = np.array([f"s{k}" for k in range(count)], dtype=object)
    details = describe(Task.FORECASTING, Predictions(y, y, None, ones, ones.astype(int), names))
    assert details["series"] == {}
    assert details["steps"]["1"]["mae"] == 0.0


def test_no_details_of_regression_nor_of_what_is_not_finite() -> None:
    y = np.array([1.0, 2.0])
    assert describe(Task.REGRESSION, Predictions(y, y)) == {}
    assert describe(Task.BINARY, Predictions(np.array([0, 1]), np.full((2, 2), math.nan))) == {}
    assert describe(Task.BINARY, Predictions(np.array([], int), np.zeros((0, 2)))) == {}
