"""What a model sees of the data: arrays of rows, and the schema that describes their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from models.errors import ModelError

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


class Task(StrEnum):
    """The kind of target."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multiclass"

    @property
    def is_classification(self) -> bool:
        return self is not Task.REGRESSION


class Loss(StrEnum):
    """The training loss that matches the study's metric.

    `SQUARED` estimates the mean (rmse, r2), `ABSOLUTE` the median (mae, mape, smape), `LOG` the class
    probabilities (every classification metric).
    """

    SQUARED = "squared"
    ABSOLUTE = "absolute"
    LOG = "log"


@dataclass(frozen=True)
class TargetTransform:
    """The map between the target's original scale and the scale that models train on.

    `forward` and `inverse` apply `log1p` / `expm1` where asked; `standardise` and `unstandardise` go
    on to mean 0 and standard deviation 1 (for networks). `mean` and `std` belong to the forwarded
    scale and come from the training rows alone.

    >>> t = TargetTransform(log1p=True, mean=1.0, std=2.0, clip_min=0.01)
    >>> t.inverse(t.forward(np.array([0.5, 3.0])))
    array([0.5, 3. ])
    >>> t.unstandardise(t.standardise(np.array([0.5, 3.0])))
    array([0.5, 3. ])
    >>> t.inverse(np.array([-1.0]))
    array([0.01])
    """

    log1p: bool = False
    mean: float = 0.0
    std: float = 1.0
    clip_min: float | None = None

    def forward(self, y: FloatArray) -> FloatArray:
        """(n,) original scale -> (n,) model scale."""
        y = np.asarray(y, dtype=np.float64)
        return np.log1p(y) if self.log1p else y

    def inverse(self, z: FloatArray) -> FloatArray:
        """(n,) model scale -> (n,) original scale, clipped from below at `clip_min`."""
        z = np.asarray(z, dtype=np.float64)
        y = np.expm1(z) if self.log1p else z
        return y if self.clip_min is None else np.maximum(y, self.clip_min)

    def standardise(self, y: FloatArray) -> FloatArray:
        """(n,) original scale -> (n,) mean 0, standard deviation 1."""
        return (self.forward(y) - self.mean) / self.std

    def unstandardise(self, z: FloatArray) -> FloatArray:
        """(n,) standardised -> (n,) original scale."""
        return self.inverse(np.asarray(z, dtype=np.float64) * self.std + self.mean)


@dataclass(frozen=True)
class Schema:
    """The columns of a `Table` and the target's meaning: all that is needed to build a model.

    Attributes:
        task: kind of target.
        loss: training loss that matches the study's metric.
        numeric: names of the `Table.numeric` columns, length p.
        categorical: names of the `Table.categorical` columns, length c.
        cardinalities: number of levels seen in training, per categorical column, length c.
        embedding_width: e, width of `Table.embedding` (0: none).
        dense_width: d, width of `Table.dense`.
        one_hot: per categorical column, whether `Table.dense` already holds it one-hot; the others
            (many levels) are for an embedding layer.
        n_classes: number of classes, 0 for regression.
        target: map between the original target and the scale to train on (regression only).
    """

    task: Task
    loss: Loss
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    cardinalities: tuple[int, ...] = ()
    embedding_width: int = 0
    dense_width: int = 0
    one_hot: tuple[bool, ...] = ()
    n_classes: int = 0
    target: TargetTransform = field(default_factory=TargetTransform)


@dataclass(frozen=True)
class Table:
    """n rows. The arrays may be read-only views of shared memory: models never write to them.

    Attributes:
        numeric: (n, p) float32, NaN where missing. For trees.
        categorical: (n, c) int32 codes in [0, cardinality), -1 where missing or unseen in training.
        embedding: (n, e) float32, nothing missing, not scaled: given embeddings, and text as
            TF-IDF + SVD.
        dense: (n, d) float32: numeric columns imputed and standardised, then one-hot categories.
            For networks. Does not hold `embedding`.
        target: (n,) float64 on the original scale, or (n,) int64 class codes; None at prediction.
        weight: (n,) float64 row weights, or None.
    """

    numeric: FloatArray
    categorical: IntArray
    embedding: FloatArray
    dense: FloatArray
    target: npt.NDArray[np.generic] | None = None
    weight: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.dense)

    @property
    def known_target(self) -> npt.NDArray[np.generic]:
        """The target of rows that have one.

        Raises:
            ModelError: these rows were made for prediction and have none.
        """
        if self.target is None:
            raise ModelError("These rows have no target.")
        return self.target

    def take(self, rows: Sequence[int] | IntArray | slice) -> Table:
        """The given rows, in the given order (a view where `rows` is a slice)."""
        return replace(
            self,
            numeric=self.numeric[rows],
            categorical=self.categorical[rows],
            embedding=self.embedding[rows],
            dense=self.dense[rows],
            target=None if self.target is None else self.target[rows],
            weight=None if self.weight is None else self.weight[rows],
        )
