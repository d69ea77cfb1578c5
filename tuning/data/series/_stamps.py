"""Time stamps of one column: the formats they may be written in, and reading them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data.series._frequency import MICROSECONDS, Stamps

IntArray = npt.NDArray[np.int64]

LEAST_READABLE = 0.5  # of the values, for a format to be considered: the others are named to the user
NOT_A_TIME = np.datetime64("NaT", "us")
_SAMPLE = 1000
_UNIX = {"unix seconds": ("s", 1e8), "unix milliseconds": ("ms", 1e11)}
_LATEST_UNIX = 100  # times the earliest: the years 1973 to 2286
_QUARTER_FORMAT, _WEEK_FORMAT = "%YQ%q", "%GW%V"
_QUARTER = r"^(\d{4})[- ]?[Qq]([1-4])$"
_WEEK = r"^(\d{4})[- ]?[Ww](\d{1,2})$"
_DIGITS = {"%Y": 4, "%Y%m": 6, "%Y%m%d": 8}
_MONTH_FORMATS = ("%Y/%m", "%m/%Y", "%m-%Y", "%m.%Y", "%b %Y", "%b-%Y", "%B %Y", "%B-%Y", "%b-%y", "%b %y")
_SHORT_YEARS = ("%d-%m-%y", "%m-%d-%y", "%d.%m.%y")
_FORMATS = (*_values.DATETIME_FORMATS, *_MONTH_FORMATS, *_SHORT_YEARS, _QUARTER_FORMAT, _WEEK_FORMAT)


def distinct_stamps(column: pd.Series[Any]) -> tuple[IntArray, pd.Series[Any]]:
    """(n,) code of each value, -1 where missing; and the distinct ones as dates, numbers or stripped text."""
    if column.dtype == object:
        column = column.map(_as_text).astype("str")
    elif isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("str")
    codes, values = pd.factorize(column, use_na_sentinel=True)
    distinct = pd.Series(values)
    return codes, distinct.str.strip() if isinstance(distinct.dtype, pd.StringDtype) else distinct


def _as_text(value: object) -> str | None:
    if _values.is_missing(value):
        return None
    return value.isoformat() if isinstance(value, date) else str(value)


def parse_distinct(distinct: pd.Series[Any], format: str) -> Stamps:
    """(k,) datetime64[us] of what `distinct_stamps` gave, NaT where not in the format."""
    if types.is_datetime64_any_dtype(distinct.dtype):
        return _values.as_datetimes(distinct, _values.ISO_FORMAT).to_numpy("datetime64[us]")
    if format in _UNIX:
        return _from_unix(_values.as_numbers(distinct), _UNIX[format][0])
    text = _values.as_labels(distinct).astype("str") if not _values.is_words(distinct) else distinct
    if format == _QUARTER_FORMAT:
        return _from_quarters(text)
    if format == _WEEK_FORMAT:
        text, format = text.str.replace(_WEEK, r"\1-W\2-1", regex=True), "%G-W%V-%u"
    elif format in _DIGITS:
        text = text.where(text.str.fullmatch(rf"\d{{{_DIGITS[format]}}}"), None)
    parsed = pd.to_datetime(text, format=format, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).to_numpy("datetime64[us]")


def _from_unix(numbers: npt.NDArray[np.float64], unit: str) -> Stamps:
    ticks: Stamps = np.round(numbers * MICROSECONDS[unit])
    stamps = np.nan_to_num(ticks).astype(np.int64).astype("datetime64[us]")
    return np.where(np.isnan(ticks), NOT_A_TIME, stamps)


def _from_quarters(text: pd.Series[Any]) -> Stamps:
    parts = text.str.extract(_QUARTER)
    good = parts.notna().all(axis=1).to_numpy()
    numbers = parts[good].astype(np.int64).to_numpy()
    stamps = np.full(len(text), NOT_A_TIME)
    stamps[good] = ((numbers[:, 0] - 1970) * 12 + (numbers[:, 1] - 1) * 3).astype("datetime64[M]")
    return stamps


def best_formats(distinct: pd.Series[Any]) -> tuple[str, ...]:
    """The formats that read most values of a sample over all of them, the usual ones first.

    Empty where no format reads half of them.
    """
    sample = distinct.iloc[:: max(len(distinct) // _SAMPLE, 1)]
    head = sample.iloc[:10]
    candidates = [name for name in _known(sample) if not np.isnat(parse_distinct(head, name)).all()]
    share = {name: float((~np.isnat(parse_distinct(sample, name))).mean()) for name in candidates}
    most = max(share.values(), default=0.0)
    return tuple(name for name in share if share[name] == most) if most >= LEAST_READABLE else ()


def _known(sample: pd.Series[Any]) -> Sequence[str]:
    if types.is_datetime64_any_dtype(sample.dtype):
        return (_values.ISO_FORMAT,)
    if types.is_bool_dtype(sample.dtype) or not len(sample):
        return ()
    labels = _values.as_labels(sample).dropna().astype("str")
    if len(labels) and labels.str.fullmatch(r"\d{4}|\d{6}|\d{8}").mean() >= LEAST_READABLE:
        return tuple(_DIGITS)
    if _values.is_words(sample):
        return _FORMATS
    middle = float(np.nanmedian(_values.as_numbers(sample)))
    return [name for name, (_, least) in _UNIX.items() if least <= middle < least * _LATEST_UNIX]
