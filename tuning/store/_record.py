"""What the record holds of one trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tuning.errors import RecordError

Metrics = Mapping[str, float]
Details = Mapping[str, Any]


class Status(StrEnum):
    """Where a trial stands."""

    COMPLETED = "completed"
    PRUNED = "pruned"
    FAILED = "failed"
    DIVERGED = "diverged"
    RUNNING = "running"
    INTERRUPTED = "interrupted"

    @property
    def is_finished(self) -> bool:
        return self not in (Status.RUNNING, Status.INTERRUPTED)

    @property
    def is_ranked(self) -> bool:
        """Whether a trial in this state may enter the ranking (given a score)."""
        return self in (Status.COMPLETED, Status.PRUNED, Status.INTERRUPTED)


@dataclass(frozen=True)
class Placement:
    """Where a trial ran: node name, device (`cpu` or `cuda`), ids of the GPUs that Ray assigned."""

    node: str = ""
    device: str = "cpu"
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True)
class DriverDeaths:
    """How often the driver died while a trial ran.

    Attributes:
        count: deaths in a row before which the trial had no new score.
        attempts: starts of the trial until the last of them.
        iterations: that the trial had reported by then.
    """

    count: int = 0
    attempts: int = 0
    iterations: int = -1

    def and_one(self, attempts: int, iterations: int) -> DriverDeaths:
        """Add the death that ended an attempt; one that brought a score begins the row anew."""
        count = self.count + 1 if iterations <= self.iterations else 1
        return DriverDeaths(count, attempts, iterations)


@dataclass(frozen=True)
class Result:
    """How a trial ended.

    Attributes:
        status: a finished status.
        value: best validation score; None when nothing was reported.
        best_iteration: iteration (1..R) at which the best score was reached.
        train: metrics of the best state on the training rows.
        valid: metrics of the best state on the validation rows.
        error: why it failed or diverged, with the traceback where there is one.
        details: of the best state on the validation rows, as `tuning.metrics.describe` has them.
        note: why it ended before its whole budget, where that is neither patience nor an error.
    """

    status: Status
    value: float | None = None
    best_iteration: int | None = None
    train: Metrics = field(default_factory=dict)
    valid: Metrics = field(default_factory=dict)
    error: str | None = None
    details: Details = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the record has it.

    Attributes:
        model: family name.
        number: number within the family, from 0.
        params: searched hyperparameters, as the model takes them.
        values: validation score by iteration, of the state at its end.
        best_values: validation score of the best state until each of them, which may lie between two.
        value: validation score of what can be predicted with: of the final state, or of the checkpoint of
            an interrupted trial (None without one); of a running trial the best score reported so far.
        checkpoint: folder relative to the study folder, None before the first checkpoint and where the model
            is not kept.
        train_seconds: time spent training and evaluating.
        started_at: with its time zone.
        ended_at: with its time zone, None for an unfinished trial.
        test: metrics of the present checkpoint on the test rows, only for trials that were the best of
            their family at an end.
        details: what `tuning.metrics.describe` tells of the parts `valid` and `test`; a part is left out
            where there is none, as for pruned trials and regression.
        note: why it ended before its whole budget, where that is neither patience nor an error.
        is_kept: its model is kept; False once `storage.keep_trials` had it deleted.
        whole_gpu: its share of a GPU was too small for it, so it was given a whole one.
        driver_deaths: how often the driver died while it ran.
    """

    model: str
    number: int
    status: Status
    params: Mapping[str, Any]
    values: Mapping[int, float]
    value: float | None
    checkpoint: str | None
    placement: Placement
    train_seconds: float
    started_at: datetime | None
    ended_at: datetime | None
    best_iteration: int | None = None
    train: Metrics = field(default_factory=dict)
    valid: Metrics = field(default_factory=dict)
    test: Metrics = field(default_factory=dict)
    error: str | None = None
    attempts: int = 1
    details: Details = field(default_factory=dict)
    whole_gpu: bool = False
    driver_deaths: DriverDeaths = DriverDeaths()
    best_values: Mapping[int, float] = field(default_factory=dict)
    note: str | None = None
    is_kept: bool = True

    @property
    def id(self) -> str:
        """`lightgbm-0007`: also the name of the trial's folder."""
        return trial_id(self.model, self.number)

    def require_checkpoint(self) -> str:
        """Return the checkpoint.

        Raises:
            RecordError: there is none.
        """
        if self.checkpoint is not None:
            return self.checkpoint
        if self.is_kept:
            raise RecordError(
                f"{self.id} has no checkpoint: it ended before its first score; name another trial."
            )
        raise RecordError(
            f"{self.id} has only its record: storage.keep_trials had its model deleted; "
            f"name best, or {self.model} for the best of its family."
        )

    @property
    def iterations(self) -> int:
        """Iterations reported, 0 before the first."""
        return max(self.values, default=0)


@dataclass(frozen=True)
class Run:
    """One run of a study, from its start or resume to its end.

    Attributes:
        budget_s: wall time that it might take; None: no limit.
        used_s: wall time that it took, as last recorded.
        ended: it came to its end, so leaderboard and bundle are of its last state; False after a kill.
    """

    budget_s: float | None = None
    used_s: float = 0.0
    ended: bool = False

    @property
    def left_s(self) -> float | None:
        """What it left of its budget, None without one."""
        return None if self.budget_s is None else max(0.0, self.budget_s - self.used_s)


def trial_id(model: str, number: int) -> str:
    """Readable id of a trial.

    >>> trial_id("lightgbm", 7)
    'lightgbm-0007'
    """
    return f"{model}-{number:04d}"
