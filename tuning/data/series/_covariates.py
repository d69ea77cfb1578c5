"""Deciding what the other columns of series are, and reading them by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data._dates import infer_dates
from tuning.data._numbers import NumberFormat, infer_numbers, number_from_json
from tuning.data.config import ColumnRole
from tuning.data.series._frequency import IntArray
from tuning.data.series._history import CovariateRole
from tuning.data.series._rows import labels_of

FloatArray = npt.NDArray[np.float64]

MOST_LEVELS = 16
_SHARE_THAT_PARSES = 0.95  # of the values, for text to be read as numbers or dates
_FEWEST_COUNTED = 5
_NAMES_IN_A_NOTE = 8
_TRUTHS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"on", "off"})
_ROLES = {
    ColumnRole.KNOWN: CovariateRole.KNOWN,
    ColumnRole.PAST: CovariateRole.PAST,
    ColumnRole.STATIC: CovariateRole.STATIC,
}
_AS_PAST = (
    "known only up to a forecast's origin (role past); where one is known for the time to come, give "
    "--known NAME or --set data.roles.NAME=known"
)
_AS_STATIC = "one value per series (role static)"


class Kind(StrEnum):
    """How the values of a column are read."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"


@dataclass(frozen=True)
class CovariateColumn:
    """How one column becomes covariates.

    Attributes:
        name: of the column in the file.
        role: what is known of it when a forecast is made.
        kind: how its values are read.
        number: form of numbers written as text.
        levels: of a category, one covariate of 0 and 1 for each.
    """

    name: str
    role: CovariateRole
    kind: Kind = Kind.NUMBER
    number: NumberFormat = field(default_factory=NumberFormat)
    levels: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> CovariateColumn:
        """From what `to_json` gave."""
        return cls(
            value["name"],
            CovariateRole(value["role"]),
            Kind(value["kind"]),
            number_from_json(value),
            tuple(value["levels"]),
        )

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """Names of the covariates that the column becomes."""
        if self.kind is Kind.CATEGORY:
            return tuple(f"{self.name}={level}" for level in self.levels)
        return (self.name,)

    def read(self, column: pd.Series[Any]) -> list[FloatArray]:
        """(n,) float64 per covariate, NaN where missing; of a level not seen before, all are 0."""
        if self.kind is Kind.NUMBER:
            return [_values.as_numbers(column, self.number)]
        if self.kind is Kind.BOOLEAN:
            return [_values.as_booleans(column)]
        codes, labels = labels_of(column)
        number = {label: float(k) for k, label in enumerate(self.levels)}
        level = np.array([*(number.get(str(label), -1.0) for label in labels), np.nan])[codes]
        missing = np.isnan(level)
        return [np.where(missing, np.nan, level == k) for k in range(len(self.levels))]


@dataclass(frozen=True)
class _Decision:
    """What becomes of a column: how it is read or, where it is dropped, why."""

    name: str
    column: CovariateColumn | None
    remark: str = ""


def decide_covariates(
    frame: pd.DataFrame,
    series: IntArray,
    roles: Mapping[str, ColumnRole],
    decimal_comma: bool | None = None,
) -> tuple[tuple[CovariateColumn, ...], tuple[str, ...]]:
    """How each column is read, and notes.

    Args:
        frame: (n,) rows to decide by, in the order of time within series, without target, time and series.
        series: (n,) code of the series.
        roles: as given; others are static where constant within every series, else past.
        decimal_comma: numbers in text are written as 1.234,5; None: told by the values.
    """
    decisions = [
        _decide(frame[name].infer_objects(), series, roles.get(name), decimal_comma)
        for name in map(str, frame)
    ]
    columns = tuple(decision.column for decision in decisions if decision.column is not None)
    return columns, _notes(decisions)


def _notes(decisions: Sequence[_Decision]) -> tuple[str, ...]:
    names: dict[str, list[str]] = defaultdict(list)
    for decision in decisions:
        if decision.remark:
            names[decision.remark].append(repr(decision.name))
    return tuple(f"{_listed(columns)}: {remark}." for remark, columns in names.items())


def _listed(names: list[str]) -> str:
    shown, hidden = ", ".join(names[:_NAMES_IN_A_NOTE]), len(names) - _NAMES_IN_A_NOTE
    return f"Column{'s' * (len(names) > 1)} {shown}" + (f" and {hidden} more" if hidden > 0 else "")


