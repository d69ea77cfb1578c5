"""What baselines share: no hyperparameters, nothing to train, nothing to keep."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tuning.models._base import Model, Params
from tuning.models._season import rows_of, windows_of
from tuning.models._table import FloatArray, Table, Task
from tuning.models._windows import Windows


class BaselineParams(Params):
    """A baseline has no hyperparameters."""


class ForecastBaseline(Model[BaselineParams]):
    """A rule that repeats known values; exact, and the same before and after training."""

    Params = BaselineParams
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.FORECASTING})
    learns: ClassVar[bool] = False

    @property
    def total_units(self) -> int:
        """One."""
        return 1

    @abstractmethod
    def forecasts(self, windows: Windows) -> FloatArray:
        """(w, H) forecasts on the forwarded scale."""

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        """(n,) on the scale of the table's target."""
        windows = windows_of(table)
        return rows_of(windows, windows.standardise(self.forecasts(windows)))

    def _advance(self, train: Table) -> None:
        """There is nothing to learn."""

    def restore_best(self) -> None:
        """All states are alike."""

    def _save(self, folder: Path) -> None:
        """There is nothing to keep."""

    def _load(self, folder: Path) -> None:
        """There is nothing to read."""
