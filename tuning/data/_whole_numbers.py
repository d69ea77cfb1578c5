"""Whole numbers of records kept exact: beside a missing value, pandas makes them fractions of 53 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

_LARGEST_EXACT = 2.0**53


def frame_of(records: Sequence[Any], index: pd.Index[Any] | None = None) -> pd.DataFrame:
    """Return a table of records, in which whole numbers beyond 53 bits are exact beside missing ones."""
    frame = pd.DataFrame(records, index=index)
    large = [name for name in frame.columns if is_large(frame[name])]
    exact = {name: _exact([record.get(name) for record in records]) for name in large}
    return _with_columns(frame, exact)


def frame_of_columns(columns: dict[str, Any]) -> pd.DataFrame:
    """Return a table of columns that are lists, or records of their rows, likewise."""
    frame = pd.DataFrame(columns)
    large = [name for name in frame.columns if is_large(frame[name]) and isinstance(columns[name], list)]
    return _with_columns(frame, {name: _exact(columns[name]) for name in large})


def is_large(column: pd.Series[Any]) -> bool:
    """Whether fractions are too large for all whole numbers of their size to be told apart."""
    return column.dtype == np.float64 and bool((column.abs() > _LARGEST_EXACT).any())


def alike(chunks: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return chunks whose columns of whole numbers can be put below each other without becoming fractions."""
    whole = {name for chunk in chunks for name in chunk.columns if _is_large_whole(chunk[name])}
    return [
        _with_columns(chunk, {name: _as_whole(chunk[name]) for name in whole & set(chunk.columns)})
        for chunk in chunks
    ]


def _is_large_whole(column: pd.Series[Any]) -> bool:
    return types.is_integer_dtype(column.dtype) and bool((column.abs() > _LARGEST_EXACT).any())


def _as_whole(column: pd.Series[Any]) -> pd.Series[Any]:
    is_fraction = column.dtype == np.float64 and bool((column.dropna() % 1 != 0).any())
    return column if column.dtype == object or is_fraction else column.astype("Int64")


def _exact(values: Sequence[Any]) -> Any | None:
    """The values as whole numbers; None where some are none."""
    present = [value for value in values if value is not None]
    if not all(isinstance(value, int) for value in present):
        return None
    try:
        return pd.array(values, dtype="Int64")
    except OverflowError:
        return np.array(values, dtype=object)


def _with_columns(frame: pd.DataFrame, columns: dict[Any, Any]) -> pd.DataFrame:
    found = {name: column for name, column in columns.items() if column is not None}
    return frame.assign(**found) if found else frame
