"""Dealing rows to training, validation and test.

A split is a table with one line per row: `row` (position in the file), `part` and `fold`. A row of part
`valid` is validated on in its fold and trained on in the others; in a split by time it is trained on in
later folds only. A row of part `train` is trained on in every fold. `fold` is -1 outside `valid`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _values
from tuning.data._dates import infer_dates
from tuning.data._rare import (
    check_class_counts,
    check_training_classes,
    larger_parts,
    rows_for_every_part,
    rows_in_words,
    way_out_of_rare,
)
from tuning.data._target import Target
from tuning.data.config import SplitConfig, SplitMethod
from tuning.errors import DataError

Rows = npt.NDArray[np.intp]

TRAIN, VALID, TEST = "train", "valid", "test"
_FEWEST_TRAINING_ROWS = 2
_PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("valid", "validation", "val", "dev"), VALID),
    **dict.fromkeys(("test", "testing"), TEST),
}


@dataclass(frozen=True)
class Parts:
    """Positions of rows, ascending, for one fold."""

    train: Rows
    valid: Rows
    test: Rows


@dataclass(frozen=True)
class _Deal:
    """What the dealing of rows depends on; `key` is the (n,) group, time or label column."""

    config: SplitConfig
    method: SplitMethod
    target: Target
    key: pd.Series[Any] | None
    seed: int

    @property
    def column(self) -> pd.Series[Any]:
        if self.key is None:
            raise DataError(f"split.method={self.method} needs split.column.")
        return self.key


def resolve_method(config: SplitConfig, target: Target, has_group: bool) -> SplitMethod:
    """The method that `auto` stands for.

    Raises:
        DataError: a group column is given and the method would tear groups apart, or there is none.
    """
    method = config.method
    if method is SplitMethod.AUTO:
        if has_group:
            return SplitMethod.GROUP
        return SplitMethod.STRATIFIED if target.task.is_classification else SplitMethod.RANDOM
    if method is SplitMethod.GROUP and not has_group:
        raise DataError(
            "split.method=group needs --set split.column=NAME, or a column with the role group: "
            "--set data.roles.NAME=group."
        )
    if has_group and method is not SplitMethod.GROUP:
        raise DataError(
            f"A column has the role group, but split.method={method} ignores groups: give "
            "--set split.method=auto, or the column another role."
        )
    if method is SplitMethod.STRATIFIED and not target.task.is_classification:
        raise DataError(
            "split.method=stratified needs a classification target: give --set split.method=random, or "
            "--set split.method=time --set split.column=NAME."
        )
    return method


def make_splits(
    config: SplitConfig, method: SplitMethod, target: Target, key: pd.Series[Any] | None, seed: int
) -> pd.DataFrame:
    """Deal n rows.

    Args:
        config: shares and folds.
        method: one that `resolve_method` gave.
        target: of the n rows.
        key: (n,) group, time or label column, where the method needs one.
        seed: of the shuffling.

    Returns:
        A frame with the columns row, part and fold, and n lines.

    Raises:
        DataError: there are too few rows, groups, times or rows of a class.
    """
    n = len(target.values)
    _check_row_count(n, config)
    if method is SplitMethod.STRATIFIED:
        parts = max(config.folds, 2) + (config.test > 0)
        enough = rows_for_every_part(config, target)
        check_class_counts(target, parts, enough, f"a stratified split in {parts} parts")
    deal = _Deal(config, method, target, key, seed)
    part, fold = np.full(n, TRAIN, dtype=object), np.full(n, -1)
    rest = np.arange(n)
    if method is SplitMethod.TIME:
        _deal_by_time(deal, part, fold)
    else:
        if method is SplitMethod.COLUMN:
            part = _labelled_parts(deal)
            rest = np.flatnonzero(part == TRAIN)
        elif config.test > 0:
            rest, test = _holdout(deal, rest, config.test, n)
            part[test] = TEST
        if not (part == VALID).any():
            _deal_validation(deal, rest, part, fold)
        fold[(part == VALID) & (fold < 0)] = 0
    return pd.DataFrame({"row": np.arange(n), "part": part.astype(str), "fold": fold})


def _check_row_count(n: int, config: SplitConfig) -> None:
    wanted = 2 + (config.test > 0) + 1
    if n < wanted:
        raise DataError(f"There are {n} rows, at least {wanted} are needed to train, validate and test.")
    if config.is_kfold and n < config.folds + (config.test > 0):
        raise DataError(
            f"split.folds={config.folds} needs at least as many rows outside the test, there are {n}."
        )


def _deal_validation(deal: _Deal, rest: Rows, part: npt.NDArray[Any], fold: npt.NDArray[Any]) -> None:
    if deal.config.is_kfold:
        for number, rows in enumerate(_kfold(deal, rest)):
            part[rows], fold[rows] = VALID, number
    else:
        total = len(part) if deal.method is not SplitMethod.COLUMN else len(rest)
        _, valid = _holdout(deal, rest, deal.config.valid, total)
        part[valid] = VALID


def _groups(deal: _Deal, rows: Rows) -> Rows:
    """(n,) -> (len(rows),) group codes in the order of appearance."""
    codes, _ = pd.factorize(_values.as_labels(deal.column), use_na_sentinel=True)
    if (codes < 0).any():
        raise DataError(f"The group column {deal.column.name!r} is missing in {int((codes < 0).sum())} rows.")
    return np.asarray(codes, dtype=np.intp)[rows]


def _holdout(deal: _Deal, rows: Rows, share: float, total: int) -> tuple[Rows, Rows]:
    """Cut about `share * total` rows off `rows`."""
    from sklearn.model_selection import train_test_split

    if deal.method is SplitMethod.GROUP:
        return _group_holdout(deal, rows, share * total)
    count = min(max(1, round(share * total)), len(rows) - 1)
    strata = _strata(deal, rows, count)
    kept, cut = train_test_split(rows, test_size=count, random_state=deal.seed, stratify=strata)
    return np.sort(kept), np.sort(cut)


def _strata(deal: _Deal, rows: Rows, count: int) -> npt.NDArray[Any] | None:
    """Class of each row; None where the cut is not to be stratified by it."""
    if deal.method is SplitMethod.RANDOM or not deal.target.task.is_classification:
        return None
    classes = deal.target.values[rows]
    names, counts = np.unique(classes, return_counts=True)
    problem = None
    if len(names) > min(count, len(rows) - count):
        way_out = larger_parts(deal.config, deal.target)
        problem = f"A part of {rows_in_words(count)} cannot hold {len(names)} classes: {way_out}"
    elif counts.min() < 2:
        label = deal.target.classes[names[counts.argmin()]]
        way_out = way_out_of_rare(deal.target, rows_for_every_part(deal.config, deal.target))
        problem = f"Class {label!r} has one row left to be split: {way_out}"
    if problem and deal.method is SplitMethod.STRATIFIED:
        raise DataError(f"{problem}.")
    return None if problem else classes


def _group_holdout(deal: _Deal, rows: Rows, count: float) -> tuple[Rows, Rows]:
    """Take whole groups in random order while that brings the part closer to `count` rows."""
    groups = _groups(deal, rows)
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < 2:
        raise DataError(f"A split by group needs more groups than parts, {len(names)} is left to be split.")
    order = np.random.default_rng(deal.seed).permutation(len(names))
    taken = np.cumsum(sizes[order])
    number = min(int(np.abs(taken - count).argmin()) + 1, len(names) - 1)
    cut = np.isin(groups, names[order[:number]])
    return rows[~cut], rows[cut]


def _kfold(deal: _Deal, rows: Rows) -> list[Rows]:
    """The validation rows of each fold."""
    folds = deal.config.folds
    if len(rows) < folds:
        raise DataError(
            f"split.folds={folds} needs at least as many rows outside the test, there are {len(rows)}."
        )
    groups = _groups(deal, rows) if deal.method is SplitMethod.GROUP else None
    if groups is not None and len(np.unique(groups)) < folds:
        raise DataError(
            f"split.folds={folds} needs as many groups outside the test, not {len(np.unique(groups))}."
        )
    y = deal.target.values[rows]
    stratify = deal.target.task.is_classification and deal.method is not SplitMethod.RANDOM
    if stratify and groups is None:
        _check_fold_classes(deal, y)
    stratify = stratify and int(np.unique(y, return_counts=True)[1].min()) >= folds
    splitter = _splitter(stratify, groups is not None)(n_splits=folds, shuffle=True, random_state=deal.seed)
    return [rows[np.sort(valid)] for _, valid in splitter.split(rows, y, groups)]


def _check_fold_classes(deal: _Deal, y: npt.NDArray[Any]) -> None:
    names, counts = np.unique(y, return_counts=True)
    if counts.min() < deal.config.folds:
        label = deal.target.classes[names[counts.argmin()]]
        way_out = way_out_of_rare(deal.target, rows_for_every_part(deal.config, deal.target))
        raise DataError(
            f"Class {label!r} has {counts.min()} rows outside the test, fewer than "
            f"split.folds={deal.config.folds}: {way_out}."
        )


def _splitter(stratified: bool, grouped: bool) -> Callable[..., Any]:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if grouped:
        return StratifiedGroupKFold if stratified else GroupKFold  # type: ignore[no-any-return]
    return StratifiedKFold if stratified else KFold  # type: ignore[no-any-return]


def _labelled_parts(deal: _Deal) -> npt.NDArray[Any]:
    """Parts as the label column names them."""
    labels = _values.as_labels(deal.column)
    parts = labels.map(lambda label: _PARTS.get(str(label).casefold()))
    if parts.isna().any():
        value = labels[parts.isna()].iloc[0]
        raise DataError(
            f"Column {deal.column.name!r} holds {value!r}: a split column holds train, valid and test."
        )
    if not (parts == TRAIN).any():
        raise DataError(f"Column {deal.column.name!r} holds no row of train.")
    if deal.config.is_kfold:
        parts = parts.where(parts != VALID, TRAIN)
    return parts.to_numpy(dtype=object)


def _deal_by_time(deal: _Deal, part: npt.NDArray[Any], fold: npt.NDArray[Any]) -> None:
    """Blocks by time: train, then valid (once per fold), then test; equal times stay together."""
    config, times = deal.config, _times(deal)
    fold_share = (1 - config.test) / (config.folds + 1)
    shares = [fold_share] * config.folds if config.is_kfold else [config.valid]
    names = [VALID] * len(shares)
    if config.test > 0:
        shares, names = [*shares, config.test], [*names, TEST]
    edges = _time_edges(times, shares)
    block = np.searchsorted(edges, times, side="right")  # 0 is the first block, train
    for number, name in enumerate(names):
        part[block == number + 1] = name
        fold[block == number + 1] = number if name == VALID else -1


def _time_edges(times: npt.NDArray[np.float64], shares: list[float]) -> npt.NDArray[np.float64]:
    """First time of each block after the first, so that the blocks' shares of rows come closest."""
    stamps, counts = np.unique(times, return_counts=True)
    if len(stamps) <= len(shares):
        raise DataError(f"A split by time in {len(shares) + 1} parts needs as many times, not {len(stamps)}.")
    before = np.cumsum(counts) - counts  # rows before each stamp
    edges: list[int] = []
    for number in range(len(shares)):
        wanted = (1 - sum(shares[number:])) * len(times)
        lowest = edges[-1] + 1 if edges else 1
        highest = len(stamps) - (len(shares) - number)
        edges.append(int(np.clip(np.abs(before - wanted).argmin(), lowest, highest)))
    return stamps[edges]


