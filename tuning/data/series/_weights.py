"""Weights that make a training loss on the scale of windows mean what a metric means on the original one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tuning.metrics import Metric
from tuning.models import Loss, Windows

_SCALE_DEPENDENT = frozenset({"mae", "rmse", "wape"})


def loss_weights(windows: Windows, metric: Metric) -> npt.NDArray[np.float64] | None:
    """(n,) weights of training rows, of mean 1; None where one unit is worth the same in every window.

    An error of one unit is worth the scale of its window, squared for a squared loss. On a logarithmic
    scale, it is worth that share of the window's location.
    """
    if metric.name not in _SCALE_DEPENDENT or len(windows) == 0:
        return None
    unit = windows.scale * (np.exp(windows.location) if windows.transform.log1p else 1.0)
    unit = unit**2 if metric.loss is Loss.SQUARED else unit
    weights = unit[windows.window_of_row]
    if np.ptp(weights) == 0:
        return None
    return np.asarray(weights / weights.mean(), dtype=np.float64)
