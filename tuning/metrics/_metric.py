"""What a metric is: a name, a direction, the tasks it fits and a function of targets and outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from models import Loss, Task
from tuning.errors import DataError

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
    """

    name: str
    direction: Direction
    tasks: frozenset[Task]
    loss: Loss
    function: ScoreFunction
    requirement: Requirement = anything

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
        """Score predictions as `Model.predict` gives them.

        Args:
            y_true: (n,) targets on the original scale, or class codes.
            y_pred: (n,) values on the original scale, or (n, k) class probabilities.
            weight: (n,) row weights, or None.

        Returns:
            The value; nan where a prediction is not finite or the metric is not defined on these rows.
        """
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, dtype=np.float64)
        if len(y_true) == 0 or not np.isfinite(y_pred).all() or self.requirement(y_true) is not None:
            return math.nan
        return float(self.function(y_true, y_pred, weight))

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