def _times(deal: _Deal) -> npt.NDArray[np.float64]:
    column = deal.column.infer_objects()
    times = _values.as_numbers(as_times(column))  # a date as a number: days
    missing = np.isnan(times)
    if missing.any():
        raise DataError(
            f"The time column {column.name!r} must hold a date or a number in every row: "
            f"{str(column[missing].iloc[0])!r} is neither ({int(missing.sum())} of {len(column)} rows)."
        )
    return times


def as_times(column: pd.Series[Any], day_first: bool | None = None) -> pd.Series[Any]:
    """Return a column of dates as dates, where every value is one; all other columns as they are.

    Args:
        column: of times or numbers.
        day_first: as the user gave it; None: by the values.
    """
    column = column.infer_objects()
    if not np.isnan(_values.as_numbers(column)).any():
        return column
    guess = infer_dates(_values.with_value(column), day_first, least=1.0)
    return column if guess is None else pd.Series(guess.format.read(column), column.index, name=column.name)


def at_positions(splits: pd.DataFrame, positions: Rows) -> pd.DataFrame:
    """Splits of the kept rows 0..n-1 as splits of the file, where they are at `positions`."""
    return splits.assign(row=positions[splits["row"]])


def from_record(splits: pd.DataFrame, positions: Rows) -> pd.DataFrame:
    """Recorded splits of the file as splits of the kept rows 0..n-1: the opposite of `at_positions`.

    Raises:
        DataError: they belong to another table.
    """
    if not {"row", "part", "fold"} <= set(splits.columns) or set(splits["part"]) - {TRAIN, VALID, TEST}:
        raise DataError("The recorded splits must have the columns row, part (train, valid, test) and fold.")
    ordered = splits[["row", "part", "fold"]].sort_values("row").reset_index(drop=True)
    if not np.array_equal(ordered["row"].to_numpy(), positions):
        raise DataError(
            f"The recorded splits do not fit the data ({len(splits)} rows recorded, {len(positions)} found): "
            "the file has changed."
        )
    return ordered.assign(row=np.arange(len(ordered)))


