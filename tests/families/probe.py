"""A model that costs nothing, for tests of what surrounds models: its faults happen on request."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tuning.models import Model, Params, Table, Task


class ProbeParams(Params):
    """`level` decides the score that is approached, `fault` what goes wrong at the third unit."""

    level: float
    units: int = 9
    unit_seconds: float = 0.0
    fault: Literal["none", "raise", "nan", "hang", "kill", "kill_once"] = "none"
    marker: str = ""


class Probe(Model[ProbeParams]):
    """Predicts the training mean plus an offset that shrinks from unit to unit."""

    Params = ProbeParams
    tasks = frozenset({Task.REGRESSION})

    _mean = 0.0
    _best_mean = 0.0

    @property
    def total_units(self) -> int:
        return self.params.units

    def _advance(self, train: Table) -> None:
        time.sleep(self.params.unit_seconds)
        self._mean = float(np.mean(train.target))
        if self.units_done == 2:
            self._misbehave()

    def _misbehave(self) -> None:
        match self.params.fault:
            case "raise":
                raise ValueError("the probe was told to raise")
            case "nan":
                self._mean = float("nan")
            case "hang":
                while True:
                    time.sleep(1)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "kill_once":
                self._kill_once()

    def _kill_once(self) -> None:
        marker = Path(self.params.marker)
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def mark_best(self) -> None:
        super().mark_best()
        self._best_mean = self._mean

    def restore_best(self) -> None:
        if self.best_units:
            self.units_done, self._mean = self.best_units, self._best_mean

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        offset = self.params.level + 1.0 / max(self.units_done, 1)
        return np.full(len(table), self._mean + offset)

    def _save(self, folder: Path) -> None:
        (folder / "probe.json").write_text(json.dumps({"mean": self._mean, "best_mean": self._best_mean}))

    def _load(self, folder: Path) -> None:
        state = json.loads((folder / "probe.json").read_text())
        self._mean, self._best_mean = state["mean"], state["best_mean"]
