"""Text of a file that says nothing of types, as numbers where all of it is plainly written ones.

It is a matter of form alone: what is a number here is the same number, and the same label, as its text. What
a column is for is decided elsewhere, on training rows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tuning.data._missing import is_untyped, without

_HEAD = 200  # values that are looked at before all are
_CODE = r"^[+-]?0\d"
_CODE_AMONG_OTHERS = r"^0\d+$"  # such as 01067 beside 1E5, which is no power there
_POINT = r"\."
_DOUBTFUL = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_FRACTION = r"[.eEnN]"
_BEYOND_64_BITS = 9.2e18


def typed_frame(frame: pd.DataFrame, as_text: Collection[str] = ()) -> pd.DataFrame:
    """The table with `typed` columns; of those in `as_text`, numbers with fractions stay as written."""
    columns: dict[str, pd.Series[Any]] = {}
    for name in frame.columns:
        read = typed(frame[name])
        columns[name] = frame[name] if name in as_text and read.dtype.kind == "f" else read
    return pd.DataFrame(columns, index=frame.index, copy=False) if columns else frame


def typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """Text as whole numbers, else as numbers, where every value is one; all else as it is.

    Words for missing values are missing among numbers. Whole numbers with zeros before them, and those of
    more digits than 64 bits hold, are no numbers but codes.
    """
    if not is_untyped(column) or not _may_be_numbers(column):
        return column
    text, values = _numbers_of(column)
    if values is None or text.null_count == len(text):
        return column
    whole = _cast(text, pa.int64()) if _cast(text.slice(0, _HEAD), pa.int64()) is not None else None
    if whole is not None:
        return column if _any(text, _CODE) else _whole_numbers(whole, column)
    numbers = values.to_numpy(zero_copy_only=False)
    if _may_be_thousands(text) or (_any(text, _CODE_AMONG_OTHERS) and not _any(text, _POINT)):
        return column
    if np.nanmax(np.abs(numbers)) >= _BEYOND_64_BITS and not _any(text, _FRACTION):
        return column
    return pd.Series(numbers, index=column.index, name=column.name, copy=False)


def _may_be_thousands(text: pa.Array) -> bool:
    """Whether all numbers are such as 1.234, of which no value tells whether it is 1234."""
    known = text.drop_null()
    matches = pc.match_substring_regex(known.slice(0, _HEAD), _DOUBTFUL)
    return bool(pc.all(matches).as_py()) and bool(pc.all(pc.match_substring_regex(known, _DOUBTFUL)).as_py())


def _numbers_of(column: pd.Series[Any]) -> tuple[pa.Array, pa.Array | None]:
    """The text without words for missing values, and as numbers; None where it is not all numbers."""
    text = _arrow(column)
    values = _cast(text, pa.float64())
    if values is None or pc.any(pc.is_nan(values)).as_py():
        text = _arrow(without(column))
        values = _cast(text, pa.float64())
    return text, values


def plain_numbers(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """(n,) float64, nan where missing; None where any value is not a plainly written number."""
    values = _cast(pc.utf8_trim_whitespace(_arrow(column)), pa.float64())
    return None if values is None else values.to_numpy(zero_copy_only=False).astype(np.float64)


def _arrow(column: pd.Series[Any]) -> pa.Array:
    values = pa.array(column, from_pandas=True)
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _may_be_numbers(column: pd.Series[Any]) -> bool:
    head = without(column.dropna().iloc[:_HEAD]).dropna()
    return not len(head) or _cast(_arrow(head), pa.float64()) is not None


def _whole_numbers(values: pa.Array, column: pd.Series[Any]) -> pd.Series[Any]:
    whole = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    if not values.null_count:
        return pd.Series(whole, index=column.index, name=column.name, copy=False)
    missing = values.is_null().to_numpy(zero_copy_only=False)
    return pd.Series(pd.arrays.IntegerArray(whole.copy(), missing), index=column.index, name=column.name)


def _any(text: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def _cast(text: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(text, kind)
    except pa.ArrowInvalid:
        return None
