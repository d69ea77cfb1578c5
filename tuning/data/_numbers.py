"""Numbers as people write them: the form of a column, learnt in training, that later text is read by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data._written import Written, take_apart

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NO_VALUES = frozenset(
    {
        "",
        "?",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "nan",
        "null",
        "<na>",
        "nat",
        "none",
        "-",
        "--",
        "\u2013",
        "\u2014",
    }
    | {"missing", "unknown", "inf", "-inf", "+inf", ".", "#div/0!", "#value!", "#ref!", "#name?", "#num!"}
)  # words that a column of numbers may hold where it has none
_CURRENCIES = frozenset("$€£₹¥%")
_MAGNITUDES = frozenset(
    {"k", "K", "m", "M", "b", "B", "T", "mn", "mm", "MM", "bn", "tn", "Cr", "cr"}
    | {"mio", "mrd", "mln", "mld", "tsd", "bio", "lac", "lakh", "crore", "thousand", "million", "billion"}
)  # they change the number: beside numbers without one, they are no unit
_UNITS_IN_A_NOTE = 4
_NEARLY = 0.5
_SAMPLE = 500  # of the distinct values: where none of them is a number, there is no need to look at all


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one column are written.

    Attributes:
        decimal_comma: 1.234,5 rather than 1,234.5.
        unit: the currency or unit beside the numbers, empty for none; None: not learnt, a sign of a currency
            or percent is passed over.
        is_bare: numbers without the unit are read as well.
    """

    decimal_comma: bool = False
    unit: str | None = None
    is_bare: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> NumberFormat:
        """Return what `to_json` gave; entries that are missing have their defaults."""
        return cls(**value)

    def read(self, column: pd.Series[Any]) -> FloatArray:
        """Return (n,) float64: nan where missing, infinite, or not written so.

        Args:
            column: text, numbers, or both; numbers are taken as they are.
        """
        if _is_numeric(column):
            return _finite(column.to_numpy(dtype=np.float64, na_value=np.nan))
        codes, distinct = _distinct(column)
        return np.append(self._read_distinct(distinct), np.nan)[codes]  # code -1, missing, is the last

    def _read_distinct(self, distinct: Any) -> FloatArray:
        texts = list(distinct)
        numbers = _plain_numbers(distinct) if not self.decimal_comma else np.full(len(texts), np.nan)
        if not self.is_bare:
            numbers = np.where([isinstance(text, str) for text in texts], np.nan, numbers)
        for place in np.flatnonzero(np.isnan(numbers)):
            numbers[place] = self.value(texts[place])
        return _finite(numbers)

    def value(self, value: object) -> float:
        """Return one value as a number, nan where it is not written so."""
        if not isinstance(value, str):
            return float(value) if isinstance(value, Real | Decimal) else math.nan
        written = take_apart(value)
        return math.nan if written is None or not self.fits(written) else written.value(self.decimal)

    def fits(self, written: Written) -> bool:
        """Return whether a number has the unit of the column, or none where those are read as well."""
        if not written.unit:
            return self.is_bare
        return written.unit in _CURRENCIES if self.unit is None else written.unit == self.unit

    @property
    def decimal(self) -> str:
        """The sign before the fraction."""
        return "," if self.decimal_comma else "."


def number_from_json(spec: dict[str, Any]) -> NumberFormat:
    """Return the entry `number` of a column's JSON, or what was kept before it: `decimal_comma`."""
    return NumberFormat.from_json(spec.get("number") or {"decimal_comma": spec.get("decimal_comma", False)})