def _decide(
    column: pd.Series[Any], series: IntArray, role: ColumnRole | None, decimal_comma: bool | None
) -> _Decision:
    name = str(column.name)
    if role is ColumnRole.DROP:
        return _Decision(name, None)
    if not _values.has_value(column):
        return _Decision(name, None, "dropped, no row to learn from has a value")
    decision = _by_values(column, decimal_comma)
    if decision.column is None:
        return decision
    codes = _codes(column, decision.column)
    if not _varies(codes):
        return _Decision(name, None, "dropped, all rows to learn from hold one value")
    if role is None and _counts(column, decision.column, series):
        return _Decision(
            name,
            None,
            "dropped, as the numbers of rows (keep it by --set data.roles.NAME=known, past or static)",
        )
    return _with_role(decision, decision.column, codes, series, role)


def _with_role(
    decision: _Decision, spec: CovariateColumn, codes: FloatArray, series: IntArray, role: ColumnRole | None
) -> _Decision:
    is_static = _is_constant_within(codes, series)
    if role is not None:
        remark = decision.remark
        if role is ColumnRole.STATIC and not is_static:
            remark = "has the role static but changes within series: the first value counts"
        return _Decision(decision.name, replace(spec, role=_ROLES[role]), remark)
    if is_static:
        spec, remark = replace(spec, role=CovariateRole.STATIC), _AS_STATIC
    else:
        remark = _AS_PAST
    return _Decision(decision.name, spec, "; ".join(filter(None, (decision.remark, remark))))


def _codes(column: pd.Series[Any], spec: CovariateColumn) -> FloatArray:
    """(n,) one number per distinct value, NaN where missing."""
    if spec.kind is Kind.CATEGORY:
        codes = labels_of(column)[0].astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
    return spec.read(column)[0]


def _varies(codes: FloatArray) -> bool:
    known = codes[~np.isnan(codes)]
    return bool(len(known)) and bool((known != known[0]).any())


def _is_constant_within(codes: FloatArray, series: IntArray) -> bool:
    known = ~np.isnan(codes)
    by_series = pd.Series(codes[known]).groupby(series[known])
    return bool((by_series.max() == by_series.min()).all())


def _counts(column: pd.Series[Any], spec: CovariateColumn, series: IntArray) -> bool:
    """Whether whole numbers go up by one from row to row, over the file or within each series."""
    if spec.kind is not Kind.NUMBER or len(column) < _FEWEST_COUNTED:
        return False
    values = spec.read(column)[0]
    if np.isnan(values).any() or (values % 1 != 0).any():
        return False
    in_file = values[np.argsort(column.index.to_numpy(), kind="stable")]
    within = np.diff(values)[np.diff(series) == 0]
    return bool((np.diff(in_file) == 1).all() or (len(within) >= _FEWEST_COUNTED and (within == 1).all()))


def _by_values(column: pd.Series[Any], decimal_comma: bool | None) -> _Decision:
    name = str(column.name)
    spec = CovariateColumn(name, CovariateRole.PAST)
    if types.is_bool_dtype(column.dtype):
        return _Decision(name, replace(spec, kind=Kind.BOOLEAN))
    if types.is_datetime64_any_dtype(column.dtype):
        return _Decision(name, None, "dropped, as dates other than the time of the series")
    if not _values.is_words(column):
        return _Decision(name, spec)
    if _holds_lists(column):
        return _Decision(name, None, "dropped, as lists")
    return _by_words(column, spec, decimal_comma)


def _holds_lists(column: pd.Series[Any]) -> bool:
    if _values.vector_width(column) is not None:
        return True
    is_nested = column.dtype == object and column.map(
        lambda value: isinstance(value, dict | list | np.ndarray)
    )
    return bool(np.any(is_nested))


def _by_words(column: pd.Series[Any], spec: CovariateColumn, decimal_comma: bool | None) -> _Decision:
    _, labels = labels_of(column)
    distinct = pd.Series(labels, dtype="str", name=spec.name)
    if {label.casefold() for label in distinct} in _TRUTHS:
        return _Decision(spec.name, replace(spec, kind=Kind.BOOLEAN))
    guess = infer_numbers(distinct, decimal_comma)
    if guess.share >= _SHARE_THAT_PARSES:
        form = f"read as numbers {guess.note}" if guess.note else ""
        return _Decision(spec.name, replace(spec, number=guess.format), form)
    if infer_dates(distinct, least=_SHARE_THAT_PARSES) is not None:
        return _Decision(spec.name, None, "dropped, as dates other than the time of the series")
    doubt = f", though {guess.share:.0%} are numbers, as {guess.doubt}" if guess.is_nearly_numbers else ""
    if len(labels) > MOST_LEVELS:
        remark = f"dropped, as categories of more than {MOST_LEVELS} levels{doubt}"
        return _Decision(spec.name, None, remark)
    spec = replace(spec, kind=Kind.CATEGORY, levels=tuple(sorted(distinct)))
    return _Decision(spec.name, spec, f"read as categories{doubt}" if doubt else "")
