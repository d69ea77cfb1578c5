"""Words for missing values: which there are, where they count, and cells that hold them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

TEXT = pd.StringDtype("pyarrow")
"""Of columns whose file says nothing of types: text as it was written, stripped, empty cells missing."""

MARKS = frozenset({"?", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT"})
"""Written by programs for a missing value: no person names a region or a class so."""

_STEMS = ("na", "n/a", "#n/a", "nan", "null", "<na>", "nat", "none", "?")
WORDS = MARKS | {form for stem in _STEMS for form in (stem, stem.upper(), stem.capitalize(), stem.title())}
"""All that may stand for a missing value: it does among numbers, dates and truth values; as a label it may
be a name, as `NA` is of Namibia."""


def is_untyped(column: pd.Series[Any]) -> bool:
    """Whether the column is text of a file that says nothing of types."""
    return bool(column.dtype == TEXT)


def words_in(column: pd.Series[Any], words: Collection[str] = WORDS) -> tuple[str, ...]:
    """Which of the words the column holds, sorted."""
    return tuple(sorted(column[_cells(column, words)].astype(str).str.strip().unique()))


def without(column: pd.Series[Any], words: Collection[str] = WORDS) -> pd.Series[Any]:
    """The column with cells that hold one of the words missing."""
    cells = _cells(column, words)
    return column.mask(cells) if cells.any() else column


def blanked(frame: pd.DataFrame, words: Collection[str]) -> pd.DataFrame:
    """The table with cells missing that hold one of the words, or the number that a word is."""
    if not words:
        return frame
    columns = {name: _blanked(frame[name], words) for name in frame.columns}
    return frame.assign(**{str(name): column for name, column in columns.items()})


def _blanked(column: pd.Series[Any], words: Collection[str]) -> pd.Series[Any]:
    if types.is_bool_dtype(column.dtype) or not types.is_numeric_dtype(column.dtype):
        return without(column, words)
    numbers = pd.to_numeric(pd.Series(sorted(words), dtype=object), errors="coerce").dropna()
    cells = column.isin(numbers.tolist()).fillna(False)
    return column.mask(cells) if cells.any() else column


def _cells(column: pd.Series[Any], words: Collection[str]) -> npt.NDArray[np.bool_]:
    """(n,) whether a cell holds one of the words, spaces around it aside."""
    if isinstance(column.dtype, pd.StringDtype):
        stripped = column if is_untyped(column) else column.str.strip()
        return np.asarray(stripped.isin(list(words)), dtype=bool)
    if isinstance(column.dtype, pd.CategoricalDtype):
        wanted = [level for level in column.cat.categories if _is_one_of(level, words)]
        return np.asarray(column.isin(wanted), dtype=bool)
    if column.dtype != object:
        return np.zeros(len(column), dtype=bool)
    return np.fromiter((_is_one_of(value, words) for value in column), dtype=bool, count=len(column))


def _is_one_of(value: object, words: Collection[str]) -> bool:
    return isinstance(value, str) and value.strip() in words
