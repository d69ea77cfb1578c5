"""A metric given without a task chooses the task; one that does not fit says what else to type."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.data import DataConfig, PreparedData, SplitConfig, TargetConfig, TaskKind, prepare
from tuning.errors import ConfigError
from tuning.models import Task

N = 200
STARS = np.arange(N) % 5 + 1
NUMBERED = np.arange(N) % 40  # 5 rows a level: without a metric, a number to predict
LABELS = np.array(["red", "green", "blue", "red"] * (N // 4))
AMOUNTS = np.random.default_rng(0).normal(size=N)


def prepared(y: Any, metric: str | None, task: str | None = None) -> PreparedData:
    frame = pd.DataFrame({"a": np.random.default_rng(1).normal(size=N), "y": y})
    data = DataConfig(path="t.csv", target="y", task=None if task is None else TaskKind(task))
    split = SplitConfig(folds=3, test=0.25)
    return prepare(frame, data, TargetConfig(), split, metric, seed=0)


@pytest.mark.parametrize(
    ("y", "metric", "task"),
    [
        (STARS, "rmse", Task.REGRESSION),
        (STARS, "mae", Task.REGRESSION),
        (STARS.astype(float), "r2", Task.REGRESSION),
        (STARS.astype(str), "rmse", Task.REGRESSION),
        (np.arange(N) % 2, "rmse", Task.REGRESSION),
        (np.arange(N) % 2 == 0, "mae", Task.REGRESSION),
        (NUMBERED, "f1_macro", Task.MULTICLASS),
        (NUMBERED, "accuracy", Task.MULTICLASS),
        (NUMBERED.astype(str), "log_loss", Task.MULTICLASS),
        (STARS, "accuracy", Task.MULTICLASS),
        (STARS, None, Task.MULTICLASS),
        (NUMBERED, None, Task.REGRESSION),
        (AMOUNTS, "rmse", Task.REGRESSION),
    ],
)
def test_the_metric_chooses_the_task(y: Any, metric: str | None, task: Task) -> None:
    data = prepared(y, metric)
    assert data.task is task
    assert metric is None or data.metric.name == metric
    (note,) = [note for note in data.notes if note.startswith("Task")]
    assert "regression" in note if task is Task.REGRESSION else "classification" in note


@pytest.mark.parametrize(
    ("y", "metric", "given", "offered"),
    [
        (STARS, "rmse", "classification", "regression"),
        (STARS, "f1_macro", "regression", "classification"),
        (NUMBERED, "accuracy", "regression", "classification"),
    ],
)
def test_a_metric_against_the_given_task_names_the_other(
    y: Any, metric: str, given: str, offered: str
) -> None:
    with pytest.raises(ConfigError, match=f"{metric!r} is not a metric for .* give --task") as refused:
        prepared(y, metric, given)
    (typed,) = re.findall(r"--task (\w+)", str(refused.value))
    assert typed == offered
    assert prepared(y, metric, typed).metric.name == metric


@pytest.mark.parametrize(
    ("y", "metric", "task", "message"),
    [
        (LABELS, "rmse", None, "'rmse' is not a metric for multiclass: choose from log_loss"),
        (LABELS, "rmse", "classification", "'rmse' is not a metric for multiclass: choose from log_loss"),
        (AMOUNTS, "f1_macro", None, "'f1_macro' is not a metric for regression: choose from rmse"),
        (AMOUNTS, "mase", None, "or forecast series, with --time COL --horizon N"),
        (STARS, "acuracy", None, "Did you mean accuracy"),
    ],
)
def test_no_task_is_offered_that_the_target_cannot_be(
    y: Any, metric: str, task: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        prepared(y, metric, task)
    assert "--task" not in str(refused.value)
