"""A model whose checkpoints fill a disk, and which may say so in its own words, as libraries do."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuning.models import Model, Params, Table, Task


class BulkyProbeParams(Params):
    """`kilobytes` is the size of a checkpoint; `words` are what a full disk is told by, "": the system's."""

    level: float
    kilobytes: int = 300
    unit_seconds: float = 0.0
    words: str = ""


class BulkyProbe(Model[BulkyProbeParams]):
    """Predicts an offset that shrinks from unit to unit."""

    Params = BulkyProbeParams
    tasks = frozenset({Task.REGRESSION})

    total_units = 9

    def _advance(self, train: Table) -> None:
        time.sleep(self.params.unit_seconds)

    def restore_best(self) -> None:
        self.units_done = self.best_units or self.units_done

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        return np.full(len(table), self.params.level + 1.0 / max(self.units_done, 1))

    def _save(self, folder: Path) -> None:
        try:
            (folder / "bulk").write_bytes(bytes(1024 * self.params.kilobytes))
        except OSError as error:
            if self.params.words:
                raise RuntimeError(self.params.words) from None
            raise error

    def _load(self, folder: Path) -> None:
        (folder / "bulk").read_bytes()
