"""A model whose validation scores are written down beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.trial.rows import small_folds
from tuning.models import Model, Params, Table, Task
from tuning.trial import FoldRows


class ScriptedParams(Params):
    """`script` holds the prediction after each unit; against a target of 0 its size is the score."""

    script: list[float]
    patience: int | None = None


class Scripted(Model[ScriptedParams]):
    """Predicts what the script says."""

    Params = ScriptedParams
    tasks = frozenset({Task.REGRESSION})

    @property
    def total_units(self) -> int:
        return len(self.params.script)

    @property
    def patience_units(self) -> int | None:
        return self.params.patience

    def _advance(self, train: Table) -> None:
        """Nothing to train."""

    def restore_best(self) -> None:
        self.units_done = self.best_units or self.units_done

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        return np.full(len(table), self.params.script[self.units_done - 1])

    def _save(self, folder: Path) -> None:
        """Nothing beside the units."""

    def _load(self, folder: Path) -> None:
        """Nothing beside the units."""


def zero_folds() -> tuple[FoldRows, ...]:
    """Folds whose target is 0."""
    return tuple(
        FoldRows(
            fold.schema,
            replace(fold.train, target=np.zeros(len(fold.train))),
            replace(fold.valid, target=np.zeros(len(fold.valid))),
        )
        for fold in small_folds()
    )
