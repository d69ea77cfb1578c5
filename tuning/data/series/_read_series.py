"""From a table to series on a regular grid: decided on one table, applied to those that come later."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._labels import LabelForm
from tuning.data._missing import blanked
from tuning.data._missing_notes import notes_on_words
from tuning.data._names import check_column
from tuning.data._numbers import NumberFormat, infer_numbers
from tuning.data._untyped import typed, typed_frame
from tuning.data.config import ColumnRole, DataConfig
from tuning.data.series._covariates import CovariateColumn, decide_covariates
from tuning.data.series._frequency import IntArray, Stamps, is_of_days
from tuning.data.series._grid import Grid, apply_grid, fit_grid, regularity, spans
from tuning.data.series._history import Covariate, CovariateRole, History
from tuning.data.series._rows import (
    count_footer,
    keep_once,
    order_note,
    read_target,
    refuse_missing_series,
    refuse_unlearnable,
    series_of,
)
from tuning.data.series._series_columns import SeriesColumns
from tuning.data.series._times import decide_times, read_times, unreadable, with_local_days
from tuning.data.series._to_come import with_all_columns
from tuning.errors import DataError

_LOGGER = logging.getLogger(__name__)
_ROLES = (ColumnRole.KNOWN, ColumnRole.PAST, ColumnRole.STATIC, ColumnRole.DROP)


@dataclass(frozen=True)
class SeriesReading:
    """Series as read, how they were read, and what a person should know of it.

    Attributes:
        history: the series.
        spec: reads files that come later alike.
        notes: sentences on what was inferred, dropped or missing.
    """

    history: History
    spec: SeriesColumns
    notes: tuple[str, ...]


def read_history(
    frame: pd.DataFrame, data: DataConfig, fit_before: np.datetime64 | None = None
) -> SeriesReading:
    """Read the series of a table on a regular grid.

    Args:
        frame: as `read_frame` gave it; not changed.
        data: columns of time, series and target; frequency; roles.
        fit_before: what covariates are, their levels and the values of static ones follow from rows before
            this time alone, and from the first row of series that begin later; None: from all rows.

    Raises:
        DataError: a column is missing, or rows are no series: a time that cannot be read, two rows of one
            time, times off the regular steps, a target that is not a number or never changes.
    """
    _check_columns(frame, data)
    frame = blanked(frame, data.missing or ())
    labels = tuple(LabelForm.infer(frame[name], data.missing) for name in data.series)
    written, frame = frame, _typed(frame, data)
    frame, zone_note = with_local_days(frame, data.time)
    rough, _ = series_of(frame, data.series, labels)
    columns, stamps, time_notes = decide_times(
        frame, data.time, lambda times: regularity(times, rough), data.day_first
    )
    number, number_note = _form_of_targets(frame[data.target][~np.isnat(stamps)], data)
    spec = SeriesColumns(columns, data.series, data.target, number, "", (), labels, data.missing or ())
    rows = _read_rows(frame, spec, stamps)
    rows, dropped_note = _with_targets(rows)
    refuse_unlearnable(rows.target, data.target)
    grid = fit_grid(rows.stamps, rows.series, rows.positions, data.frequency)
    covariates, covariate_notes = _decide_covariates(frame, data, rows, fit_before)
    spec = replace(spec, frequency=grid.frequency, covariates=covariates)
    history = _history(frame, spec, rows, grid, fit_before)
    notes = [zone_note, *time_notes, number_note, *rows.notes, dropped_note, grid.note]
    notes += _missing_notes(rows, grid)
    notes += notes_on_words(written, spec.label_forms, data.missing)
    return SeriesReading(history, spec, tuple(note for note in (*notes, *covariate_notes) if note))


def _typed(frame: pd.DataFrame, data: DataConfig) -> pd.DataFrame:
    """The table with numbers as such, but for the labels of series."""
    labels = frame[list(data.series)]
    read = typed_frame(frame, frame.columns if data.decimal_comma else ())
    return read.assign(**{str(name): labels[name] for name in labels})


def _form_of_targets(column: pd.Series[Any], data: DataConfig) -> tuple[NumberFormat, str]:
    guess = infer_numbers(column, data.decimal_comma)
    return guess.format, f"The target {data.target!r} is read as numbers {guess.note}." if guess.note else ""


def read_like(frame: pd.DataFrame, spec: SeriesColumns, *, tell: bool = True) -> History:
    """Read a table as the one that a model was trained on; not changed.

    Rows whose target is missing are kept: those after the last known value are the time to forecast. Without
    a column of targets all rows are. Levels of a category that were not seen in training are 0 in all its
    covariates.

    Args:
        frame: as `as_frame` gave it.
        spec: how the training data were read.
        tell: log what was left out or is missing.

    Raises:
        DataError: a column is missing, the times have another frequency, or rows are no series.
    """
    frame = blanked(with_all_columns(frame, spec), spec.missing)
    frame = frame.assign(**{column.name: typed(frame[column.name]) for column in spec.time})
    if is_of_days(spec.frequency):
        frame, _ = with_local_days(frame, [column.name for column in spec.time])
    rows = _read_rows(frame, spec, read_times(frame, spec.time))
    grid = apply_grid(rows.stamps, rows.series, rows.positions, spec.frequency)
    footer, *others = rows.notes
    if tell and footer:
        _LOGGER.warning(footer)
    for note in filter(None, (*others, grid.note, *_missing_notes(rows, grid))) if tell else ():
        _LOGGER.info(note)
    return _history(frame, spec, rows, grid)


@dataclass(frozen=True)
class _Rows:
    """Rows that are observations, by series and time: (n,) each."""

    positions: IntArray
    stamps: Stamps
    series: IntArray
    target: npt.NDArray[np.float64]
    names: tuple[str, ...]
    notes: tuple[str, ...]

    def take(self, chosen: npt.NDArray[Any]) -> _Rows:
        """The given rows, with their series numbered anew."""
        present, series = np.unique(self.series[chosen], return_inverse=True)
        return _Rows(
            self.positions[chosen],
            self.stamps[chosen],
            series.astype(np.int64),
            self.target[chosen],
            tuple(self.names[code] for code in present),
            self.notes,
        )

    def before(self, time: np.datetime64 | None) -> npt.NDArray[np.bool_]:
        """(n,) whether a row lies before a time; all do before None."""
        return np.ones(len(self.stamps), dtype=bool) if time is None else self.stamps < time

    @property
    def is_first(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a row is the first of its series."""
        first: npt.NDArray[np.bool_] = np.diff(self.series, prepend=-1) != 0
        return first


