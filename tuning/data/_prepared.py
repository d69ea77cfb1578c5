"""What a study knows of its data once it is prepared: folds of tables, and the transforms behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy.typing as npt
import pandas as pd

from tuning.data._class_labels import ClassLabel
from tuning.data._frame import Wanted
from tuning.data._losses import ColumnLoss
from tuning.data.config import ColumnRole
from tuning.errors import DataError
from tuning.metrics import Metric
from tuning.models import Schema, Table, Task

_P = TypeVar("_P")
_T = TypeVar("_T")


class Transform(Protocol):
    """What was fitted on the training part of one fold, and makes tables to predict for."""

    @property
    def schema(self) -> Schema:
        """Describes the tables that `apply` makes."""
        ...

    @property
    def wanted(self) -> Wanted:
        """The columns that `apply` looks for."""
        ...

    def apply(self, frame: pd.DataFrame | None) -> Table:
        """The table to predict for, without targets.

        Args:
            frame: rows as the file has them; of series their latest part, None for the end of the
                training data.

        Raises:
            DataError: there is nothing to predict for, or a column is missing.
        """
        ...

    def losses(self, frame: pd.DataFrame | None) -> tuple[ColumnLoss, ...]:
        """What of rows to predict for is not understood, column by column, beside the training rows."""
        ...

    def labels(self, predictions: npt.NDArray[Any], table: Table | None = None) -> pd.DataFrame:
        """Predictions as columns for a person.

        Args:
            predictions: (n,) on the original scale, or (n, k) class probabilities.
            table: the n rows that they are for, as `apply` made it; only forecasts need it.
        """
        ...

    def placed(self, labelled: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
        """Give what `labels` made the index of the rows that it is for.

        Args:
            labelled: predictions of what `apply` made of the frame.
            frame: rows at any index.

        Returns:
            The predictions in the order of the frame, a row for each of its rows; of series for each step
            that is forecast, and for each row to forecast that none reaches.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write into `folder` (created), without pickle."""
        ...


class FinalRows(StrEnum):
    """What a final fit trains on, when there is nothing left to choose."""

    TRAIN_VALID = "train+valid"
    ALL = "all"


@dataclass(frozen=True)
class Fold:
    """One training and validation part, and the test rows, all by the transform of this training part."""

    schema: Schema
    transform: Transform
    train: Table
    valid: Table
    test: Table


def paired(parts: Sequence[_P], kept: Sequence[Transform], kind: type[_T]) -> Sequence[tuple[_P, _T | None]]:
    """Pair each fold's parts with the transform that was fitted for it before, None where none was kept.

    Raises:
        DataError: there are not as many, or of another kind.
    """
    if not kept:
        return [(each, None) for each in parts]
    known = [transform for transform in kept if isinstance(transform, kind)]
    if len(known) != len(parts):
        raise DataError(
            f"The study folder holds the transforms of {len(kept)} folds, its splits are of {len(parts)}: "
            "they are not of one study; put the old folder back, or start a new study."
        )
    return list(zip(parts, known, strict=True))


@dataclass(frozen=True)
class PreparedData:
    """All that a study knows of its data.

    Attributes:
        task: kind of target.
        metric: what trials are scored by.
        classes: label of each class code, sorted; empty for regression and forecasting.
        folds: one for a holdout, k for cross-validation.
        splits: one line per row used: `row` (0-based position in the file), `part` (train, valid, test) and
            `fold` (the fold that a row of part valid is validated in, else -1).
        notes: sentences on what was inferred.
        roles: what each column but the target is for; of the first fold, where folds differ.
    """

    task: Task
    metric: Metric
    classes: tuple[ClassLabel, ...]
    folds: tuple[Fold, ...]
    splits: pd.DataFrame
    notes: tuple[str, ...]
    roles: dict[str, ColumnRole]
