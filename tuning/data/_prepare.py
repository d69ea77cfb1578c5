"""From a raw table to the folds that trials train, steer and are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _split
from tuning.data._class_labels import note_on_words, plain_target
from tuning.data._losses import warnings_of
from tuning.data._missing import WORDS, blanked, words_in
from tuning.data._missing_notes import forms_of, notes_on_words
from tuning.data._names import check_column
from tuning.data._prepared import FinalRows, Fold, PreparedData, Transform, paired
from tuning.data._rare import check_classes, frequent_rows, note_on_left_out
from tuning.data._roles import LABEL_ROLES
from tuning.data._split import Parts, Rows
from tuning.data._target import (
    Target,
    can_be,
    check_scale,
    fit_target_transform,
    kind_of_metric,
    missing_rows,
    read_target,
    target_notes,
)
from tuning.data._transform import FitSettings, TableTransform, fit_transform
from tuning.data._untyped import typed_frame
from tuning.data._written_columns import GivenForms
from tuning.data.config import ColumnRole, DataConfig, SplitConfig, SplitMethod, TargetConfig
from tuning.data.series import prepare_final_series, prepare_series
from tuning.errors import DataError
from tuning.metrics import Metric, get_metric, tasks_of
from tuning.models import Table, TargetTransform, Task

_ROLES_OF_SERIES = frozenset({ColumnRole.KNOWN, ColumnRole.PAST, ColumnRole.STATIC})
_FEW_ROWS = 100  # of validation


def prepare(
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
    """Split a table, fit its transforms on training rows and apply them.

    The same frame, configs and seed give the same splits and the same tables.

    Args:
        frame: the whole table; not changed.
        data: target, task and roles.
        target: scale to train on.
        split: how rows are dealt.
        metric_name: None: the task's default.
        seed: of the shuffling and of the text decomposition.
        splits: recorded ones to use again instead of dealing anew.
        kept: one transform a fold, fitted on these splits before, to use again instead of fitting anew.

    Raises:
        DataError: the table cannot be learnt from as asked, or the transforms are another's.
        ConfigError: the metric is unknown or does not fit the task.
    """
    if data.is_forecasting:
        return prepare_series(frame, data, target, split, metric_name, seed, splits=splits, kept=kept)
    frame, positions, work, notes = _begin(frame, data, target, split, metric_name, seed, splits)
    goal, metric, roles = work.target, work.metric, work.roles
    key = _key_column(frame, split, roles, data.day_first)
    method = _split.resolve_method(split, goal, ColumnRole.GROUP in roles.values())
    dealt = (
        _split.make_splits(split, method, goal, key, seed)
        if splits is None
        else _split.from_record(splits, positions)
    )
    fitted = [
        _fold(work, parts, transform)
        for parts, transform in paired(_split.parts_of(dealt, method, goal), kept, TableTransform)
    ]
    notes += [goal.note, *(note for _, _, fold_notes in fitted for note in fold_notes)]
    notes += notes_on_words(frame, forms_of(fitted[0][1].columns), data.missing)
    notes += _notes_on_losses(work, fitted[0][1], _split.parts_of(dealt, method, goal)[0])
    notes.append(_note_on_few_rows(split, len(fitted[0][0].valid)))
    return PreparedData(
        task=goal.task,
        metric=metric,
        classes=goal.classes,
        folds=tuple(fold for fold, _, _ in fitted),
        splits=_split.at_positions(dealt, positions),
        notes=tuple(dict.fromkeys(note for note in notes if note)),
        roles={spec.name: spec.role for spec in fitted[0][1].columns},
    )


def prepare_final(
    frame: pd.DataFrame,
    data: DataConfig,
    target: TargetConfig,
    split: SplitConfig,
    metric_name: str | None,
    seed: int,
    *,
    splits: pd.DataFrame,
    rows: FinalRows,
) -> Fold:
    """The tables of a final fit: no row validates, and the transform is fitted on all that trains.

    Args:
        frame: the whole table; not changed.
        data: target, task and roles.
        target: scale to train on.
        split: how rows were dealt.
        metric_name: None: the task's default.
        seed: of the text decomposition.
        splits: recorded when they were dealt.
        rows: what trains; the test rows are left for the test, or train too.

    Raises:
        DataError: the table cannot be learnt from as asked, or the splits are another's.
    """
    if data.is_forecasting:
        return prepare_final_series(frame, data, target, metric_name, seed, splits=splits, rows=rows)
    _, positions, work, _ = _begin(frame, data, target, split, metric_name, seed, splits)
    part = _split.from_record(splits, positions)["part"].to_numpy()
    tests = (part == _split.TEST) & (rows is FinalRows.TRAIN_VALID)
    parts = Parts(np.flatnonzero(~tests), np.empty(0, dtype=np.intp), np.flatnonzero(tests))
    fold, _, _ = _fold(work, parts)
    return fold


def _begin(
    frame: pd.DataFrame,
    data: DataConfig,
    target: TargetConfig,
    split: SplitConfig,
    metric_name: str | None,
    seed: int,
    splits: pd.DataFrame | None,
) -> tuple[pd.DataFrame, npt.NDArray[np.intp], _Work, list[str]]:
    """The rows that are used, their positions, what folds are made from, and notes."""
    _check_columns(frame, data, split)
    roles = _given_roles(data, split)
    written = frame[data.target]
    frame = _blanked(frame, data)
    frame, positions, notes = _with_targets(frame, data, written)
    goal = read_target(frame[data.target], data.task, metric_name)
    if goal.task.is_classification and data.min_class_rows is not None:
        key = _key_column(frame, split, roles, data.day_first)
        rows = _frequent_rows(key, goal, split, roles, data.min_class_rows, seed, splits, positions)
        notes.append(note_on_left_out(goal, rows, data.min_class_rows))
        frame, positions, goal = frame.iloc[rows].reset_index(drop=True), positions[rows], goal.take(rows)
    if goal.task.is_classification:
        check_classes(goal, frame[data.target])
    metric = get_metric(metric_name, goal.task, _way_out_of_metric(frame[data.target], metric_name, data))
    metric.check_target(goal.values)
    check_scale(goal, target)
    as_text = frame.columns if data.decimal_comma else [name for name in roles if roles[name] in LABEL_ROLES]
    features = typed_frame(frame.drop(columns=data.target), as_text)
    notes.append(note_on_words(data.target, goal.classes, data.missing))
    work = _Work(features, data, target, goal, metric, roles, seed)
    return frame, positions, work, notes


def _blanked(frame: pd.DataFrame, data: DataConfig) -> pd.DataFrame:
    """The table without the words that the user gave for a missing value, and the target by its form."""
    frame = blanked(frame, data.missing or ())
    target = plain_target(frame[data.target], data.task, data.missing)
    return frame.assign(**{data.target: target})


def _frequent_rows(
    key: pd.Series[Any] | None,
    goal: Target,
    split: SplitConfig,
    roles: dict[str, ColumnRole],
    minimum: int,
    seed: int,
    splits: pd.DataFrame | None,
    positions: Rows,
) -> Rows:
    """The rows whose classes are not left out: those that were dealt, where that is recorded."""
    if splits is not None:
        return np.flatnonzero(np.isin(positions, splits["row"]))

    def deal(part: Target, rows: Rows) -> list[Rows]:
        method = _split.resolve_method(split, part, ColumnRole.GROUP in roles.values())
        part_key = None if key is None else key.iloc[rows].reset_index(drop=True)
        dealt = _split.make_splits(split, method, part, part_key, seed)
        return [parts.train for parts in _split.rows_of_folds(dealt, method)]

    return frequent_rows(goal, minimum, deal)


def _way_out_of_metric(column: pd.Series[Any], metric_name: str | None, data: DataConfig) -> str:
    """What else can be typed where a metric does not fit the task; empty for nothing."""
    kind = kind_of_metric(metric_name)
    if kind is not None and data.task is not None and can_be(column, kind):
        return f"; or give --task {kind}"
    if metric_name is not None and tasks_of(metric_name) == {Task.FORECASTING}:
        return "; or forecast series, with --time COL --horizon N"
    return ""


def _notes_on_losses(work: _Work, transform: TableTransform, parts: Parts) -> list[str]:
    """What the rows to validate and to test hold that the training rows do not tell."""
    notes = []
    for name, rows in (("validate", parts.valid), ("test", parts.test)):
        losses = transform.losses(work.features.iloc[rows])
        notes += [f"Rows that {name}: {line[0].lower()}{line[1:]}" for line in warnings_of(losses)]
    return notes


def _note_on_few_rows(split: SplitConfig, n_valid: int) -> str:
    if split.is_kfold or n_valid >= _FEW_ROWS:
        return ""
    return (
        f"Only {n_valid} rows validate, which cannot tell close trials apart: "
        "--set split.folds=5 validates on every row."
    )


@dataclass(frozen=True)
class _Work:
    """What every fold is made from; `features` has no target column."""

    features: pd.DataFrame
    data: DataConfig
    target_config: TargetConfig
    target: Target
    metric: Metric
    roles: dict[str, ColumnRole]
    seed: int


def _fold(
    work: _Work, parts: Parts, kept: TableTransform | None = None
) -> tuple[Fold, TableTransform, Sequence[str]]:
    """Return a fold, its transform, and notes; `kept` was fitted on its training part before."""
    y = work.target.values
    for rows in (parts.valid, parts.test):
        if len(rows):
            work.metric.check_target(y[rows])
    transform, notes = _fit(work, parts) if kept is None else (_checked(kept, work), ())
    tables = [_table(work, transform, rows) for rows in (parts.train, parts.valid, parts.test)]
    return Fold(transform.schema, transform, *tables), transform, notes


def _checked(kept: TableTransform, work: _Work) -> TableTransform:
    """Return a kept transform, once its classes and its task are the table's still."""
    if (kept.schema.task, kept.classes) != (work.target.task, work.target.classes):
        now = _described(work.target.task, work.target.classes)
        raise DataError(
            f"data.target: {work.data.target!r} is {now}, and was "
            f"{_described(kept.schema.task, kept.classes)} when the study began: start a new study."
        )
    return kept


