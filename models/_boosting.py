"""What LightGBM, XGBoost and CatBoost share: early stopping, link functions, seeds, one model file."""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import expit, softmax

from tuning.models._base import Params
from tuning.models._checksums import verify_checksums, write_checksums
from tuning.models._table import FloatArray, Task
from tuning.models._trees import TreeEnsemble


class BoostingParams(Params):
    """Hyperparameters of every booster.

    Attributes:
        learning_rate: shrinkage of each round.
        early_stopping_rounds: rounds without improvement after which training stops; None: never.
    """

    learning_rate: float = Field(gt=0)
    early_stopping_rounds: int | None = Field(default=100, ge=1)


BoostingParamsT = TypeVar("BoostingParamsT", bound=BoostingParams)


class GradientBoosting(TreeEnsemble[BoostingParamsT]):
    """A booster whose scores are raw margins, before the link function."""

    @property
    def patience_units(self) -> int | None:
        rounds = self.params.early_stopping_rounds
        return None if rounds is None else math.ceil(rounds / self.trees_per_unit)

    def _outputs(self, scores: FloatArray, trees: int) -> npt.NDArray[np.float64]:
        margins = scores.astype(np.float64)
        if self.schema.task is Task.MULTICLASS:
            return np.asarray(softmax(margins, axis=1))
        margins = margins[:, 0]  # (n, 1) -> (n,)
        if self.schema.task is Task.BINARY:
            return np.column_stack([expit(-margins), expit(margins)])
        with np.errstate(over="ignore"):  # an overflow ends as inf, which counts as divergence
            return np.asarray(self.schema.target.inverse(margins), dtype=np.float64)

    def _seeds(self, unit: int, count: int) -> list[int]:
        """`count` seeds for unit `unit`: sampling that follows from the unit survives a restart."""
        state = np.random.SeedSequence((self.seed, unit)).generate_state(count)
        return [int(word) >> 1 for word in state]  # 31 bits: the libraries' seeds are signed

    def _write_trees(self, folder: Path) -> None:
        names = self._write_booster(folder)
        write_checksums(folder, names)

    def _read_trees(self, folder: Path) -> None:
        verify_checksums(folder)
        self._read_booster(folder)

    @abstractmethod
    def _write_booster(self, folder: Path) -> list[str]:
        """Write the library's own files and name them."""

    @abstractmethod
    def _read_booster(self, folder: Path) -> None:
        """Read the library's own files, known to be undamaged."""
