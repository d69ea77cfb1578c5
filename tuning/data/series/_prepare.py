"""From a table of series to the folds that trials train, steer and are tested on."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from tuning.data._offers import setting
from tuning.data._prepared import FinalRows, Fold, PreparedData, Transform, paired
from tuning.data._target import target_notes
from tuning.data.config import ColumnRole, DataConfig, SplitConfig, SplitMethod, TargetConfig
from tuning.data.series._cut import Cut, FoldSpans, Span, from_record, make_cut, record
from tuning.data.series._fit import FitSettings, fit_fold
from tuning.data.series._grid import show
from tuning.data.series._history import History
from tuning.data.series._read_series import SeriesReading, read_history
from tuning.data.series._scaling import LocationRule
from tuning.data.series._season import Seasons, seasons_of
from tuning.data.series._series_columns import SeriesColumns
from tuning.data.series._transform import SeriesTransform
from tuning.errors import DataError
from tuning.metrics import get_metric
from tuning.models import Task


def prepare_series(
    frame: pd.DataFrame,
    data: DataConfig,
    target: TargetConfig,
    split: SplitConfig,
    metric_name: str | None,
    seed: int,
    *,
    splits: pd.DataFrame | None = None,
    kept: Sequence[Transform] = (),
) -> PreparedData:
    """Read series, split them by time, fit transforms on training time and cut windows.

    Args:
        frame: the whole table; not changed.
        data: columns of time, series and target, horizon and roles.
        target: scale to train on.
        split: how the time is split.
        metric_name: None: the default.
        seed: of the encoding for networks.
        splits: recorded ones to use again instead of cutting anew.
        kept: one transform a fold, fitted on these splits before, to use again instead of fitting anew.

    Raises:
        DataError: the series cannot be learnt from as asked.
        ConfigError: the metric is unknown or does not fit the task.
    """
    _check_split(split)
    metric = get_metric(metric_name, Task.FORECASTING)
    whole = read_history(frame, data)
    horizon = data.horizon or 1
    cut = make_cut(whole.history, split, horizon) if splits is None else from_record(whole.history, splits)
    seasons = seasons_of(whole.history.frequency, data.season)
    settings = FitSettings(target, metric, horizon, seasons, data.max_train_rows, seed)
    readings = [_reading_before(frame, data, whole, spans.train.end) for spans in cut.folds]
    pairs = paired(cut.folds, kept, SeriesTransform)
    folds = [
        fit_fold(reading, spans, settings, transform)
        for reading, (spans, transform) in zip(readings, pairs, strict=True)
    ]
    notes = [
        *readings[0].notes,
        _season_note(whole.history, seasons, data),
        *_part_notes(whole.history, cut, folds),
        *_scale_notes(folds[0], target, settings),
    ]
    return PreparedData(
        task=Task.FORECASTING,
        metric=metric,
        classes=(),
        folds=tuple(folds),
        splits=record(whole.history, cut),
        notes=tuple(dict.fromkeys(note for note in notes if note)),
        roles=_roles(frame, readings[0].spec),
    )


def prepare_final_series(
    frame: pd.DataFrame,
    data: DataConfig,
    target: TargetConfig,
    metric_name: str | None,
    seed: int,
    *,
    splits: pd.DataFrame,
    rows: FinalRows,
) -> Fold:
    """The tables of a final fit, trained on all windows whose targets lie before the test, or on all windows.

    Args:
        frame: the whole table; not changed.
        data: columns of time, series and target, horizon and roles.
        target: scale to train on.
        metric_name: None: the default.
        seed: of the encoding for networks.
        splits: recorded when the time was cut.
        rows: what trains.

    Raises:
        DataError: the series cannot be learnt from as asked, or the splits are another's.
    """
    metric = get_metric(metric_name, Task.FORECASTING)
    whole = read_history(frame, data)
    cut = from_record(whole.history, splits)
    seasons = seasons_of(whole.history.frequency, data.season)
    settings = FitSettings(target, metric, data.horizon or 1, seasons, data.max_train_rows, seed)
    test = cut.folds[-1].test if rows is FinalRows.TRAIN_VALID else Span(cut.end, cut.end)
    spans = FoldSpans(Span(0, test.start), Span(test.start, test.start), test)
    return fit_fold(_reading_before(frame, data, whole, test.start), spans, settings)


def _check_split(split: SplitConfig) -> None:
    if split.method not in (SplitMethod.AUTO, SplitMethod.TIME) or (
        split.column is not None and split.method is not SplitMethod.TIME
    ):
        column = f" {setting('split.column', 'null')}" if split.column is not None else ""
        raise DataError(
            f"split.method={split.method} is not for series, which are split by time: leave it out, or give "
            f"{setting('split.method', 'auto')}{column}."
        )


def _reading_before(frame: pd.DataFrame, data: DataConfig, whole: SeriesReading, end: int) -> SeriesReading:
    """The series read again, with what is decided on values decided by training time alone."""
    has_covariates = whole.history.covariates or whole.spec.covariates
    if not has_covariates or end >= len(whole.history.times):
        return whole
    return read_history(frame, data, fit_before=whole.history.times.to_numpy()[end])


def _roles(frame: pd.DataFrame, columns: SeriesColumns) -> dict[str, ColumnRole]:
    """The role of every column but the target's, those of time and series included."""
    roles = {column.name: ColumnRole(column.role.value) for column in columns.covariates}
    roles |= {column.name: ColumnRole.DATETIME for column in columns.time}
    roles |= dict.fromkeys(columns.series, ColumnRole.GROUP)
    names = [str(name) for name in frame.columns if name != columns.target]
    return {name: roles.get(name, ColumnRole.DROP) for name in names}


def _season_note(history: History, seasons: Seasons, data: DataConfig) -> str:
    season = f"a season of {seasons.first}" if seasons.first > 1 else "no season"
    why = "given" if data.season is not None else "usual there, --season N for another"
    n_series = len(history.names)
    return (
        f"{n_series:,} series of {len(history.times):,} time steps of {history.frequency}, {season} ({why})."
    )


def _part_notes(history: History, cut: Cut, folds: Sequence[Fold]) -> list[str]:
    """Where each part lies, and how many forecasts it holds."""
    last = folds[-1]
    spans = cut.folds[-1]
    parts = [("Training", spans.train, last.train), ("validation", spans.valid, last.valid)]
    if len(spans.test):
        parts.append(("test", spans.test, last.test))
    text = "; ".join(
        f"{name} {_range(history, span)} ({len(table.windows or ()):,} forecasts)"
        for name, span, table in parts
    )
    notes = [f"{text}."]
    if len(folds) > 1:
        firsts = ", ".join(_day(history, fold.valid.start) for fold in cut.folds)
        notes.append(f"{len(folds)} folds, trained on all before {firsts}.")
    return notes


def _range(history: History, span: Span) -> str:
    return f"{_day(history, span.start)} to {_day(history, span.end - 1)}"


def _day(history: History, step: int) -> str:
    return show(history.times[step])


def _scale_notes(fold: Fold, target: TargetConfig, settings: FitSettings) -> list[str]:
    transform = fold.transform
    if not isinstance(transform, SeriesTransform):
        return []
    scaling = transform.scaling
    is_mean = scaling.rule is LocationRule.MEAN
    rule = f"the mean of the last {scaling.width} values" if is_mean else "the last value"
    return [
        f"Forecasts are made relative to {rule}, which is nearer to the next "
        f"{settings.horizon} step{'s' * (settings.horizon > 1)} in training.",
        *target_notes(transform.recipe.transform, target, settings.metric),
    ]