def _described(task: Task, classes: Sequence[object]) -> str:
    return f"{task} of {', '.join(map(repr, classes[:5]))}" if classes else str(task)


def _fit(work: _Work, parts: Parts) -> tuple[TableTransform, Sequence[str]]:
    """Fit the transform of a training part; return it, and notes on what was inferred."""
    y = work.target.values
    scale = TargetTransform()
    if work.target.task is Task.REGRESSION:
        scale = fit_target_transform(y[parts.train], work.target_config, work.metric)
    settings = FitSettings(
        roles=work.roles,
        embedding_prefixes=work.data.embedding_prefixes,
        task=work.target.task,
        loss=work.metric.loss,
        target=scale,
        classes=work.target.classes,
        seed=work.seed,
        sequence_layout=work.data.sequence_layout,
        forms=GivenForms(work.data.decimal_comma, work.data.day_first, work.data.missing),
    )
    transform, notes = fit_transform(work.features.iloc[parts.train], settings)
    return transform, (*notes, *target_notes(scale, work.target_config, work.metric))


def _table(work: _Work, transform: TableTransform, rows: npt.NDArray[np.intp]) -> Table:
    frame = work.features.iloc[rows]
    return replace(transform.apply(frame), target=work.target.values[rows], weight=transform.weights(frame))


