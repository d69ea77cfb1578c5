"""Measures of predicted class probabilities: `y_true` (n,) codes, `y_pred` (n, k) probabilities.

scikit-learn is imported where it is used, here and in the rest of the package: it takes most of a second,
which a look at a leaderboard need not wait for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def log_loss(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean negative logarithm of the probability given to the true class."""
    from sklearn import metrics

    total = y_pred.sum(axis=1, keepdims=True)  # (n, k) -> (n, 1); float32 outputs do not sum to 1 exactly
    if (total <= 0).any():
        return math.nan
    labels = np.arange(y_pred.shape[1])
    return float(metrics.log_loss(y_true, y_pred / total, sample_weight=weight, labels=labels))


def roc_auc(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Area under the ROC curve; with more than two classes the mean of one class against the rest.

    The mean is over the classes that these rows have.
    """
    from sklearn import metrics

    if y_pred.shape[1] == 2:
        return float(metrics.roc_auc_score(y_true, y_pred[:, 1], sample_weight=weight))
    return float(
        np.mean(
            [
                metrics.roc_auc_score(y_true == code, y_pred[:, code], sample_weight=weight)
                for code in np.unique(y_true)
            ]
        )
    )


def accuracy(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Share of rows whose most probable class is the true one."""
    from sklearn import metrics

    return float(metrics.accuracy_score(y_true, y_pred.argmax(axis=1), sample_weight=weight))


def balanced_accuracy(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean of the classes' own accuracies, so that a rare class counts as much as a common one."""
    from sklearn import metrics

    return float(
        metrics.recall_score(
            y_true, y_pred.argmax(axis=1), labels=np.unique(y_true), average="macro", sample_weight=weight
        )
    )


def f1_macro(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean over the classes of the harmonic mean of precision and recall."""
    from sklearn import metrics

    codes = y_pred.argmax(axis=1)
    return float(metrics.f1_score(y_true, codes, average="macro", sample_weight=weight, zero_division=0))


def needs_two_classes(y: Array) -> str | None:
    """A sentence where the rows are all of one class, so that nothing can be ranked against it."""
    if len(np.unique(y)) >= 2:
        return None
    return (
        "The metric roc_auc needs rows of at least 2 classes in every part, and a part has rows of only one: "
        "use log_loss, larger parts, or a stratified split."
    )
