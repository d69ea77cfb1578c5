"""What a model sees of the data: arrays of rows, and the schema that describes their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from tuning.models._sequences import Sequences, SequenceSchema
from tuning.models._target import TargetTransform
from tuning.models._windows import SeriesSchema, Windows
from tuning.models.errors import ModelError

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


class Task(StrEnum):
    """The kind of target."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multiclass"
    FORECASTING = "forecasting"

    @property
    def is_classification(self) -> bool:
        return self in (Task.BINARY, Task.MULTICLASS)


class Loss(StrEnum):
    """The training loss that matches the study's metric.

    `SQUARED` estimates the mean (rmse, r2), `ABSOLUTE` the median (mae, mape, smape), `LOG` the class
    probabilities (every classification metric).
    """

    SQUARED = "squared"
    ABSOLUTE = "absolute"
    LOG = "log"


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
        n_classes: number of classes, 0 for numbers.
        target: map between the target of `Table` and the scale to train on (numbers only).
        sequence: of `Table.sequence`; None without one.
        series: of `Table.windows`; None but for forecasting.
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
    sequence: SequenceSchema | None = None
    series: SeriesSchema | None = None


@dataclass(frozen=True)
class Table:
    """n rows. The arrays may be read-only views of shared memory: models never write to them.

    Attributes:
        numeric: (n, p) float32, NaN where missing; centred where float32 would merge values. For trees.
        categorical: (n, c) int32 codes in [0, cardinality), -1 where missing or unseen in training.
        embedding: (n, e) float32, nothing missing, not scaled: given embeddings, and text as
            TF-IDF + SVD.
        dense: (n, d) float32: numeric columns imputed and standardised, then one-hot categories.
            For networks. Does not hold `embedding`.
        target: (n,) float64 on the original scale, or (n,) int64 class codes; None at prediction. Of
            forecasts, (n,) float64 on the scale of `windows`.
        weight: (n,) float64 row weights, or None.
        sequence: n sequences, or None.
        windows: the forecasts that the n rows are the steps of; None but for forecasting.
    """

    numeric: FloatArray
    categorical: IntArray
    embedding: FloatArray
    dense: FloatArray
    target: npt.NDArray[np.generic] | None = None
    weight: FloatArray | None = None
    sequence: Sequences | None = None
    windows: Windows | None = None

    def __len__(self) -> int:
        return len(self.dense)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return sum(part.nbytes for part in (self.numeric, self.categorical, self.embedding, self.dense))

    @property
    def known_target(self) -> npt.NDArray[np.generic]:
        """The target of rows that have one.

        Raises:
            ModelError: these rows were made for prediction and have none.
        """
        if self.target is None:
            raise ModelError("These rows have no target.")
        return self.target

    @property
    def original_target(self) -> npt.NDArray[np.generic]:
        """(n,) the target on the original scale, or class codes.

        Raises:
            ModelError: these rows were made for prediction and have none.
        """
        return self.restore(self.known_target)

    def restore(self, outputs: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """What `Model.predict` gives for these rows -> the original scale; probabilities stay."""
        return outputs if self.windows is None else self.windows.restore(np.asarray(outputs, np.float64))

    def take(self, rows: Sequence[int] | IntArray | slice) -> Table:
        """The given rows, in the given order (a view where `rows` is a slice).

        Raises:
            ModelError: the rows are forecasts, and not whole windows of them.
        """
        positions = np.arange(len(self))[rows]
        return replace(
            self,
            numeric=self.numeric[rows],
            categorical=self.categorical[rows],
            embedding=self.embedding[rows],
            dense=self.dense[rows],
            target=None if self.target is None else self.target[rows],
            weight=None if self.weight is None else self.weight[rows],
            sequence=None if self.sequence is None else self.sequence.take(positions),
            windows=None if self.windows is None else self.windows.take_rows(positions),
        )