def _check_columns(frame: pd.DataFrame, data: DataConfig, split: SplitConfig) -> None:
    check_column(frame, data.target, "data.target")
    for name in data.roles:
        check_column(frame, name, "data.roles")
    if split.column is not None:
        check_column(frame, split.column, "split.column")
    if data.target in data.roles:
        raise DataError(f"data.roles: {data.target!r} is the target, it cannot have a role as well.")
    if data.target == split.column:
        raise DataError(f"split.column: {data.target!r} is the target, rows cannot be dealt by it.")
    for name, role in data.roles.items():
        if role in _ROLES_OF_SERIES:
            raise DataError(
                f"data.roles.{name}: {role} is a role of forecasting: give the time and the horizon as well, "
                "as in --time date --horizon 4, or another role."
            )
    for role in (ColumnRole.GROUP, ColumnRole.WEIGHT):
        names = [name for name, given in data.roles.items() if given is role]
        if len(names) > 1:
            raise DataError(f"data.roles: only one column can have the role {role}, not {', '.join(names)}.")


def _with_targets(
    frame: pd.DataFrame, data: DataConfig, written: pd.Series[Any]
) -> tuple[pd.DataFrame, npt.NDArray[np.intp], list[str]]:
    """The rows that have a target, their positions, and a note on those left out."""
    missing = missing_rows(frame[data.target])
    count = int(missing.sum())
    words = words_in(written[missing], WORDS.union(data.missing or ()))
    read_from = f" (as {', '.join(map(repr, words))})" if words else ""
    if count == len(frame):
        raise DataError(f"The target {data.target!r} is missing in every row{read_from}.")
    if count and not data.drop_missing_target:
        raise DataError(
            f"The target {data.target!r} is missing in {count} of {len(frame)} rows{read_from}: complete "
            "them, or leave them out with --set data.drop_missing_target=true."
        )
    notes = [f"Left out {count} rows without a target{read_from}."] if count else []
    return frame.loc[~missing].reset_index(drop=True), np.flatnonzero(~missing), notes


def _given_roles(data: DataConfig, split: SplitConfig) -> dict[str, ColumnRole]:
    """The user's roles, and those that the split implies for its column."""
    roles = dict(data.roles)
    implied = {SplitMethod.GROUP: ColumnRole.GROUP, SplitMethod.COLUMN: ColumnRole.DROP}.get(split.method)
    if split.column is None or implied is None:
        return roles
    group = [name for name, role in roles.items() if role is ColumnRole.GROUP and name != split.column]
    if group and implied is ColumnRole.GROUP:
        raise DataError(
            f"split.column is {split.column!r}, but {group[0]!r} has the role group: name one of them."
        )
    return {**roles, split.column: implied}


def _key_column(
    frame: pd.DataFrame, split: SplitConfig, roles: dict[str, ColumnRole], day_first: bool | None = None
) -> pd.Series[Any] | None:
    """The column that rows are dealt by, where there is one; as times where it is one of dates."""
    groups = [name for name, role in roles.items() if role is ColumnRole.GROUP]
    name = split.column or (groups[0] if groups else None)
    if name is None:
        return None
    return _split.as_times(frame[name], day_first) if split.method is SplitMethod.TIME else frame[name]
