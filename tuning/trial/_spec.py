"""What a trial is told at its start, and what it tells after each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.models import Schema, Table
from tuning.store import Result, trial_id


@dataclass(frozen=True)
class FoldRows:
    """What a trial may see of a fold: no test rows."""

    schema: Schema
    train: Table
    valid: Table


@dataclass(frozen=True)
class TrialSpec:
    """Everything that decides a trial's course.

    Attributes:
        model: family name.
        number: number within the family.
        params: all hyperparameters, as the model takes them.
        seed: seed of the models (each fold derives its own).
        max_iterations: R, the number of steps into which the budget is divided.
        checkpoint_iterations: iterations after which a checkpoint is written.
        checkpoint: folder to go on from, relative to the study folder; None: from the start.
        attempt: 1 for the first start, one more after each interruption.
        time_limit_s: training time after which the trial ends, with its best state, when its unit does.
        whole_gpu: it gets a GPU of its own where others of its family share one.
    """

    model: str
    number: int
    params: Mapping[str, Any]
    seed: int
    max_iterations: int
    checkpoint_iterations: frozenset[int]
    checkpoint: str | None = None
    attempt: int = 1
    time_limit_s: float | None = None
    whole_gpu: bool = False

    @property
    def id(self) -> str:
        return trial_id(self.model, self.number)


@dataclass(frozen=True)
class GpuShortage:
    """What is known where a trial did not get the GPU memory that it asked for.

    Attributes:
        share: of the GPU, that the trial had.
        reason: what the library said.
        peak_gib: the most that the trial had taken before; None where its library does not tell.
        total_gib: memory of the GPU, None where its library does not tell.
    """

    share: float
    reason: str
    peak_gib: float | None = None
    total_gib: float | None = None


@dataclass(frozen=True)
class Report:
    """What a trial tells after one iteration.

    Attributes:
        iteration: 1..R; 0 when the trial ended before its first score.
        value: validation score of the present state, None when the iteration was not finished.
        train_seconds: time spent so far on training and evaluating, earlier attempts included.
        checkpoint: checkpoint written in this step, relative to the study folder.
        result: how the trial ended, None while it goes on.
        interrupted: the trial was asked to stop, and has a checkpoint to go on from.
        best_value: validation score of the best state so far, which may lie between two iterations.
        best_iteration: iteration during which it was reached.
    """

    iteration: int
    value: float | None
    train_seconds: float
    checkpoint: str | None = None
    result: Result | None = None
    interrupted: bool = False
    best_value: float | None = None
    best_iteration: int | None = None

    @property
    def is_last(self) -> bool:
        return self.result is not None or self.interrupted
