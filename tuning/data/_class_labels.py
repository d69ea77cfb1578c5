"""Labels of classes as they were given, and the cells of a target that stand for a missing one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data._labels import LabelForm, are_codes
from tuning.data._missing import is_untyped, without, words_in
from tuning.data._numbers import infer_numbers
from tuning.data._offers import missing_words
from tuning.data._untyped import typed
from tuning.data.config import TaskKind

ClassLabel = str | int | bool

_TRUTHS = frozenset({"true", "false"})


def plain_target(
    column: pd.Series[Any], kind: TaskKind | None, missing: Sequence[str] | None
) -> pd.Series[Any]:
    """The target as numbers or truth values where it holds these, else as labels; None where missing.

    Args:
        column: (n,) targets as read.
        kind: as the user gave it; None: told by the values.
        missing: words for a missing value; None: by the rule.
    """
    column = typed(column)
    if not _values.is_words(column):
        return column
    plain = without(column)
    labels = set(_values.as_labels(plain).dropna())
    if labels and {label.casefold() for label in labels} == _TRUTHS and is_untyped(column):
        return _truth_values(plain) if labels == {"True", "False"} or len(labels) > 2 else plain
    if kind is TaskKind.REGRESSION or (infer_numbers(plain).share == 1.0 and not are_codes([*labels])):
        return plain
    return LabelForm.infer(column, missing).read(column)


def _truth_values(column: pd.Series[Any]) -> pd.Series[Any]:
    words = _values.as_labels(column)
    read = [None if word is None else word.casefold() == "true" for word in words]
    return pd.Series(read, index=column.index, name=column.name, dtype=object)


def class_labels(column: pd.Series[Any]) -> list[Any]:
    """Return the labels as given: bools, whole numbers as int, and all else as strings."""
    if types.is_bool_dtype(column.dtype):
        return [bool(value) for value in column]
    if types.is_integer_dtype(column.dtype):
        return [int(value) for value in column]
    if types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64)
        if (numbers % 1 == 0).all():
            return [int(value) for value in numbers]
    return list(_values.as_labels(column, ()))


def note_on_words(name: str, classes: Sequence[ClassLabel], given: Sequence[str] | None = None) -> str:
    """Return a note where a class has a name that may stand for a missing target; empty for none."""
    words = words_in(pd.Series([label for label in classes if isinstance(label, str)], dtype="str"))
    if not words:
        return ""
    shown = ", ".join(map(repr, words))
    way_out = missing_words([*words, *(given or ())])
    return (
        f"The target {name!r} has the class{'es' * (len(words) > 1)} {shown}: where that is no class but a "
        f"missing target, give {way_out}."
    )