def parts_of(splits: pd.DataFrame, method: SplitMethod, target: Target) -> list[Parts]:
    """Return the rows of each fold.

    Raises:
        DataError: a fold has no row to train or to validate, or a class none to train.
    """
    found = rows_of_folds(splits, method)
    if target.task.is_classification:
        for parts in found:
            check_training_classes(target, parts.train)
    return found


def rows_of_folds(splits: pd.DataFrame, method: SplitMethod) -> list[Parts]:
    """Return the rows of each fold, whatever their classes.

    Raises:
        DataError: a fold has no row to train or to validate.
    """
    part, fold = splits["part"].to_numpy(), splits["fold"].to_numpy()
    found = []
    for number in range(int(fold.max()) + 1):
        valid = (part == VALID) & (fold == number)
        train = (part == TRAIN) | ((part == VALID) & (fold != number))
        if method is SplitMethod.TIME:
            train &= fold < number
        if not valid.any():
            raise DataError(f"Fold {number} has no row to validate: set fewer split.folds.")
        if train.sum() < _FEWEST_TRAINING_ROWS:
            rows = rows_in_words(int(train.sum()))
            raise DataError(
                f"Fold {number} has {rows} to train on, {_FEWEST_TRAINING_ROWS} are needed: set "
                "fewer split.folds."
            )
        found.append(Parts(np.flatnonzero(train), np.flatnonzero(valid), np.flatnonzero(part == TEST)))
    return found
