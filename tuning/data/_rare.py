"""Classes with few rows: refused with the way out, or left out where the user asked for that."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._target import Target, can_be, most_classes
from tuning.data.config import SplitConfig, TaskKind
from tuning.errors import DataError

Rows = npt.NDArray[np.intp]
Deal = Callable[[Target, Rows], Sequence[Rows]]
"""Given some rows and their target, returns the places among them that train in each fold."""

_NAMES_IN_A_NOTE = 8


def frequent_rows(target: Target, minimum: int, deal: Deal) -> Rows:
    """Return the rows whose class has at least `minimum` rows, and rows to train on in every fold.

    Args:
        target: of all rows.
        minimum: rows that a class must have.
        deal: deals the rows that are left to parts.

    Raises:
        DataError: fewer than two classes are left.
    """
    enough = class_counts(target) >= minimum
    while True:
        rows = np.flatnonzero(enough[target.values])
        _check_two_left(target, enough, minimum)
        kept = np.flatnonzero(enough)
        part = target.take(rows)
        trained = [set(np.unique(part.values[train]).tolist()) for train in deal(part, rows)]
        absent = set(range(len(kept))) - set.intersection(*trained)
        if not absent:
            return rows
        enough[kept[sorted(absent)]] = False


def _check_two_left(target: Target, enough: npt.NDArray[np.bool_], minimum: int) -> None:
    if enough.sum() < 2:
        largest = sorted(class_counts(target).tolist(), reverse=True)
        raise DataError(
            f"data.min_class_rows={minimum} leaves {int(enough.sum())} of {len(enough)} classes, two are the "
            f"least: the largest have {largest[0]} and {largest[1]} rows, lower it."
        )


def note_on_left_out(target: Target, rows: Rows, minimum: int) -> str:
    """Say which classes are left out where `rows` alone stay; empty where all do."""
    gone = sorted(set(range(len(target.classes))) - set(np.unique(target.values[rows]).tolist()))
    if not gone:
        return ""
    names = ", ".join(repr(target.classes[code]) for code in gone[:_NAMES_IN_A_NOTE])
    more = f" and {len(gone) - _NAMES_IN_A_NOTE} more" if len(gone) > _NAMES_IN_A_NOTE else ""
    return (
        f"Left out {rows_in_words(len(target.values) - len(rows))} of rare classes: {names}{more} "
        f"(data.min_class_rows={minimum}); no score counts them."
    )


def class_counts(target: Target) -> npt.NDArray[np.int64]:
    """Return the (k,) rows of each class."""
    return np.bincount(target.values, minlength=len(target.classes)).astype(np.int64)


def check_classes(target: Target, column: pd.Series[Any]) -> None:
    """Refuse a target of one class, or of nearly as many classes as rows.

    Raises:
        DataError: the message names the way out.
    """
    number = len(target.classes)
    if number < 2:
        raise DataError(
            f"The target {column.name!r} is {target.classes[0]!r} in every row: there is only one class."
        )
    if number > most_classes(column):
        raise DataError(
            f"The target {column.name!r} has {number} distinct values in {len(column)} rows, too many for "
            f"classification: {_way_out_of_many(target, column)}."
        )


def _way_out_of_many(target: Target, column: pd.Series[Any]) -> str:
    if can_be(column, TaskKind.REGRESSION):
        return "give --task regression, or name another target"
    counts = class_counts(target)
    for minimum in np.unique(counts)[1:]:
        kept = counts >= minimum
        if 2 <= kept.sum() <= counts[kept].sum() // 2:
            return f"{_leave_out(int(minimum))}, or name another target"
    return "name another target"


def check_class_counts(target: Target, wanted: int, enough: int, why: str) -> None:
    """Refuse classes with too few rows to be in every part.

    Args:
        target: of the rows to deal.
        wanted: rows that each class must have.
        enough: rows of a class that are never too few.
        why: what asks for them.

    Raises:
        DataError: the message names the rarest class and the way out.
    """
    counts = class_counts(target)
    rarest = int(counts.argmin())
    if counts[rarest] < wanted:
        raise DataError(
            f"Class {target.classes[rarest]!r} has {rows_in_words(int(counts[rarest]))}, but {why} needs at "
            f"least {wanted} of each class: {way_out_of_rare(target, enough)}."
        )


def way_out_of_rare(target: Target, enough: int) -> str:
    """Say what to type for a class that has too few rows, fewer than `enough`."""
    if (class_counts(target) >= enough).sum() >= 2:
        return _leave_out(enough)
    return "add rows of it, or name another target"


def rows_for_every_part(config: SplitConfig, target: Target) -> int:
    """Return the rows of a class from which on any stratified split puts some of them into every part."""
    counts, outside = class_counts(target), max(config.folds, 2)
    count = outside + (config.test > 0)
    while True:
        n = int(counts[counts >= count].sum()) or len(target.values)
        in_test = math.ceil(count * min(1.0, config.test + 1 / n)) if config.test > 0 else 0
        if count - in_test >= outside or count > len(target.values):
            return count
        count += 1


def larger_parts(config: SplitConfig, target: Target) -> str:
    """Say what to type for parts that have a row of every class."""
    n, classes = len(target.values), len(target.classes)
    cut = {"valid": not config.is_kfold, "test": config.test > 0}
    names = [name for name, is_cut in cut.items() if is_cut]
    share = math.ceil(100 * classes / n) / 100
    if n - len(names) * round(share * n) >= classes * max(config.folds, 1):
        return "enlarge the parts with " + " ".join(f"--set split.{name}={share:g}" for name in names)
    return "add rows, or name another target"


def check_training_classes(target: Target, rows: Rows) -> None:
    """Refuse a split that leaves a class without training rows.

    Raises:
        DataError: the message names the class and the way out.
    """
    trained = np.unique(target.values[rows])
    absent = set(range(len(target.classes))) - set(trained.tolist())
    if absent:
        label = target.classes[min(absent)]
        way_out = _leave_out(1) if len(trained) >= 2 else "use another split"
        raise DataError(f"Class {label!r} has no training row: {way_out}.")


def _leave_out(minimum: int) -> str:
    return f"leave rare classes out with --set data.min_class_rows={minimum}"


def rows_in_words(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
