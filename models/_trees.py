"""What every tree ensemble shares: growth in blocks, cached validation scores, checkpoints."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tuning.models._base import Model, ParamsT
from tuning.models._table import FloatArray, Schema, Table, Task
from tuning.models.errors import CheckpointError, DivergedError, ModelError

_ENSEMBLE_FILE = "ensemble.json"
_VALID_FILE = "valid_scores.npy"

# Measured at the peak, for 2e5 rows with 50 columns, of all three boosters.
_COLUMN_COPIES = 4


class TreeEnsemble(Model[ParamsT]):
    """A sum of trees that grows block by block; one block is one unit of budget.

    The score of a row is the sum over its trees, (n, k) with k = 1, or the number of classes of a
    multi-class target. The validation rows' scores are kept, so that judging a new block costs that
    block's trees alone; they travel with the checkpoint, so that an interrupted run reports the very
    numbers of an uninterrupted one. The best state of an ensemble is its first so many trees.

    Class attributes:
        max_units: into how many blocks the budget is cut at most.
        library_errors: what the library raises on bad input.
    """

    max_units: ClassVar[int] = 81
    library_errors: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trees_done = 0
        self._best_trees = 0
        self._valid_features: Any = None
        self._valid_scores: FloatArray | None = None

    @classmethod
    def host_bytes(cls, params: ParamsT, schema: Schema, table: Table) -> int:
        """The library's own columns, and what it makes them from; the trees are not counted."""
        return _COLUMN_COPIES * (table.numeric.nbytes + table.categorical.nbytes + table.embedding.nbytes)

    @property
    @abstractmethod
    def total_trees(self) -> int:
        """The full budget in boosting rounds, or in trees of a forest."""

    @property
    def trees_per_unit(self) -> int:
        """The size of a block."""
        return math.ceil(self.total_trees / self.max_units)

    @property
    def total_units(self) -> int:
        return math.ceil(self.total_trees / self.trees_per_unit)

    @property
    def n_scores(self) -> int:
        """k, the width of a score."""
        return self.schema.n_classes if self.schema.task is Task.MULTICLASS else 1

    def bind(self, train: Table, valid: Table) -> None:
        super().bind(train, valid)
        self._valid_features = self._valid_scores = None

    def _advance(self, train: Table) -> None:
        trees = min((self.units_done + 1) * self.trees_per_unit, self.total_trees)
        try:
            grown = self._grow(train, trees)
        except self.library_errors as error:
            raise ModelError(f"{type(self).__name__} cannot train on this table: {error}.") from error
        scores = self._extend_valid_scores(grown)
        if not (np.isfinite(scores).all() and np.isfinite(self._outputs(scores, grown)).all()):
            self._truncate(self._trees_done)
            raise DivergedError(
                f"{type(self).__name__} predicts NaN or inf after tree {grown}: lower the learning rate."
            )
        self._trees_done, self._valid_scores = grown, scores

    def mark_best(self) -> None:
        super().mark_best()
        self._best_trees = self._trees_done

    def restore_best(self) -> None:
        if self._best_trees in (0, self._trees_done):
            return
        self._truncate(self._best_trees)
        self._trees_done, self.units_done = self._best_trees, self.best_units
        self._valid_features = self._valid_scores = None

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        self._require_trees()
        scores = self._add_scores(None, self._features(table), 0, self._trees_done)
        return self._outputs(scores, self._trees_done)

    def predict_valid(self) -> npt.NDArray[np.float64]:
        self._require_trees()
        if self._valid_scores is None:
            self._valid_scores = self._extend_valid_scores(self._trees_done)
        return self._outputs(self._valid_scores, self._trees_done)

    def _require_trees(self) -> None:
        if not self._trees_done:
            raise ModelError("There is no tree to predict with: advance() or load() first.")

    def _extend_valid_scores(self, trees: int) -> FloatArray:
        """(n_valid, k) scores of the first `trees` trees: what is known, and the missing trees'."""
        if self._valid is None:
            raise ModelError("predict_valid() needs bind(train, valid) first.")
        if self._valid_features is None:
            self._valid_features = self._features(self._valid)
        known = self._valid_scores
        first = self._trees_done if known is not None else 0
        return self._add_scores(known, self._valid_features, first, trees)

    def _save(self, folder: Path) -> None:
        counts = {"trees_done": self._trees_done, "best_trees": self._best_trees}
        (folder / _ENSEMBLE_FILE).write_text(json.dumps(counts))
        if self._trees_done:
            self._write_trees(folder)

    def _save_training(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        if self._valid_scores is not None:
            np.save(folder / _VALID_FILE, self._valid_scores, allow_pickle=False)
        self._write_training(folder)

    def _load(self, folder: Path) -> None:
        unreadable: tuple[type[Exception], ...] = (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            EOFError,
            *self.library_errors,
        )
        try:
            counts = json.loads((folder / _ENSEMBLE_FILE).read_text())
            self._trees_done, self._best_trees = int(counts["trees_done"]), int(counts["best_trees"])
            self._valid_features = None
            # Beside the trees in checkpoints of earlier versions.
            self._valid_scores = self._read_valid_scores(folder / _VALID_FILE)
            if self._trees_done:
                self._read_trees(folder)
            else:
                self._truncate(0)
        except unreadable as error:
            raise CheckpointError(f"{folder} is not a readable checkpoint: {error}.") from error

    def _load_training(self, folder: Path) -> None:
        try:
            self._valid_scores = self._read_valid_scores(folder / _VALID_FILE)
            self._read_training(folder)
        except (OSError, ValueError, EOFError) as error:
            raise CheckpointError(f"{folder} is not a readable checkpoint: {error}.") from error

    def _read_valid_scores(self, path: Path) -> FloatArray | None:
        if self._valid is None or not path.is_file():
            return None
        scores: FloatArray = np.load(path, allow_pickle=False)
        return scores if scores.shape == (len(self._valid), self.n_scores) else None

    @abstractmethod
    def _grow(self, train: Table, trees: int) -> int:
        """Grow to `trees` trees, and say how many there are now."""

    @abstractmethod
    def _truncate(self, trees: int) -> None:
        """Forget all but the first `trees` trees."""

    @abstractmethod
    def _features(self, table: Table) -> Any:
        """The rows as the library predicts from them; kept for the validation rows."""

    @abstractmethod
    def _add_scores(self, known: FloatArray | None, features: Any, first: int, last: int) -> FloatArray:
        """(n, k) `known` (None: no tree yet) plus the scores of the trees first ... last - 1."""

    @abstractmethod
    def _outputs(self, scores: FloatArray, trees: int) -> npt.NDArray[np.float64]:
        """(n, k) scores of `trees` trees -> (n,) original scale, or (n, n_classes) probabilities."""

    @abstractmethod
    def _write_trees(self, folder: Path) -> None:
        """Write all trees; there is at least one."""

    @abstractmethod
    def _read_trees(self, folder: Path) -> None:
        """Read what `_write_trees` wrote."""

    def _write_training(self, folder: Path) -> None:
        """Write what the library needs beside the trees to go on."""

    def _read_training(self, folder: Path) -> None:
        """Read what `_write_training` wrote, after the trees."""


def feature_matrix(table: Table) -> npt.NDArray[np.float32]:
    """Numeric, categorical and embedding columns side by side, (n, p + c + e), NaN where missing.

    Codes are exact in float32 up to 2**24 levels.
    """
    codes = table.categorical.astype(np.float32)
    codes[table.categorical < 0] = np.nan
    return np.hstack([table.numeric, codes, table.embedding], dtype=np.float32)


def training_target(train: Table, model: Model[Any]) -> npt.NDArray[np.generic]:
    """(n,) target on the scale to train on: forwarded values, or class codes.

    Raises:
        ModelError: the rows have no target, or it is NaN or inf on the scale to train on.
    """
    if train.target is None:
        raise ModelError(f"{type(model).__name__} needs a target in the rows to train on.")
    if model.schema.task.is_classification:
        return train.target
    target = model.schema.target.forward(train.target.astype(np.float64))
    if not np.isfinite(target).all():
        raise ModelError(f"{type(model).__name__} needs a finite target: {_first_bad(target)}.")
    return target


def training_weight(train: Table) -> npt.NDArray[np.float64] | None:
    """Return the (n,) row weights with mean 1, as networks have them; None where all rows count alike.

    What regularises a booster compares to the weight of a leaf: by weights such as 1e-6, it would undo all
    that is learnt.
    """
    if train.weight is None:
        return None
    weight = np.asarray(train.weight, dtype=np.float64)
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def _first_bad(target: FloatArray) -> str:
    row = int(np.flatnonzero(~np.isfinite(target))[0])
    return f"training row {row} is {target[row]}"
