"""A model that learns nothing, so that a study of it costs what a study costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuning.models import Model, Params, Table, Task


class IdleParams(Params):
    """`level`: what the error ends at."""

    level: float
    units: int = 9


class Idle(Model[IdleParams]):
    """Predicts the target plus an offset that shrinks from unit to unit."""

    Params = IdleParams
    tasks = frozenset({Task.REGRESSION})

    @property
    def total_units(self) -> int:
        return self.params.units

    def _advance(self, train: Table) -> None:
        """Nothing: the offset follows from the units done."""

    def restore_best(self) -> None:
        """Nothing: the last state is the best."""

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        return np.full(len(table), self.params.level + 1.0 / max(self.units_done, 1))

    def _save(self, folder: Path) -> None:
        (folder / "state.json").write_text(json.dumps({"units": self.units_done}))

    def _load(self, folder: Path) -> None:
        json.loads((folder / "state.json").read_text())
