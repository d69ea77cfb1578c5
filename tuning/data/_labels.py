"""Labels of one column: how its values are written, learnt once and kept for every later file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data._missing import MARKS, WORDS, is_untyped
from tuning.data._numbers import NO_VALUES

_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.0+)?")
_PLAIN = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d+)?")
_CODE = re.compile(r"[0-9A-Za-z]+")
_NO_NUMBER_WRITTEN_SO = re.compile(r"0\d+|\d{16,}")  # float64 holds any whole number of 15 digits
LARGEST_EXACT = 2**53


@dataclass(frozen=True)
class LabelForm:
    """How the values of a column become labels.

    Attributes:
        numbers: 12, 12.0 and "12" are one label, as in a column learnt as numbers, and so are 1.5 and "1.50",
            where training did not hold both; else text is a label as it is written, and "0012" is another
            one than "12".
        missing: words that stand for a missing value.
        truths: the labels of false and true, where the column held these two; empty elsewhere.
        strings: they were strings in a file that has types, and are given back so though they be digits.
    """

    numbers: bool = False
    missing: tuple[str, ...] = ()
    truths: tuple[str, ...] = ()
    strings: bool = False

    @classmethod
    def infer(cls, column: pd.Series[Any], missing: Sequence[str] | None = None) -> LabelForm:
        """The form of a column to learn from.

        Args:
            column: (n,) values of training.
            missing: words for a missing value; None: marks in a file that says nothing of types, else none.
        """
        if missing is None:
            missing = tuple(sorted(MARKS)) if is_untyped(column) else ()
        _, labels = _values.distinct_labels(column, missing)
        strings = _values.is_words(column) and not is_untyped(column)
        return cls(_are_numbers(column, labels), tuple(missing), _truths(labels), strings)

    @classmethod
    def of_levels(cls, levels: Sequence[str]) -> LabelForm:
        """The form for labels that were kept without one, when words for missing counted everywhere."""
        return cls(bool(levels) and all(map(_WHOLE.fullmatch, levels)), tuple(sorted(WORDS)))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LabelForm:
        """From its `dataclasses.asdict`."""
        return cls(value["numbers"], tuple(value["missing"]), tuple(value["truths"]), value["strings"])

    def read(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """(n,) object: the labels, None where missing."""
        codes, labels = self.read_codes(column)
        read = np.array([*labels, None], dtype=object)[codes]
        return pd.Series(read, index=column.index, name=column.name, dtype=object)

    def read_codes(self, column: pd.Series[Any]) -> tuple[npt.NDArray[np.int64], list[str]]:
        """(n,) code of each label by first appearance, -1 where missing; and the label of each code."""
        codes, labels = _values.distinct_labels(column, self.missing)
        if not (self.numbers or self.truths):
            return codes, labels
        again, distinct = pd.factorize(np.array([*map(self._form, labels), None], dtype=object))
        return again[codes].astype(np.int64), list(distinct)

    def _form(self, label: str) -> str:
        if self.truths and label.casefold() in ("false", "true"):
            return self.truths[label.casefold() == "true"]
        return _as_number(label) if self.numbers else label


def are_codes(labels: Sequence[str]) -> bool:
    """Return whether labels are codes: letters and digits alone, some with zeros before or too many digits.

    >>> are_codes(["01067", "80331"]), are_codes(["01067", "1E5", "A7"]), are_codes(["10", "0.5"])
    (True, True, False)
    """
    written = [label for label in labels if label.casefold() not in NO_VALUES]
    return all(map(_CODE.fullmatch, written)) and any(map(_NO_NUMBER_WRITTEN_SO.fullmatch, written))


def _are_numbers(column: pd.Series[Any], labels: Sequence[str]) -> bool:
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return True
    if not labels or not all(map(_PLAIN.fullmatch, labels)):
        return False
    return len(set(map(_as_number, labels))) == len(labels) or all(map(_WHOLE.fullmatch, labels))


def _as_number(label: str) -> str:
    """A number as it is written shortest, all else as it is.

    >>> _as_number("12.0"), _as_number("1.50"), _as_number("0012"), _as_number("A7")
    ('12', '1.5', '0012', 'A7')
    """
    if _WHOLE.fullmatch(label):
        return str(int(label.partition(".")[0]))
    if label[:1] == "0" and label[1:2].isdigit():
        return label
    try:
        number = float(label)
    except ValueError:
        return label
    return str(number) if np.isfinite(number) else label


def _truths(labels: Sequence[str]) -> tuple[str, ...]:
    spelled = {label.casefold(): label for label in labels}
    return (
        (spelled["false"], spelled["true"]) if len(labels) == 2 and set(spelled) == {"false", "true"} else ()
    )
