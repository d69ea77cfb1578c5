"""What of a table is not understood: values that training did not know, or that cannot be read, and gaps.

A model predicts from what is left without a word, so that it is counted, and compared with training.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _columns, _values
from tuning.data._columns import ColumnSpec
from tuning.data._missing import WORDS
from tuning.data._numbers import NO_VALUES
from tuning.data.config import ColumnRole
from tuning.errors import DataError

_LOGGER = logging.getLogger(__name__)
Bools = npt.NDArray[np.bool_]

MORE_THAN_IN_TRAINING = 0.1  # of the rows, from which on it is said
NEARLY_ALL = 0.9  # of what is expected to be understood, from which on rows are refused
FEWEST_EXPECTED = 10  # rows to be understood: of fewer, chance may leave none
_STANDARD_ERRORS = 3  # of a share, that chance seldom exceeds
_COLUMNS_SHOWN = 5
_WHAT = {
    ColumnRole.CATEGORICAL: "a value that training did not have",
    ColumnRole.NUMERIC: "a value that is no number of the form that training had",
    ColumnRole.DATETIME: "a value that is no date of the form that training had",
    ColumnRole.BOOLEAN: "a value that is neither true nor false",
    ColumnRole.EMBEDDING: "a value that is no list of numbers of the length that training had",
    ColumnRole.SEQUENCE: "a value that is no list of steps as training had",
}


@dataclass(frozen=True)
class ColumnLoss:
    """What of one column is not understood.

    Attributes:
        name: of the column.
        what: of a value that is lost, to follow "hold".
        lost: share of the rows with a value that is not understood.
        missing: share of the rows without a value.
        lost_before: the share of lost ones in training.
        missing_before: the share of missing ones in training.
        rows: number of rows.
        example: a value that is lost; empty for none.
        unit: what is counted: rows, or series.
    """

    name: str
    what: str
    lost: float
    missing: float
    lost_before: float
    missing_before: float
    rows: int
    example: str = ""
    unit: str = "rows"

    @property
    def is_notable(self) -> bool:
        """Whether clearly more is lost or missing than in training; gaps of a few rows tell nothing."""
        more_missing = self._is_more(self.missing, self.missing_before)
        return self._is_more(self.lost, self.lost_before) or (more_missing and self.rows >= FEWEST_EXPECTED)

    def _is_more(self, share: float, before: float) -> bool:
        """Whether a share is a tenth above that of training, and more than so few rows have by chance."""
        chance = _STANDARD_ERRORS * math.sqrt(before * (1 - before) / self.rows)
        return share - before >= max(MORE_THAN_IN_TRAINING, chance)

    @property
    def is_fatal(self) -> bool:
        """Whether nearly all is lost of a column that training understood."""
        before = 1 - self.lost_before - self.missing_before
        now = 1 - self.lost - self.missing
        is_lost = self.rows * before >= FEWEST_EXPECTED and now <= (1 - NEARLY_ALL) * before
        return is_lost and self.is_notable

    def __str__(self) -> str:
        parts = []
        if self._is_more(self.lost, self.lost_before) or self.lost > self.missing:
            shown = f", as {self.example[:40]!r}" if self.example else ""
            parts.append(f"{self.lost:.0%} of {self.rows:,} {self.unit} hold {self.what}{shown}")
        if self._is_more(self.missing, self.missing_before):
            of_rows = "" if parts else f" of {self.rows:,} rows"
            parts.append(f"{self.missing:.0%}{of_rows} have no value ({self.missing_before:.0%} in training)")
        return f"column {self.name!r}: {' and '.join(parts)}"


def warnings_of(losses: Sequence[ColumnLoss]) -> list[str]:
    """Return one sentence for each column that has lost clearly more than in training, the worst first."""
    notable = sorted((loss for loss in losses if loss.is_notable), key=lambda loss: -loss.lost - loss.missing)
    lines = [f"Not understood: {loss}." for loss in notable[:_COLUMNS_SHOWN]]
    hidden = notable[_COLUMNS_SHOWN:]
    if hidden:
        names = ", ".join(repr(loss.name) for loss in hidden[:_COLUMNS_SHOWN])
        lines.append(f"Likewise in {len(hidden)} more columns: {names}{', ...' * (len(hidden) > 5)}.")
    return lines


def check_losses(losses: Sequence[ColumnLoss], *, allow_unknown: bool) -> None:
    """Warn of what of a table to predict for is not understood, and refuse one of which a column is lost.

    Args:
        losses: of the columns.
        allow_unknown: predict all the same.

    Raises:
        DataError: nearly all of a column is lost; the message names it, and how to predict all the same.
    """
    if not allow_unknown:
        _refuse(losses)
    for line in warnings_of(losses):
        _LOGGER.warning("%s", line)


def _refuse(losses: Sequence[ColumnLoss]) -> None:
    fatal = [loss for loss in losses if loss.is_fatal]
    if not fatal:
        return
    shown = "; ".join(map(str, fatal[:_COLUMNS_SHOWN]))
    hidden = len(fatal) - _COLUMNS_SHOWN
    more = f"; and {hidden} more columns" if hidden > 0 else ""
    raise DataError(
        f"Predictions would not depend on what the model learnt from {shown}{more}: write the values as in "
        "the data of the study, or give --allow-unknown (allow_unknown=True in Python) to go on without them."
    )


def losses_of(
    specs: Sequence[ColumnSpec], levels: Sequence[Sequence[str]], frame: pd.DataFrame
) -> tuple[ColumnLoss, ...]:
    """Return what is lost in each feature; of text, of which any is understood in part, gaps alone.

    Args:
        specs: how columns are read.
        levels: of each categorical column.
        frame: (n,) rows, n > 0.
    """
    known = dict(
        zip((spec.name for spec in _columns.with_role(specs, ColumnRole.CATEGORICAL)), levels, strict=True)
    )
    features = [spec for spec in specs if spec.role in _columns.FEATURE_ROLES]
    return tuple(_loss(spec, frame[spec.name], known.get(spec.name, ())) for spec in features)


def _loss(spec: ColumnSpec, column: pd.Series[Any], levels: Sequence[str]) -> ColumnLoss:
    lost, missing = _cells(spec, column, levels)
    example = str(column.iloc[int(lost.argmax())]) if lost.any() else ""
    shares = float(lost.mean()), float(missing.mean()), spec.lost, spec.missing
    return ColumnLoss(spec.name, _WHAT.get(spec.role, ""), *shares, len(column), example)


def _cells(spec: ColumnSpec, column: pd.Series[Any], levels: Sequence[str]) -> tuple[Bools, Bools]:
    """(n,) whether a value is there and not understood, and (n,) whether there is none."""
    if spec.role is ColumnRole.CATEGORICAL:
        codes = _columns.read_codes(spec, column, levels)
        return codes == _columns.UNSEEN, codes == _columns.MISSING
    if spec.is_text:
        return np.zeros(len(column), dtype=bool), spec.read_labels(column).isna().to_numpy(dtype=bool)
    missing = ~_READ[spec.role](spec, column)
    lost = missing.copy()
    missing[lost] = _is_missing(column[lost])  # the others have a value, as they were read
    return lost & ~missing, missing


def _is_missing(column: pd.Series[Any]) -> Bools:
    if not _values.is_words(column):
        return np.asarray(column.isna(), dtype=bool)
    codes, labels = _values.distinct_labels(column, WORDS)
    return np.array([*(label.casefold() in NO_VALUES for label in labels), True], dtype=bool)[codes]


def _has_numbers(spec: ColumnSpec, column: pd.Series[Any]) -> Bools:
    return np.asarray(np.isfinite(spec.numbers(column)[:, 0]))


def _has_dates(spec: ColumnSpec, column: pd.Series[Any]) -> Bools:
    return np.asarray(~np.isnat(spec.date.read(column)))


def _has_vectors(spec: ColumnSpec, column: pd.Series[Any]) -> Bools:
    return np.asarray(np.isfinite(spec.vectors(column)).any(axis=1))


def _has_steps(spec: ColumnSpec, column: pd.Series[Any]) -> Bools:
    lengths = spec.numbers(column)[:, -1]
    given = column.map(lambda value: str(value).strip() not in ("[]", ""))  # no steps are a sequence as well
    return np.asarray((lengths > 0) | ~given.to_numpy(dtype=bool))


_READ: dict[ColumnRole, Callable[[ColumnSpec, pd.Series[Any]], Bools]] = {
    ColumnRole.NUMERIC: _has_numbers,
    ColumnRole.BOOLEAN: _has_numbers,
    ColumnRole.DATETIME: _has_dates,
    ColumnRole.EMBEDDING: _has_vectors,
    ColumnRole.SEQUENCE: _has_steps,
}


def with_losses(
    specs: Sequence[ColumnSpec], levels: Sequence[Sequence[str]], frame: pd.DataFrame
) -> tuple[ColumnSpec, ...]:
    """Return the columns with what training itself has lost.

    Of labels that is the share of rows to expect with a label that training did not have: by Good and
    Turing, the share of training rows whose label is there once.
    """
    found = {loss.name: loss for loss in losses_of(specs, levels, frame)}
    return tuple(
        replace(spec, lost=_expected(spec, frame, found[spec.name]), missing=found[spec.name].missing)
        if spec.name in found
        else spec
        for spec in specs
    )


def _expected(spec: ColumnSpec, frame: pd.DataFrame, loss: ColumnLoss) -> float:
    if spec.role is not ColumnRole.CATEGORICAL:
        return loss.lost
    counts = spec.read_labels(frame[spec.name]).value_counts()
    return float((counts == 1).sum() / len(frame))
