"""Reading the values of one column as numbers, truth values, dates, labels, text or vectors.

Each reader looks at one value at a time and, what it needs to know of the column, is told: a value
reads the same in training, in validation and in a file that comes later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data._dates import DateFormat
from tuning.data._missing import MARKS, WORDS, is_untyped
from tuning.data._numbers import NumberFormat, infer_numbers
from tuning.data._untyped import plain_numbers

FloatArray = npt.NDArray[np.float64]
Column = pd.Series  # of any type

_TRUE, _FALSE = (
    frozenset({"true", "yes", "t", "y", "on", "1", "1.0"}),
    frozenset({"false", "no", "f", "n", "off", "0", "0.0"}),
)
_MICROSECONDS_PER_DAY = 86_400_000_000


def is_missing(value: object) -> bool:
    """Whether a single value stands for none: None, nan, NaT or pandas' NA."""
    return (
        value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
    )


def is_words(column: Column[Any]) -> bool:
    """Whether the column holds strings or objects rather than numbers, truth values or times."""
    dtype = column.dtype
    is_number = types.is_any_real_numeric_dtype(dtype) or types.is_bool_dtype(dtype)
    is_time = types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype)
    return not (is_number or is_time) or isinstance(dtype, pd.CategoricalDtype)


def has_value(column: Column[Any]) -> bool:
    """Whether any value is present, other than a word for a missing one."""
    return any(_label(value, WORDS) is not None for value in column.dropna())


def as_labels(column: Column[Any], missing: Collection[str] | None = None) -> Column[Any]:
    """(n,) object: each value as a stripped string, None where missing; 3 and 3.0 are both "3".

    Args:
        column: (n,) values.
        missing: words for a missing value; None: marks in a file that says nothing of types, else none.
    """
    codes, labels = distinct_labels(column, missing)
    read = np.array([*labels, None], dtype=object)[codes]
    return pd.Series(read, index=column.index, name=column.name, dtype=object)


def distinct_labels(
    column: Column[Any], missing: Collection[str] | None = None
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """(n,) code of each label by first appearance, -1 where missing; and the label of each code."""
    if missing is None:
        missing = MARKS if is_untyped(column) else ()
    if column.dtype == object:  # where 1 and True are two, and a list is no key
        first: npt.NDArray[np.intp] = np.arange(len(column))
        values: Any = column.to_numpy()
    else:
        first, values = pd.factorize(column, use_na_sentinel=True)
    labels_of = _text_labels if is_untyped(column) else _single_labels
    read = np.array([*labels_of(values, missing), None], dtype=object)
    again, labels = pd.factorize(read, use_na_sentinel=True)  # " a" and "a" are one
    return again[first].astype(np.int64), list(labels)


def _text_labels(values: Any, missing: Collection[str]) -> list[str | None]:
    """Return what `_label` makes of each text, all at once: there may be as many as there are rows."""
    text = pd.Series(values).str.strip()
    return [None if lost else label for label, lost in zip(text, text.isin([*missing, ""]), strict=True)]


def _single_labels(values: Any, missing: Collection[str]) -> list[str | None]:
    return [_label(value, missing) for value in values]


def _label(value: object, missing: Collection[str] = ()) -> str | None:
    if is_missing(value):
        return None
    if isinstance(value, float | np.floating):
        number = float(value)
        return (str(int(number)) if number.is_integer() else str(value)) if math.isfinite(number) else None
    if isinstance(value, dict | list | tuple | np.ndarray):
        return json.dumps(value, default=_jsonable, sort_keys=True)
    text = str(value).strip()
    return None if not text or text in missing else text


def _jsonable(value: object) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def as_numbers(column: Column[Any], form: NumberFormat | None = None) -> FloatArray:
    """(n,) float64: nan where missing, infinite or not a number; durations in seconds, dates in days."""
    if types.is_timedelta64_dtype(column.dtype):
        return np.asarray(column.dt.total_seconds(), dtype=np.float64)
    if types.is_datetime64_any_dtype(column.dtype):
        return days_since_epoch(DateFormat().read(column))
    form = form or NumberFormat()
    numbers = (
        plain_numbers(column) if is_untyped(column) and form.is_bare and not form.decimal_comma else None
    )
    return form.read(column) if numbers is None else np.where(np.isfinite(numbers), numbers, np.nan)


def with_value(column: Column[Any]) -> Column[Any]:
    """Return the rows of a column that have a value, other than a word for a missing one."""
    return column[as_labels(column).notna().to_numpy(dtype=bool)]


def learnt_numbers(column: Column[Any], decimal_comma: bool | None = None) -> FloatArray:
    """Return (n,) float64 of a column in the form that its values have; nan where missing or no number."""
    return as_numbers(column, infer_numbers(column, decimal_comma).format if is_words(column) else None)


def as_booleans(column: Column[Any]) -> FloatArray:
    """(n,) float64: 1 for true, yes, t, y, on and numbers but 0; 0 for the opposites; nan for all else."""
    if not is_words(column):
        numbers = as_numbers(column)
        return np.where(np.isnan(numbers), np.nan, (numbers != 0).astype(np.float64))
    codes, distinct = pd.factorize(as_labels(column), use_na_sentinel=True)
    values = [_truth(str(label)) for label in distinct]
    return np.array([*values, np.nan])[codes]


def _truth(label: str) -> float:
    word = label.casefold()
    return 1.0 if word in _TRUE else 0.0 if word in _FALSE else math.nan


def days_since_epoch(stamps: npt.NDArray[Any]) -> FloatArray:
    """(n,) float64 days since 1970-01-01, with the time of day as a fraction; nan for NaT."""
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / _MICROSECONDS_PER_DAY)


def as_text(column: Column[Any]) -> list[str]:
    """n strings, empty where missing."""
    return [label or "" for label in as_labels(column)]


def as_vectors(column: Column[Any], width: int) -> FloatArray:
    """(n, width) float64: lists of numbers, or their JSON; nan rows where missing or of another width."""
    out = np.full((len(column), width), np.nan)
    for row, value in enumerate(column):
        vector = _vector(value)
        if vector is not None and len(vector) == width:
            out[row] = vector
    return np.where(np.isfinite(out), out, np.nan)


def vector_width(column: Column[Any]) -> int | None:
    """The common length of the lists in the column; None where it holds anything else."""
    if not is_words(column):
        return None
    widths = set()
    for value in column:
        if is_missing(value):
            continue
        vector = _vector(value)
        if vector is None:
            return None
        widths.add(len(vector))
    return widths.pop() if len(widths) == 1 and 0 not in widths else None


def _vector(value: object) -> FloatArray | None:
    if isinstance(value, str):
        value = json_list(value)
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return vector if vector.ndim == 1 else None


def json_list(text: str) -> object:
    """The list that the text is JSON of, None where it is none."""
    if not text.lstrip().startswith("["):
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None
