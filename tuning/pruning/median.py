"""The median stopping rule (Golovin et al., 2017, "Google Vizier")."""

from __future__ import annotations

from statistics import median

from tuning.metrics import Direction
from tuning.pruning._base import Pruner, rungs


class MedianPruner(Pruner):
    """Stops a trial whose best score so far is worse than the median of the others at that iteration.

    Args:
        max_iterations: R, the last iteration.
        direction: whether low or high scores are better.
        startup_trials: other trials that must have reached the last iteration asked about.
        warmup_iterations: iterations of each trial that are left alone.
    """

    def __init__(
        self, max_iterations: int, direction: Direction, startup_trials: int = 5, warmup_iterations: int = 10
    ) -> None:
        super().__init__(max_iterations, direction)
        self.startup_trials = startup_trials
        self.warmup_iterations = warmup_iterations

    @property
    def checkpoint_iterations(self) -> frozenset[int]:
        """Those of `NoPruner`, so that an interrupted warm-up is not lost, and all after it."""
        judged = range(self.warmup_iterations + 1, self.max_iterations + 1)
        return rungs(1, 3, self.max_iterations).union(judged)

    def _prunes(self, number: int, iteration: int) -> bool:
        if iteration <= self.warmup_iterations:
            return False
        own = self.best_until(number, iteration)
        if own is None:
            return True
        reached = [
            other for other, curve in self._curves.items() if other != number and max(curve) >= iteration
        ]
        losses = [loss for other in reached if (loss := self.best_until(other, iteration)) is not None]
        return len(losses) >= self.startup_trials and own > median(losses)