def _read_rows(frame: pd.DataFrame, spec: SeriesColumns, stamps: Stamps) -> _Rows:
    names = [column.name for column in spec.time]
    footer = count_footer(stamps, frame[spec.target], spec.number)
    positions = np.arange(len(frame) - footer)
    stamps = stamps[positions]
    if np.isnat(stamps).any() or not len(stamps):
        raise unreadable(spec.time, frame, int(np.isnat(stamps).argmax()) if len(stamps) else 0)
    table = frame.iloc[positions]
    series, labels = series_of(table, spec.series, spec.labels)
    refuse_missing_series(series, spec.series, frame, positions)
    target = read_target(frame[spec.target], spec.number, positions)
    is_new = bool(spec.frequency)
    keep = keep_once(table.set_axis(positions), stamps, series, labels, (names, spec.series), is_new=is_new)
    kept = np.flatnonzero(keep)
    notes = (_footer_note(footer, len(positions)), _copies_note(len(keep) - len(kept)))
    order = kept[np.lexsort((stamps[kept], series[kept]))]
    rows = _Rows(positions, stamps, series, target, labels, (*notes, order_note(stamps[kept], series[kept])))
    return rows.take(order)


def _footer_note(count: int, position: int) -> str:
    if not count:
        return ""
    rows = f"row {position + 2}" if count == 1 else f"{count} rows from row {position + 2} on"
    return f"Left out {rows} at the end of the file, without a time or a target."


def _copies_note(count: int) -> str:
    return (
        f"Left out {count:,} row{'s' * (count > 1)} that repeat another one in all columns." if count else ""
    )


def _with_targets(rows: _Rows) -> tuple[_Rows, str]:
    """The rows of series that have a target anywhere, and a note on the others."""
    known = np.bincount(rows.series, weights=~np.isnan(rows.target), minlength=len(rows.names)) > 0
    if known.all() or not known.any():
        return rows, ""
    empty = [name for name, is_known in zip(rows.names, known, strict=True) if not is_known]
    shown = ", ".join(map(repr, empty[:3])) + (f" and {len(empty) - 3} more" if len(empty) > 3 else "")
    return rows.take(known[rows.series]), f"Left out series without any target: {shown}."


