"""What a metric is: a name, a direction, the tasks it fits and a function of targets and outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from tuning.errors import DataError
from tuning.metrics._predictions import Predictions
from tuning.models import Loss, Table, Task

Array = npt.NDArray[Any]
ScoreFunction = Callable[[Array, Array, Array | None], float]
Requirement = Callable[[Array], str | None]


class Direction(StrEnum):
    """Which way a metric improves."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


def anything(_y: Array) -> None:
    """The requirement of a metric that is defined for every target."""


@dataclass(frozen=True)
class Metric:
    """A measure of predictions against targets, on the original scale.

    Attributes:
        name: as written in a study file.
        direction: whether lower or higher values are better.
        tasks: the tasks it is defined for.
        loss: the training loss that matches it.
        function: (y_true, y_pred, weight) -> value.
        requirement: what the metric asks of the targets: None where they keep to it, else a sentence.
        is_scaled: errors are measured in units of the naive forecast's error of the row's series; rows
            of series whose naive forecast was perfect in training do not count.
        tie_breaker: what tells equal values apart; of metrics that count hits, which few rows make equal
            often. None: nothing.
    """

    name: str
    direction: Direction
    tasks: frozenset[Task]
    loss: Loss
    function: ScoreFunction
    requirement: Requirement = anything
    is_scaled: bool = False
    tie_breaker: Metric | None = None

    def __call__(
        self,
        y_true: Array,
        y_pred: Array,
        weight: Array | None = None,
        naive_error: Array | None = None,
    ) -> float:
        """Score predictions on the original scale.

        Args:
            y_true: (n,) targets on the original scale, or class codes.
            y_pred: (n,) values on the original scale, or (n, k) class probabilities.
            weight: (n,) row weights, or None.
            naive_error: (n,) of the rows' series; for metrics that are scaled alone.

        Returns:
            The value; nan where a prediction is not finite or the metric is not defined on these rows.
        """
        return self.score(
            Predictions(np.asarray(y_true), np.asarray(y_pred, np.float64), weight, naive_error)
        )

    def of(self, table: Table, outputs: Array) -> float:
        """Score what `Model.predict` gives for the rows of a table; nan as for a call."""
        return self.score(Predictions.of(table, outputs))

    def score(self, predictions: Predictions) -> float:
        """Score rows on the original scale; nan as for a call."""
        if not np.isfinite(predictions.y_pred).all():
            return math.nan
        rows = _in_naive_units(predictions) if self.is_scaled else predictions
        if not _counts(rows) or self.requirement(rows.y_true) is not None:
            return math.nan
        with np.errstate(over="ignore"):  # an overflow ends as inf, which counts as divergence
            return float(self.function(rows.y_true, rows.y_pred, rows.weight))

    def to_loss(self, value: float) -> float:
        """The value as a loss: lower is better."""
        return value if self.direction is Direction.MINIMIZE else -value

    def is_better(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`; a nan is worse than every number."""
        if math.isnan(a):
            return False
        return math.isnan(b) or self.to_loss(a) < self.to_loss(b)

    def check_target(self, y: Array) -> None:
        """Refuse targets on which this metric is not defined.

        Args:
            y: (n,) targets on the original scale, or class codes.

        Raises:
            DataError: the metric cannot be computed; the message says what to use instead.
        """
        problem = self.requirement(np.asarray(y))
        if problem is not None:
            raise DataError(problem)


def _in_naive_units(predictions: Predictions) -> Predictions:
    """Targets and outputs divided by the naive error, of the rows where there is one."""
    naive_error = predictions.naive_error
    if naive_error is None:
        raise DataError("A scaled metric needs the naive error of each row's series: it is for forecasts.")
    has_error = naive_error > 0
    rows, unit = predictions.take(has_error), naive_error[has_error]
    return replace(rows, y_true=rows.y_true / unit, y_pred=rows.y_pred / unit)


def _counts(rows: Predictions) -> bool:
    """Whether there is a row, and one whose weight is above 0."""
    return len(rows) > 0 and (rows.weight is None or bool(rows.weight.any()))
