"""What a single number hides: metrics of each class, of each step ahead and of each series.

All of it is strict JSON: lists, texts, numbers of 6 significant digits, and null for what is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tuning.metrics._predictions import Predictions
from tuning.metrics._registry import score_all
from tuning.models import Task

Array = npt.NDArray[Any]
Details = dict[str, Any]

# A record keeps this of every trial, and some databases end a text at 64 KiB.
MOST_MATRIX_CLASSES = 50
MOST_CONFUSIONS = 100
MOST_SERIES = 50
MOST_STEPS = 400


def describe(task: Task, predictions: Predictions) -> Details:
    """The details of predictions; empty for regression, and where one of them is not finite.

    Classification::

        {"classes": {"precision": [...], "recall": [...], "f1": [...], "roc_auc": [...], "support": [...]},
         "macro": {"precision": ..., ...}, "weighted": {"precision": ..., ...},
         "confusion": [[...], ...]}

    with one entry per class code. `roc_auc` is of the class against the rest, `support` the number of
    its rows, `weighted` the mean by support. `confusion[true][predicted]` counts rows. Of more than
    `MOST_MATRIX_CLASSES` classes there is `confusions` in its stead: `[true, predicted, rows]` of the
    `MOST_CONFUSIONS` most frequent mistakes. Precision, recall, F1 and the areas heed row weights, as
    the metrics do.

    Forecasting: `{"steps": {"1": {"mase": ..., ...}, ...}, "series": {name: {...}, ...}}`, with every
    metric that is defined on the rows; the first `MOST_STEPS` steps, and no series where there are more
    than `MOST_SERIES`.
    """
    if len(predictions) == 0 or not np.isfinite(predictions.y_pred).all():
        return {}
    if task.is_classification:
        return _of_classes(predictions)
    return _of_forecasts(task, predictions) if task is Task.FORECASTING else {}


def _of_classes(predictions: Predictions) -> Details:
    from sklearn import metrics

    labels = np.arange(predictions.y_pred.shape[1])
    predicted = predictions.y_pred.argmax(axis=1)  # (n, k) -> (n,)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        predictions.y_true, predicted, labels=labels, sample_weight=predictions.weight, zero_division=0
    )
    scores = {"precision": precision, "recall": recall, "f1": f1, "roc_auc": _areas(predictions, labels)}
    support = np.bincount(predictions.y_true, minlength=len(labels))
    return {
        "classes": {**{name: _plain_all(each) for name, each in scores.items()}, "support": support.tolist()},
        "macro": {name: _mean(each, np.ones(len(labels))) for name, each in scores.items()},
        "weighted": {name: _mean(each, support) for name, each in scores.items()},
        **_confusion(predictions.y_true, predicted, len(labels)),
    }


def _areas(predictions: Predictions, labels: Array) -> Array:
    """(k,) area under the ROC curve of each class against the rest; nan where there is no row or no rest."""
    return np.array([_area(predictions, code) for code in labels])


def _area(predictions: Predictions, code: int) -> float:
    from sklearn import metrics

    is_class = predictions.y_true == code
    if is_class.all() or not is_class.any():
        return math.nan
    return float(
        metrics.roc_auc_score(is_class, predictions.y_pred[:, code], sample_weight=predictions.weight)
    )


def _confusion(y_true: Array, predicted: Array, n_classes: int) -> Details:
    from sklearn import metrics

    if n_classes <= MOST_MATRIX_CLASSES:
        matrix = metrics.confusion_matrix(y_true, predicted, labels=np.arange(n_classes))
        return {"confusion": matrix.tolist()}
    wrong = y_true != predicted
    pairs, counts = np.unique(np.stack([y_true[wrong], predicted[wrong]]), axis=1, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS]
    return {"confusions": [[*pairs[:, one].tolist(), int(counts[one])] for one in most]}


def _of_forecasts(task: Task, predictions: Predictions) -> Details:
    step, series = predictions.step, predictions.series
    if step is None or series is None:
        return {}
    steps, names = np.unique(step)[:MOST_STEPS], _in_order(series)
    return {
        "steps": {str(each): _scores(task, predictions.take(step == each)) for each in steps},
        "series": {str(name): _scores(task, predictions.take(series == name)) for name in names}
        if len(names) <= MOST_SERIES
        else {},
    }


def _in_order(series: Array) -> list[Any]:
    return list(dict.fromkeys(series.tolist()))


def _scores(task: Task, predictions: Predictions) -> dict[str, float | None]:
    return _plain(score_all(task, predictions))


def _plain(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _rounded(value) for name, value in scores.items()}


def _plain_all(values: Iterable[float]) -> list[float | None]:
    return [_rounded(value) for value in values]


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _mean(values: Array, weight: Array) -> float | None:
    """The mean over the classes where the value is defined."""
    defined = np.isfinite(values) & (weight > 0)
    return _rounded(float(np.average(values[defined], weights=weight[defined]))) if defined.any() else None
