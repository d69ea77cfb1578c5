"""Forecasts put beside the rows that ask for them, each of which has one, if an empty one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._frame import labels_of_rows
from tuning.data.series._continue import Continuation
from tuning.data.series._read_series import SeriesColumns
from tuning.data.series._rows import plain

IntArray = npt.NDArray[np.int64]


def placed(
    labelled: pd.DataFrame,
    unanswered: pd.DataFrame,
    frame: pd.DataFrame,
    found: Continuation,
    spec: SeriesColumns,
    time: str,
) -> pd.DataFrame:
    """Give forecasts the index of their rows, and rows without a forecast an empty one.

    Args:
        labelled: forecasts, with columns of series, time, `step` and `prediction`.
        unanswered: columns of series and time of the rows that `Continuation.unanswered` names.
        frame: the rows handed over, at any index.
        found: what was read of them.
        spec: how they were read.
        time: name of the column of times.
    """
    series, step = found.unanswered
    first = _first_equals(spec.of(frame))
    is_first = first == np.arange(len(first))
    lost = np.flatnonzero(is_first & ~np.isin(first, found.history.rows))  # at the end, without a time
    parts = [labelled, _empty(unanswered), _empty(_of_lost(frame.iloc[lost], labelled, time))]
    together = pd.concat([part for part in parts if len(part)], ignore_index=True)
    rows = np.concatenate([found.rows, found.history.rows[series, step], lost])
    together, rows = _with_copies(together, rows, first)
    order = np.argsort(rows, kind="stable") if (rows >= 0).all() else np.arange(len(rows))
    ordered = together.iloc[order]
    return ordered.set_axis(labels_of_rows(frame.index, rows[order], ordered, time))


def _first_equals(frame: pd.DataFrame) -> IntArray:
    """(n,) the position of the first row that is equal to each."""
    values = plain(frame.reset_index(drop=True))
    if not values.duplicated().any():
        return np.arange(len(frame))
    groups = values.groupby(list(values.columns), dropna=False, sort=False, observed=True).ngroup()
    return np.unique(groups, return_index=True)[1][groups].astype(np.int64)


def _of_lost(rows: pd.DataFrame, labelled: pd.DataFrame, time: str) -> pd.DataFrame:
    series = [name for name in labelled.columns if name in rows.columns and name != time]
    return rows[series].reset_index(drop=True).assign(**{time: np.datetime64("NaT", "us")})


def _empty(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a step and a prediction that are missing."""
    return rows.assign(step=pd.array([pd.NA] * len(rows), "Int64"), prediction=np.nan)


def _with_copies(
    together: pd.DataFrame, rows: IntArray, first: IntArray
) -> tuple[pd.DataFrame, npt.NDArray[Any]]:
    """Repeat the predictions of rows that are given more than once."""
    copies = np.flatnonzero((first != np.arange(len(first))) & np.isin(first, rows))
    place = pd.Index(rows[rows >= 0]).get_indexer(pd.Index(first[copies]))
    repeated = np.concatenate([np.arange(len(rows)), np.flatnonzero(rows >= 0)[place]])
    return together.iloc[repeated], np.concatenate([rows, copies])
