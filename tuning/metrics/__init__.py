"""What trials are scored by: named metrics with a direction, always on the target's original scale."""

from tuning.metrics._details import describe
from tuning.metrics._metric import Direction, Metric
from tuning.metrics._predictions import Predictions
from tuning.metrics._registry import get_metric, metrics_for, score_all, tasks_of

__all__ = [
    "Direction",
    "Metric",
    "Predictions",
    "describe",
    "get_metric",
    "metrics_for",
    "score_all",
    "tasks_of",
]
