"""Targets and outputs of the same rows, on the original scale: what every metric looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tuning.models import Table, Windows

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """n rows that are scored together.

    Attributes:
        y_true: (n,) targets on the original scale, or class codes.
        y_pred: (n,) values on the original scale, or (n, k) class probabilities.
        weight: (n,) row weights, or None.
        naive_error: (n,) error of the naive forecast of the row's series in training (`Windows.naive_error`);
            None but for forecasts, as are the next two.
        step: (n,) steps ahead of the origin, from 1.
        series: (n,) name of the row's series.
    """

    y_true: Array
    y_pred: Array
    weight: Array | None = None
    naive_error: Array | None = None
    step: Array | None = None
    series: Array | None = None

    @classmethod
    def of(cls, table: Table, outputs: Array) -> Self:
        """What a model gives for the rows of a table, beside their targets.

        Args:
            table: rows with a target.
            outputs: of `Model.predict`: (n,) on the scale of the table's target, or (n, k) probabilities.
        """
        y_pred = np.asarray(table.restore(outputs), dtype=np.float64)
        if table.windows is None:
            return cls(table.original_target, y_pred, table.weight)
        return cls(table.original_target, y_pred, table.weight, *_of_rows(table.windows))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """All rows of the parts, which are of one kind."""
        columns: dict[str, Any] = {}
        for field in fields(cls):
            arrays = [getattr(part, field.name) for part in parts]
            columns[field.name] = None if any(each is None for each in arrays) else np.concatenate(arrays)
        return cls(**columns)

    def __len__(self) -> int:
        return len(self.y_true)

    def take(self, rows: Array) -> Self:
        """The given rows: positions, or (n,) bool."""
        columns: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            columns[field.name] = None if column is None else column[rows]
        return type(self)(**columns)


def _of_rows(windows: Windows) -> tuple[Array, Array, Array]:
    """Naive error, step and series name of each row."""
    window = windows.window_of_row
    return windows.naive_error[window], windows.step_of_row, windows.panel.names[windows.series[window]]
