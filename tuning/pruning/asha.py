"""Asynchronous successive halving (Li et al., 2020, "Massively Parallel Hyperparameter Tuning")."""

from __future__ import annotations

import numpy as np

from tuning.metrics import Direction
from tuning.pruning._base import Pruner, rungs


class AshaPruner(Pruner):
    """Stops a trial at a rung unless it is among the best 1/factor of those that reached the rung.

    The stopping variant: a trial is compared when it arrives, with the trials that arrived before, and
    nobody waits. One bracket.

    Args:
        max_iterations: R, the last rung.
        direction: whether low or high scores are better.
        grace_iterations: the first rung.
        reduction_factor: ratio of neighbouring rungs, and of trials that pass.
    """

    def __init__(
        self, max_iterations: int, direction: Direction, grace_iterations: int = 1, reduction_factor: int = 3
    ) -> None:
        super().__init__(max_iterations, direction)
        self.reduction_factor = reduction_factor
        self.levels = rungs(grace_iterations, reduction_factor, max_iterations)

    @property
    def checkpoint_iterations(self) -> frozenset[int]:
        return self.levels

    def rung(self, level: int) -> dict[int, float]:
        """Best loss by trial number, of the trials that reached the rung at iteration `level`."""
        reached = (number for number, curve in self._curves.items() if max(curve) >= level)
        losses = {number: self.best_until(number, level) for number in reached}
        return {number: loss for number, loss in losses.items() if loss is not None}

    def _prunes(self, number: int, iteration: int) -> bool:
        if iteration not in self.levels:
            return False
        own = self.best_until(number, iteration)
        if own is None:
            return True
        others = [loss for other, loss in self.rung(iteration).items() if other != number]
        return bool(others) and own > float(np.quantile(others, 1 / self.reduction_factor))