@dataclass(frozen=True)
class NumberGuess:
    """The form that fits a column best, and what a person should know of it.

    Attributes:
        format: reads the column, and all that come later.
        share: of the rows with a value, those that are numbers by it.
        note: what was decided, to stand behind "read as numbers"; empty for plain numbers.
        example: the first value that is no number; empty where all are.
        units: the units found, where they are several and half of the values are numbers with one of them.
    """

    format: NumberFormat
    share: float
    note: str = ""
    example: str = ""
    units: tuple[str, ...] = ()

    @property
    def is_nearly_numbers(self) -> bool:
        """Whether so many of the values are numbers that a person should know why the column is not."""
        return self.share >= _NEARLY or bool(self.units)

    @property
    def doubt(self) -> str:
        """Why the column cannot be read as numbers, as part of a sentence; empty where nothing speaks so."""
        if self.units:
            shown = ", ".join(map(repr, self.units[:_UNITS_IN_A_NOTE]))
            more = len(self.units) - _UNITS_IN_A_NOTE
            return f"its numbers have several units ({shown}{f' and {more} more' if more > 0 else ''})"
        return f"{self.example!r} is not a number" if self.example else ""


def infer_numbers(column: pd.Series[Any], decimal_comma: bool | None = None) -> NumberGuess:
    """Return the form of the numbers of a column, by all of its values.

    Args:
        column: training values; None where missing. Words such as `unknown` count neither way.
        decimal_comma: as the user gave it; None: by the values.
    """
    if _is_numeric(column):
        return NumberGuess(NumberFormat(unit=""), 1.0 if column.notna().any() else 0.0)
    if column.dtype == object and (real := column.map(_is_number)).any():  # these tell nothing of the text
        guess = infer_numbers(column[~real], decimal_comma)
        others, numbers = int(column[~real].notna().sum()), int(real.sum())
        return replace(guess, share=(guess.share * others + numbers) / (others + numbers))
    codes, distinct = _distinct(column.dropna())
    counts = np.bincount(codes, minlength=len(distinct))
    if not decimal_comma and not np.isnan(_plain_numbers(distinct)).any() and len(distinct):
        return _plain_guess(distinct, decimal_comma)
    texts = [str(value).strip() for value in distinct]
    sample = texts[:: max(len(texts) // _SAMPLE, 1)]
    if len(texts) > _SAMPLE and not any(map(take_apart, sample)):
        return NumberGuess(NumberFormat(unit=""), 0.0, example=texts[0])
    return _guess(texts, counts, decimal_comma)


def _plain_guess(distinct: Any, decimal_comma: bool | None) -> NumberGuess:
    """Numbers such as 12, -0.5 and 1e3; in doubt only where every fraction has three digits, as 1.234."""
    text = pd.Series(distinct).astype("str")
    with_point = text[text.str.contains(".", regex=False)]
    doubtful = (
        decimal_comma is None
        and len(with_point) > 1
        and bool(with_point.str.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}").all())
    )
    form = NumberFormat(unit="")
    return NumberGuess(form, 1.0, _doubtful_note(with_point.iloc[0], form) if doubtful else "")


def _guess(texts: Sequence[str], counts: IntArray, decimal_comma: bool | None) -> NumberGuess:
    parts = [take_apart(text) for text in texts]
    readings = {sign: _values(parts, sign) for sign in (".", ",")}
    comma = _prefers_comma(readings, counts) if decimal_comma is None else decimal_comma
    numbers = readings["," if comma else "."]

    form, units = _with_unit(NumberFormat(comma, unit=""), parts, ~np.isnan(numbers) * counts)
    fits = np.array([part is not None and form.fits(part) for part in parts], dtype=bool)
    good = ~np.isnan(numbers) & fits
    present = np.array([text.casefold() not in NO_VALUES for text in texts], dtype=bool)
    n_present = max(counts[present].sum(), 1)
    share = float(counts[good].sum() / n_present)
    if counts[~np.isnan(numbers)].sum() < _NEARLY * n_present:
        units = ()  # some labels begin with a digit

    bad = np.flatnonzero(present & ~good)
    example = texts[bad[0]] if len(bad) else ""
    notes = (
        _decimal_note(form, texts, readings, counts, good) if decimal_comma is None else "",
        _unit_note(form, parts, np.where(good, counts, 0)),
    )
    return NumberGuess(form, share, ", ".join(filter(None, notes)), example, units)


def _values(parts: Sequence[Written | None], decimal: str) -> FloatArray:
    return _finite(np.array([math.nan if part is None else part.value(decimal) for part in parts]))


def _prefers_comma(readings: dict[str, FloatArray], counts: IntArray) -> bool:
    """Return whether more rows are numbers with a decimal comma than with a decimal point."""
    rows = {sign: int(counts[~np.isnan(values)].sum()) for sign, values in readings.items()}
    return rows[","] > rows["."]


def _with_unit(
    form: NumberFormat, parts: Sequence[Written | None], rows: IntArray
) -> tuple[NumberFormat, tuple[str, ...]]:
    """Return the format with the unit of most numbers, and the units where there are several."""
    found: Counter[str] = Counter()
    for part, count in zip(parts, rows, strict=True):
        if part is not None and count:
            found[part.unit] += int(count)
    bare = found.pop("", 0)
    units = tuple(unit for unit, _ in found.most_common())
    if not units:
        return form, ()

    unit = units[0]
    if bare > found[unit] and (unit in _MAGNITUDES or len(units) > 1):
        return form, units if len(units) > 1 else ()
    return replace(form, unit=unit, is_bare=_is_bare(unit, bare)), units if len(units) > 1 else ()


def _is_bare(unit: str, bare: int) -> bool:
    """Return whether numbers without the unit are read: 0.05 is not 5 %, and 7 is not 7 K, unless seen so."""
    return unit not in _MAGNITUDES and (unit != "%" or bare > 0)


def _decimal_note(
    form: NumberFormat,
    texts: Sequence[str],
    readings: dict[str, FloatArray],
    counts: IntArray,
    good: npt.NDArray[np.bool_],
) -> str:
    both = good & ~np.isnan(readings["."]) & ~np.isnan(readings[","])
    in_doubt = np.flatnonzero(both & (readings["."] != readings[","]))
    decided = good & np.isnan(readings["." if form.decimal_comma else ","])
    if len(in_doubt) and not decided.any():
        return _doubtful_note(texts[in_doubt[0]], form)
    if form.decimal_comma and decided.any():
        first = int(np.flatnonzero(decided)[0])
        return f"with decimal commas ({texts[first]!r} is {readings[','][first]:g})"
    return ""


def _doubtful_note(text: str, form: NumberFormat) -> str:
    written = take_apart(text)
    if written is None:
        return ""
    other = "," if form.decimal == "." else "."
    switch = str(not form.decimal_comma).lower()
    return (
        f"where {text!r} is {written.value(form.decimal):.12g}, though no value tells whether it is "
        f"{written.value(other):.12g} (then set data.decimal_comma={switch})"
    )


def _unit_note(form: NumberFormat, parts: Sequence[Written | None], rows: IntArray) -> str:
    if not form.unit:
        return ""
    bare = sum(int(n) for part, n in zip(parts, rows, strict=True) if part is not None and not part.unit)
    kept = "in percent (5 % is 5)" if form.unit == "%" else f"in {form.unit!r}"
    return f"{kept}, as are the {bare} of {int(rows.sum())} without it" if bare else kept


def _plain_numbers(distinct: Any) -> FloatArray:
    """Return (k,) float64 of 12, -0.5 and 1e3; nan for all that is written otherwise."""
    values = pd.to_numeric(pd.Series(distinct), errors="coerce")
    return _finite(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _is_numeric(column: pd.Series[Any]) -> bool:
    """Return whether the dtype is one of numbers or truth values; a category of numbers is text."""
    dtype = column.dtype
    return types.is_any_real_numeric_dtype(dtype) or types.is_bool_dtype(dtype)


def _distinct(column: pd.Series[Any]) -> tuple[IntArray, Any]:
    """Return the (n,) code of each value, -1 where missing, and the distinct values."""
    if not isinstance(column.dtype, pd.StringDtype):
        column = column.astype(object).map(_hashable)
    return pd.factorize(column, use_na_sentinel=True)


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and value == value  # nan is not


def _hashable(value: object) -> object:
    """Return text and numbers as they are, lists and other objects as text, None where missing."""
    if isinstance(value, str | Real | Decimal):
        return value
    return None if value is None or value is pd.NA or value is pd.NaT else str(value)


def _finite(numbers: FloatArray) -> FloatArray:
    return np.where(np.isfinite(numbers), numbers, np.nan)
