"""The metrics by name and by task."""

from __future__ import annotations

import difflib
import math

import numpy as np

from tuning.errors import ConfigError
from tuning.metrics import _classification as classification
from tuning.metrics import _regression as regression
from tuning.metrics._metric import Direction, Metric, ScoreFunction
from tuning.metrics._predictions import Predictions
from tuning.models import Loss, Task

_MINIMIZE, _MAXIMIZE = Direction.MINIMIZE, Direction.MAXIMIZE
_NUMBERS = frozenset({Task.REGRESSION})
_CLASSES = frozenset({Task.BINARY, Task.MULTICLASS})
_FORECASTS = frozenset({Task.FORECASTING})

_LOG_LOSS = Metric("log_loss", _MINIMIZE, _CLASSES, Loss.LOG, classification.log_loss)


def _of_hits(name: str, function: ScoreFunction) -> Metric:
    """A metric of the most probable classes alone."""
    return Metric(name, _MAXIMIZE, _CLASSES, Loss.LOG, function, tie_breaker=_LOG_LOSS)


_METRICS = (
    Metric("rmse", _MINIMIZE, _NUMBERS, Loss.SQUARED, regression.rmse),
    Metric("mae", _MINIMIZE, _NUMBERS, Loss.ABSOLUTE, regression.mae),
    Metric("mape", _MINIMIZE, _NUMBERS, Loss.ABSOLUTE, regression.mape, regression.needs_nonzero),
    Metric("smape", _MINIMIZE, _NUMBERS, Loss.ABSOLUTE, regression.smape),
    Metric("r2", _MAXIMIZE, _NUMBERS, Loss.SQUARED, regression.r2, regression.needs_two_rows),
    Metric("rmsle", _MINIMIZE, _NUMBERS, Loss.SQUARED, regression.rmsle, regression.needs_nonnegative),
    Metric("mape", _MINIMIZE, _FORECASTS, Loss.ABSOLUTE, regression.mape, regression.needs_nonzero_forecast),
    Metric("smape", _MINIMIZE, _FORECASTS, Loss.ABSOLUTE, regression.smape),
    Metric("wape", _MINIMIZE, _FORECASTS, Loss.ABSOLUTE, regression.wape, regression.needs_any_nonzero),
    Metric("mae", _MINIMIZE, _FORECASTS, Loss.ABSOLUTE, regression.mae),
    Metric("rmse", _MINIMIZE, _FORECASTS, Loss.SQUARED, regression.rmse),
    Metric("mase", _MINIMIZE, _FORECASTS, Loss.ABSOLUTE, regression.mae, is_scaled=True),
    _LOG_LOSS,
    Metric(
        "roc_auc", _MAXIMIZE, _CLASSES, Loss.LOG, classification.roc_auc, classification.needs_two_classes
    ),
    _of_hits("accuracy", classification.accuracy),
    _of_hits("balanced_accuracy", classification.balanced_accuracy),
    _of_hits("f1_macro", classification.f1_macro),
)
_DEFAULTS = {
    Task.REGRESSION: "rmse",
    Task.BINARY: "roc_auc",
    Task.MULTICLASS: "log_loss",
    Task.FORECASTING: "mase",
}


def metrics_for(task: Task) -> tuple[Metric, ...]:
    """Every metric that is defined for the task.

    >>> [metric.name for metric in metrics_for(Task.REGRESSION)]
    ['rmse', 'mae', 'mape', 'smape', 'r2', 'rmsle']
    """
    return tuple(metric for metric in _METRICS if task in metric.tasks)


def tasks_of(name: str) -> frozenset[Task]:
    """Return the tasks that a metric of that name is defined for; none of an unknown one.

    >>> sorted(tasks_of("rmse"))
    [<Task.FORECASTING: 'forecasting'>, <Task.REGRESSION: 'regression'>]
    """
    return frozenset().union(*(metric.tasks for metric in _METRICS if metric.name == name))


def get_metric(name: str | None, task: Task, way_out: str = "") -> Metric:
    """Return the metric of that name; None: the task's default.

    Args:
        name: as a study file has it.
        task: of the target.
        way_out: what else can be typed where the metric fits another task alone.

    Raises:
        ConfigError: there is none for the task; the message lists the choices and the closest one.
    """
    choices = {metric.name: metric for metric in metrics_for(task)}
    name = _DEFAULTS[task] if name is None else name
    if name in choices:
        return choices[name]
    closest = difflib.get_close_matches(name, choices, n=1)
    hint = f" Did you mean {closest[0]}?" if closest and not tasks_of(name) else ""
    listed = f"choose from {', '.join(choices)}{way_out}.{hint}"
    raise ConfigError(f"metric: {name!r} is not a metric for {task}: {listed}")


def score_all(task: Task, predictions: Predictions) -> dict[str, float]:
    """Every metric of the task that is defined on these rows, by name; all nan where one is not finite."""
    metrics = metrics_for(task)
    if not np.isfinite(predictions.y_pred).all():
        return {metric.name: math.nan for metric in metrics}
    scores = {metric.name: metric.score(predictions) for metric in metrics}
    return {name: value for name, value in scores.items() if not math.isnan(value)}
