"""What of a table of series is not understood: series and levels that training did not have, other text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tuning.data._losses import ColumnLoss
from tuning.data._missing import blanked
from tuning.data.series._covariates import CovariateColumn, Kind
from tuning.data.series._rows import series_of
from tuning.data.series._series_columns import SeriesColumns

_WHAT = {
    Kind.CATEGORY: "a value that training did not have",
    Kind.NUMBER: "a value that is no number of the form that training had",
    Kind.BOOLEAN: "a value that is neither true nor false",
}


def losses_of_series(spec: SeriesColumns, seen: Sequence[str], frame: pd.DataFrame) -> tuple[ColumnLoss, ...]:
    """Return what is lost in the columns that a table has.

    Covariates that are not known yet are empty by right: gaps do not count.

    Args:
        spec: how the columns are read.
        seen: names of the series that training had.
        frame: (n,) rows.

    Raises:
        DataError: names of series could not be taken apart.
    """
    frame = blanked(frame[[name for name in spec.names if name in frame.columns]], spec.missing)
    covariates = [column for column in spec.covariates if column.name in frame.columns]
    losses = [loss for column in covariates if (loss := _of_covariate(column, frame[column.name]))]
    if spec.series and set(spec.series) <= set(frame.columns):
        losses += _of_series(spec, seen, frame)
    return tuple(losses)


def _of_covariate(column: CovariateColumn, values: pd.Series[Any]) -> ColumnLoss | None:
    lost, given = column.lost_of(values)
    if not given.any():
        return None
    example = str(values.iloc[int(lost.argmax())]) if lost.any() else ""
    count = int(given.sum())
    share = float(lost.sum() / count)
    return ColumnLoss(column.name, _WHAT[column.kind], share, 0.0, column.lost, 0.0, count, example)


def _of_series(spec: SeriesColumns, seen: Sequence[str], frame: pd.DataFrame) -> list[ColumnLoss]:
    _, names = series_of(frame, spec.series, spec.labels)
    known = set(seen)
    unseen = [name for name in names if name not in known]
    if not unseen:
        return []
    return [
        ColumnLoss(
            name=", ".join(spec.series),
            what="a label that training did not have",
            lost=len(unseen) / len(names),
            missing=0.0,
            lost_before=0.0,
            missing_before=0.0,
            rows=len(names),
            example=unseen[0],
            unit="series",
        )
    ]
