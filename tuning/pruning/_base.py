"""What a pruning rule is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

from tuning.metrics import Direction


class Pruner(ABC):
    """Decides, within one family, whether a trial goes on after an iteration.

    A rule sees trials as curves by iteration 1..R, of the validation score of the best state so far, which
    may lie between two iterations: the best state is what a trial is judged by in the end. Non-finite scores
    never enter a comparison. The rule's whole state follows from the curves, so a study that was
    killed gets the very same rule back by feeding it the record.

    Args:
        max_iterations: R, the last iteration.
        direction: whether low or high scores are better.
    """

    def __init__(self, max_iterations: int, direction: Direction) -> None:
        self.max_iterations = max_iterations
        self.direction = direction
        self._curves: dict[int, dict[int, float]] = {}

    @property
    @abstractmethod
    def checkpoint_iterations(self) -> frozenset[int]:
        """Iterations after which the rule may prune; a trial has a checkpoint at each."""

    @abstractmethod
    def _prunes(self, number: int, iteration: int) -> bool:
        """Whether trial `number` stops after `iteration`, which was just added to its curve."""

    def report(self, number: int, iteration: int, value: float) -> bool:
        """Take a score; True when the trial should stop."""
        self._curves.setdefault(number, {})[iteration] = value
        return iteration < self.max_iterations and self._prunes(number, iteration)

    def replay(self, curves: Mapping[int, Mapping[int, float]]) -> None:
        """Take over the curves of a record, by trial number."""
        for number, curve in curves.items():
            self._curves[number] = dict(curve)

    def best_until(self, number: int, iteration: int) -> float | None:
        """A trial's best loss (lower is better) up to `iteration`, None without a finite score."""
        curve = self._curves.get(number, {})
        losses = [self._loss(value) for step, value in curve.items() if step <= iteration]
        return min((loss for loss in losses if math.isfinite(loss)), default=None)

    def _loss(self, value: float) -> float:
        return value if self.direction is Direction.MINIMIZE else -value


class NoPruner(Pruner):
    """Never stops a trial; checkpoints at powers of three."""

    @property
    def checkpoint_iterations(self) -> frozenset[int]:
        return rungs(1, 3, self.max_iterations)

    def _prunes(self, number: int, iteration: int) -> bool:
        return False


def rungs(first: int, factor: int, last: int) -> frozenset[int]:
    """`first`, `first * factor`, ... up to and including `last`.

    >>> sorted(rungs(1, 3, 27)), sorted(rungs(1, 3, 9)), sorted(rungs(2, 4, 20))
    ([1, 3, 9, 27], [1, 3, 9], [2, 8, 20])
    """
    levels = {last}
    level = first
    while level < last:
        levels.add(level)
        level *= factor
    return frozenset(levels)
