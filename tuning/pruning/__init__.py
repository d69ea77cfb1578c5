"""When weak trials stop: rules over curves of scores, free of Ray and Optuna."""

from tuning.config import PrunerName, PruningConfig
from tuning.metrics import Direction
from tuning.pruning._base import NoPruner, Pruner
from tuning.pruning.asha import AshaPruner
from tuning.pruning.median import MedianPruner

__all__ = ["AshaPruner", "MedianPruner", "NoPruner", "Pruner", "make_pruner"]


def make_pruner(config: PruningConfig, direction: Direction) -> Pruner:
    """A fresh rule for one family."""
    if config.pruner is PrunerName.ASHA:
        return AshaPruner(config.max_iterations, direction, config.grace_iterations, config.reduction_factor)
    if config.pruner is PrunerName.MEDIAN:
        return MedianPruner(config.max_iterations, direction, config.startup_trials, config.warmup_iterations)
    return NoPruner(config.max_iterations, direction)
