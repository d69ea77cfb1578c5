"""A model that asks for a GPU and does not touch it: where scheduling is tested without a card."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuning.models import Model, Params, Table, Task


class GpuProbeParams(Params):
    """`level` is the error; a unit takes `unit_seconds`."""

    level: float
    unit_seconds: float = 0.1


class GpuProbe(Model[GpuProbeParams]):
    """Predicts the training mean plus `level`."""

    Params = GpuProbeParams
    tasks = frozenset({Task.REGRESSION})
    uses_gpu = True
    total_units = 9

    def _advance(self, train: Table) -> None:
        time.sleep(self.params.unit_seconds)

    def restore_best(self) -> None:
        """All states are alike."""

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        return np.full(len(table), self.params.level)

    def _save(self, folder: Path) -> None:
        """Nothing to keep."""

    def _load(self, folder: Path) -> None:
        """Nothing to read."""
