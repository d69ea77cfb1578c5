"""Splitting series by time: training, then validation, then the test."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._offers import setting
from tuning.data._split import TEST, TRAIN, VALID
from tuning.data.config import SplitConfig
from tuning.data.series._history import History
from tuning.errors import DataError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Time steps from `start` up to, not including, `end`."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class FoldSpans:
    """Where the targets of each part of one fold lie."""

    train: Span
    valid: Span
    test: Span


@dataclass(frozen=True)
class Cut:
    """The time steps at which one part ends and the next begins.

    Attributes:
        starts: first step of each validation block, then of the test.
        end: the step after the last one with a target.
    """

    starts: tuple[int, ...]
    end: int

    @property
    def folds(self) -> tuple[FoldSpans, ...]:
        """One a validation block: trained on all that lies before it."""
        bounds = (*self.starts, self.end)
        test = Span(*bounds[-2:])
        return tuple(
            FoldSpans(Span(0, start), Span(start, end), test) for start, end in pairwise(bounds[:-1])
        )


def make_cut(history: History, split: SplitConfig, horizon: int) -> Cut:
    """Cut the time that has targets.

    Raises:
        DataError: a part is shorter than the horizon, or nothing is left to train on.
    """
    end = _end(history)
    n_folds = max(split.folds, 1)
    _check_horizon(horizon, end, n_folds + (split.test > 0))
    n_test = _steps(split.test, end)
    _check_length("test", n_test, horizon, end, is_wanted=split.test > 0)
    n_valid = _steps(split.valid, end)
    if split.valid < 1 and split.is_kfold:
        n_valid = min(n_valid, (end - n_test) // (n_folds + 1)) or (end - n_test) // (n_folds + 1)
    _check_length("valid", n_valid, horizon, end)
    first = end - n_test - n_folds * n_valid
    if first < 1:
        parts = (
            f"split.test={n_test} and {n_folds} times split.valid={n_valid}"
            if n_folds > 1
            else (f"split.test={n_test} and split.valid={n_valid}")
        )
        raise DataError(f"{parts} leave none of the {end} time steps to train on: lower them.")
    starts = [first + number * n_valid for number in range(n_folds + 1)]
    return Cut(tuple(_at_rows(history, np.array(starts), end)), end)


def record(history: History, cut: Cut) -> pd.DataFrame:
    """The parts of the file's rows: one line per row up to the last target, with row, part and fold."""
    block = np.searchsorted(np.array(cut.starts), np.arange(cut.end), side="right")  # 0 is training
    number = len(cut.starts)
    names = np.array([TRAIN, *[VALID] * (number - 1), TEST], dtype=object)
    folds = np.array([-1, *range(number - 1), -1])
    series, step = np.nonzero(history.rows[:, : cut.end] >= 0)
    frame = pd.DataFrame(
        {
            "row": history.rows[series, step],
            "part": names[block[step]].astype(str),
            "fold": folds[block[step]],
        }
    )
    return frame.sort_values("row").reset_index(drop=True)


def from_record(history: History, splits: pd.DataFrame) -> Cut:
    """The cut that a record was made by.

    Raises:
        DataError: the record belongs to another table.
    """
    if not {"row", "part", "fold"} <= set(splits.columns) or set(splits["part"]) - {TRAIN, VALID, TEST}:
        raise DataError("The recorded splits must have the columns row, part (train, valid, test) and fold.")
    series, step = np.nonzero(history.rows >= 0)
    step_of_row = pd.Series(step, index=history.rows[series, step])
    if not splits["row"].isin(step_of_row.index).all():
        raise DataError(
            "The recorded splits do not fit the data (they name rows that it lacks): the file has changed."
        )
    steps = step_of_row.loc[splits["row"]].to_numpy()
    part, fold = splits["part"].to_numpy(), splits["fold"].to_numpy()
    end = int(steps.max()) + 1
    blocks = [(part == VALID) & (fold == number) for number in range(int(fold.max()) + 1)]
    starts = [int(steps[rows].min()) for rows in blocks]
    test = steps[part == TEST]
    return Cut((*starts, int(test.min()) if len(test) else end), end)


def _end(history: History) -> int:
    known = np.flatnonzero(np.isfinite(history.target).any(axis=0))
    return int(known[-1]) + 1 if len(known) else 0


def _steps(part: float, end: int) -> int:
    """A share of the time, or a number of steps, as a number of steps."""
    return int(part) if part >= 1 else round(part * end)


def _check_horizon(horizon: int, end: int, n_parts: int) -> None:
    """Refuse a horizon that no split leaves room for: every part and the training need so many steps."""
    if (n_parts + 1) * horizon >= end:
        folds = "" if n_parts <= 2 else ", or split.folds"
        raise DataError(
            f"data.horizon: {horizon} steps ahead are too many for {end} time steps, as training, validation "
            f"and test need more than that each: lower the horizon{folds}."
        )


def _check_length(name: str, steps: int, horizon: int, end: int, *, is_wanted: bool = True) -> None:
    if is_wanted and steps < horizon:
        raise DataError(
            f"split.{name}: the part has {steps} of the {end} time steps, less than the horizon of "
            f"{horizon}: give {setting(f'split.{name}', horizon)} or more."
        )


def _at_rows(history: History, starts: IntArray, end: int) -> list[int]:
    """The starts, moved on to steps where the file has rows, so that its record tells them exactly."""
    taken = np.append(np.flatnonzero((history.rows[:, :end] >= 0).any(axis=0)), end)
    return [int(step) for step in taken[np.searchsorted(taken, starts)]]