def _decide_covariates(
    frame: pd.DataFrame, data: DataConfig, rows: _Rows, fit_before: np.datetime64 | None
) -> tuple[tuple[CovariateColumn, ...], tuple[str, ...]]:
    fit = rows.before(fit_before)
    others = [name for name in map(str, frame) if name not in (*data.time, *data.series, data.target)]
    table = frame[others].iloc[rows.positions[fit]]
    return decide_covariates(table, rows.series[fit], data.roles, data.decimal_comma, data.missing)


def _missing_notes(rows: _Rows, grid: Grid) -> list[str]:
    notes = []
    steps = int(spans(grid.positions, rows.series).sum())
    gaps = steps - len(rows.positions)
    if gaps:
        notes.append(
            f"{gaps:,} of {steps:,} steps of {grid.frequency} are missing in the file: filled with the last "
            "value as inputs, not scored."
        )
    missing = np.isnan(rows.target)
    last = pd.Series(np.where(missing, -1, grid.positions)).groupby(rows.series).transform("max").to_numpy()
    inside = int((missing & (grid.positions < last)).sum())
    if inside:
        notes.append(
            f"{inside:,} of {len(missing):,} rows have no target: filled with the last value "
            "as inputs, not scored."
        )
    ahead = int((missing & (grid.positions > last)).sum())
    if ahead:
        notes.append(f"{ahead:,} rows after the last target have none: kept as the time to forecast.")
    return notes


def _history(
    frame: pd.DataFrame,
    spec: SeriesColumns,
    rows: _Rows,
    grid: Grid,
    fit_before: np.datetime64 | None = None,
) -> History:
    shape = (len(rows.names), len(grid.times))
    # A value that is first given later would tell earlier forecasts of their future.
    of_series = rows.before(fit_before) | rows.is_first
    cells = rows.series * shape[1] + grid.positions
    covariates: list[Covariate] = []
    for column in spec.covariates:
        table = frame[column.name].iloc[rows.positions]
        for name, values in zip(column.covariate_names, column.read(table), strict=True):
            is_static = column.role is CovariateRole.STATIC
            known = np.where(of_series, values, np.nan)
            placed = _first_known(known, rows) if is_static else _place(values, cells, shape)
            covariates.append(Covariate(name, column.role, placed))
    positions = np.full(shape[0] * shape[1], -1, dtype=np.int64)
    positions[cells] = rows.positions
    return History(
        names=rows.names,
        times=grid.times,
        frequency=grid.frequency,
        target=_place(rows.target, cells, shape),
        rows=positions.reshape(shape),
        covariates=tuple(covariates),
        levels={column.name: column.levels for column in spec.covariates if column.levels},
    )


def _place(
    values: npt.NDArray[np.float64], cells: IntArray, shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """(n,) -> (S, T), NaN where there is no row."""
    grid = np.full(shape[0] * shape[1], np.nan)
    grid[cells] = values
    return grid.reshape(shape)


def _first_known(values: npt.NDArray[np.float64], rows: _Rows) -> npt.NDArray[np.float64]:
    """(n,) -> (S,) the first value that each series has, NaN where it has none."""
    out = np.full(len(rows.names), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    series, first = np.unique(rows.series[known], return_index=True)
    out[series] = values[known[first]]
    return out


def _check_columns(frame: pd.DataFrame, data: DataConfig) -> None:
    for name in data.time:
        check_column(frame, name, "data.time")
    for name in data.series:
        check_column(frame, name, "data.series")
    check_column(frame, data.target, "data.target")
    for place, names in (("data.time", data.time), ("data.series", data.series)):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise DataError(f"{place}: {twice[0]!r} is named twice: name it once.")
    used = {**dict.fromkeys(data.time, "time"), **dict.fromkeys(data.series, "series")}
    if data.target in used:
        raise DataError(
            f"data.target: {data.target!r} is a column of the {used[data.target]} as well: name another one."
        )
    both = [name for name in data.series if name in data.time]
    if both:
        raise DataError(f"data.series: {both[0]!r} is a column of the time as well: name another one.")
    _check_roles(frame, data, {**used, data.target: "target"})


def _check_roles(frame: pd.DataFrame, data: DataConfig, used: dict[str, str]) -> None:
    for name, role in data.roles.items():
        check_column(frame, name, "data.roles")
        if name in used:
            raise DataError(
                f"data.roles: {name!r} is the {used[name]}, it cannot have the role {role} as well."
            )
        if role not in _ROLES:
            choices = "known, past, static or drop"
            raise DataError(
                f"data.roles.{name}: {role} is not a role of forecasting: use {choices} (numbers and "
                "categories are told by the values)."
            )
