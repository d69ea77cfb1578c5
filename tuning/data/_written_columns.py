"""Columns of text that are numbers or dates: what decides so, and what a person should know of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tuning.data import _values
from tuning.data._columns import ColumnSpec
from tuning.data._dates import DateGuess, infer_dates
from tuning.data._numbers import NumberGuess, infer_numbers
from tuning.data._offers import setting
from tuning.data.config import ColumnRole
from tuning.errors import DataError

SHARE_THAT_PARSES = 0.95  # of the values, for text to be read as numbers or dates
_NEARLY = 0.5  # of the values dates: a person should know why the column is not


@dataclass(frozen=True)
class GivenForms:
    """How numbers and dates are written, as the user gave it; None: by the values of each column."""

    decimal_comma: bool | None = None
    day_first: bool | None = None


BY_VALUES = GivenForms()


@dataclass(frozen=True)
class Decision:
    """What a column is, and what a person should know of why."""

    spec: ColumnSpec
    remark: str = ""


@dataclass(frozen=True)
class Found:
    """What is made of text: a decision, else the share of numbers or dates and what speaks against them."""

    decision: Decision | None = None
    share: str = ""
    doubt: str = ""

    @property
    def is_nearly(self) -> bool:
        """Whether so much is numbers or dates that a person should know why the column is not."""
        return bool(self.share)

    def explained(self, decision: Decision) -> str:
        """Return the remark on what became of the column instead, with why and what to do."""
        become = decision.remark or "read as categories"
        way_out = setting(f"data.roles.{decision.spec.name}", "categorical")
        return (
            f"{become}, though {self.share}, as {self.doubt} (write all alike, leave cells without a value "
            f"empty; {way_out} if they are categories)"
        )


def numbers_or_dates(column: pd.Series[Any], spec: ColumnSpec, forms: GivenForms) -> Found:
    """Decide whether a column of text is one of numbers or dates."""
    numbers = infer_numbers(column, forms.decimal_comma)
    if numbers.share >= SHARE_THAT_PARSES:
        return Found(_numbers_from_text(spec, column, numbers))
    dates = infer_dates(_values.with_value(column), forms.day_first, least=_NEARLY)
    if dates is not None and dates.share >= SHARE_THAT_PARSES:
        return Found(_dates(spec, dates))
    if numbers.is_nearly_numbers:
        return Found(None, f"{numbers.share:.0%} of its values are numbers", numbers.doubt)
    if dates is not None:
        return Found(None, f"{dates.share:.0%} of its values are dates", f"{dates.example!r} is no date")
    return Found()


def given_numbers(column: pd.Series[Any], spec: ColumnSpec, forms: GivenForms) -> Decision:
    """Return how a column with the role numeric is read.

    Raises:
        DataError: more than a few of its values are no numbers.
    """
    if not _values.is_words(column):
        return Decision(spec)
    guess = infer_numbers(column, forms.decimal_comma)
    if guess.share < SHARE_THAT_PARSES:
        wanted = "a number" + (f", as {guess.doubt}" if guess.units else "")
        check_values(column, spec.role, np.isfinite(_values.as_numbers(column, guess.format)), wanted)
    remark = f"read as numbers {guess.note}" if guess.note else ""
    return Decision(replace(spec, number=guess.format), remark)


def given_dates(column: pd.Series[Any], spec: ColumnSpec, forms: GivenForms) -> Decision:
    """Return how a column with the role datetime is read.

    Raises:
        DataError: more than a few of its values are no dates of one form.
    """
    guess = infer_dates(_values.with_value(column), forms.day_first, least=SHARE_THAT_PARSES)
    if guess is None:
        check_values(column, spec.role, np.zeros(len(column), dtype=bool), "a date in a known format")
        return Decision(spec)
    return _dates(spec, guess)


def check_values(column: pd.Series[Any], role: ColumnRole, good: Any, wanted: str) -> None:
    """Refuse a given role that more than a few values do not fit.

    Args:
        column: training values.
        role: as the user gave it.
        good: (n,) whether each value fits.
        wanted: what a value should be.

    Raises:
        DataError: the message shows a value that does not fit.
    """
    bad = _values.as_labels(column)[~good].dropna()
    if len(bad) > (1 - SHARE_THAT_PARSES) * len(column):
        value = str(bad.iloc[0])[:40]
        raise DataError(
            f"Column {column.name!r} has the role {role}, but {value!r} is not {wanted} "
            f"(nor are {len(bad)} of its {len(column)} training values)."
        )


def _numbers_from_text(spec: ColumnSpec, column: pd.Series[Any], guess: NumberGuess) -> Decision:
    numbers = _values.as_numbers(column, guess.format)
    lost = int((np.isnan(numbers) & _values.as_labels(column).notna().to_numpy()).sum())
    form = f", {guess.note}" if guess.note else ""
    remark = f"read as numbers from text{form}{_lost_values(lost, guess.example)}"
    return Decision(replace(spec, role=ColumnRole.NUMERIC, number=guess.format), remark)


def _dates(spec: ColumnSpec, guess: DateGuess) -> Decision:
    remark = f"read as dates {guess.note}{_lost_values(guess.lost, guess.example)}"
    return Decision(replace(spec, role=ColumnRole.DATETIME, date=guess.format), remark)


def _lost_values(count: int, example: str) -> str:
    shown = f" ({example[:40]!r})" if example else ""
    return f", with {count} values that are none as missing{shown}" if count else ""
