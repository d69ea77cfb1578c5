"""The target: which task it makes, its values as models see them, and the scale to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data._class_labels import ClassLabel, class_labels
from tuning.data._float32 import target_place
from tuning.data._labels import are_codes
from tuning.data.config import TargetConfig, TaskKind, TransformChoice
from tuning.errors import DataError
from tuning.metrics import Metric, tasks_of
from tuning.models import TargetTransform, Task

_RELATIVE_METRICS = frozenset({"smape", "mape", "rmsle"})
_MOST_CLASSES_INFERRED = 20
_ROWS_PER_CLASS_INFERRED = 5
_MOST_CLASSES = 1000
_LARGEST = 1e30  # squares of it are within the range of float64, and it is within that of float32


@dataclass(frozen=True)
class Target:
    """The target of every row.

    Attributes:
        task: kind of target.
        values: (n,) float64, or (n,) int64 class codes.
        classes: label of each code, sorted; empty for regression.
        note: how the task was found; empty where the user gave it.
    """

    task: Task
    values: npt.NDArray[Any]
    classes: tuple[ClassLabel, ...] = ()
    note: str = ""

    def take(self, rows: npt.NDArray[np.intp]) -> Target:
        """Return the target of some rows; classes that none of them has are gone."""
        if not self.task.is_classification:
            return replace(self, values=self.values[rows])
        present, codes = np.unique(self.values[rows], return_inverse=True)
        classes = tuple(self.classes[code] for code in present)
        task = Task.BINARY if len(classes) == 2 else Task.MULTICLASS
        return Target(task, codes.astype(np.int64), classes, self.note)


def missing_rows(column: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """(n,) whether the row has no target."""
    is_words = _values.is_words(column)
    missing = (_values.as_labels(column, ()) if is_words else column).isna().to_numpy()
    if types.is_float_dtype(column.dtype):
        missing = missing | ~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(missing, dtype=bool)


def read_target(column: pd.Series[Any], kind: TaskKind | None, metric_name: str | None = None) -> Target:
    """Read a target without missing values.

    Args:
        column: one value a row.
        kind: as the user gave it; None: what the metric is for, where the target allows it, else inferred.
        metric_name: as the user gave it; None: the task's default.

    Raises:
        DataError: it is constant, or not made of numbers, for a regression.
    """
    column = column.infer_objects()
    kind, note = (kind, "") if kind is not None else _choose_kind(column, metric_name)
    if kind is TaskKind.REGRESSION:
        return Target(Task.REGRESSION, _read_numbers(column), note=note)
    codes, classes = _read_classes(column)
    return Target(Task.BINARY if len(classes) == 2 else Task.MULTICLASS, codes, classes, note)


def _choose_kind(column: pd.Series[Any], metric_name: str | None) -> tuple[TaskKind, str]:
    """Return the kind that the metric is for, else the one that the values look like, and a note."""
    inferred, why = _infer_kind(column)
    wanted = kind_of_metric(metric_name)
    if wanted is None or wanted is inferred or not can_be(column, wanted):
        return inferred, f"Task {inferred}, as the target {column.name!r} {why} (give --task for another)."
    return wanted, f"Task {wanted}, as the metric {metric_name} is for it."


def kind_of_metric(name: str | None) -> TaskKind | None:
    """Return the one kind of task, forecasting aside, that a metric is for; None where that is not known."""
    tasks = frozenset() if name is None else tasks_of(name)
    if Task.REGRESSION in tasks:
        return TaskKind.REGRESSION
    return TaskKind.CLASSIFICATION if Task.BINARY in tasks else None


def can_be(column: pd.Series[Any], kind: TaskKind) -> bool:
    """Return whether a target without missing values can be learnt as such a task."""
    if kind is TaskKind.REGRESSION:
        numbers = _values.learnt_numbers(column)
        return bool(np.isfinite(numbers).all()) and len(np.unique(numbers)) > 1
    return 2 <= len(set(class_labels(column))) <= most_classes(column)


def _infer_kind(column: pd.Series[Any]) -> tuple[TaskKind, str]:
    if types.is_bool_dtype(column.dtype):
        return TaskKind.CLASSIFICATION, "holds true and false"
    numbers = _values.learnt_numbers(column)
    if not np.isfinite(numbers).all() or are_codes(list(map(str, column.unique()))):
        return TaskKind.CLASSIFICATION, "holds labels"
    levels = int(column.nunique())
    if (numbers % 1 != 0).any():
        return TaskKind.REGRESSION, "holds fractions"
    if levels <= _MOST_CLASSES_INFERRED and levels * _ROWS_PER_CLASS_INFERRED <= max(len(numbers), 10):
        return TaskKind.CLASSIFICATION, f"holds {levels} distinct whole numbers"
    return TaskKind.REGRESSION, f"holds {levels} distinct numbers"


def _read_numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    values = _values.learnt_numbers(column)
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(
            f"The target {column.name!r} cannot be used for regression: {str(column[bad].iloc[0])!r} "
            f"is not a number (nor are {int(bad.sum())} of {len(column)} values)."
        )
    if np.abs(values).max() > _LARGEST:
        raise DataError(f"The target {column.name!r} has values beyond {_LARGEST:g}: rescale it.")
    if (values == values[0]).all():
        raise DataError(f"The target {column.name!r} is {values[0]:g} in every row: nothing can be learnt.")
    return values


def most_classes(column: pd.Series[Any]) -> int:
    """Return how many classes a target can have: every other row repeats one, and fractions are few."""
    fractions = types.is_float_dtype(column.dtype) and bool((column % 1 != 0).any())
    most = _MOST_CLASSES_INFERRED if fractions else _MOST_CLASSES
    return min(most, max(2, len(column) // 2))


def _read_classes(column: pd.Series[Any]) -> tuple[npt.NDArray[np.int64], tuple[ClassLabel, ...]]:
    labels = class_labels(column)
    classes = tuple(sorted(set(labels)))
    codes = {label: code for code, label in enumerate(classes)}
    return np.array([codes[label] for label in labels], dtype=np.int64), classes


def check_scale(target: Target, config: TargetConfig) -> None:
    """Refuse a scale that the target cannot have.

    Raises:
        DataError: a scale was asked for and the target is of classes, or log1p and one is -1 or less.
    """
    asked_log1p = config.transform is TransformChoice.LOG1P
    if target.task.is_classification:
        if asked_log1p or config.clip_min is not None:
            raise DataError(
                f"target.transform and target.clip_min are for regression, the task is {target.task}."
            )
    elif asked_log1p and target.values.min() <= -1:
        lowest = target.values.min()
        raise DataError(
            f"target.transform=log1p needs targets above -1, the lowest is {lowest:g}: give "
            "--set target.transform=none."
        )


def fit_target_transform(y: npt.NDArray[np.float64], config: TargetConfig, metric: Metric) -> TargetTransform:
    """The scale to train on, from the (n,) training targets alone."""
    automatic = (
        config.transform is TransformChoice.AUTO and metric.name in _RELATIVE_METRICS and bool(y.min() >= 0)
    )
    log1p = automatic or config.transform is TransformChoice.LOG1P
    clip_min = 0.0 if automatic and config.clip_min is None else config.clip_min
    centre, unit = target_place(np.asarray(TargetTransform(log1p=log1p).forward(y), dtype=np.float64))
    z = TargetTransform(log1p=log1p, centre=centre, unit=unit).forward(y)
    std = float(z.std())
    return TargetTransform(log1p, float(z.mean()), std if std > 0 else 1.0, clip_min, centre, unit)


def target_notes(transform: TargetTransform, config: TargetConfig, metric: Metric) -> Sequence[str]:
    """What `fit_target_transform` decided, in words."""
    if config.transform is TransformChoice.AUTO and transform.log1p:
        return (
            f"Trained on log1p of the target, as the metric {metric.name} is relative and no target is "
            "negative (--set target.transform=none otherwise).",
        )
    return ()
