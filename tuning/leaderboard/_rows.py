"""The rows of a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.metrics import Direction
from tuning.store import Status


@dataclass(frozen=True)
class LeaderboardRow:
    """One trial of a leaderboard.

    Attributes:
        rank: place from 1, None for a trial that is not ranked.
        model: family name.
        trial: the trial's id, `lightgbm-0007`.
        valid: best validation score, None without a finite one.
        test: the same metric on the test rows, None where it was not computed. It never ranks.
        metrics: `train`, `valid` and `test`, each with all metrics by name.
        params: hyperparameters, as the model takes them.
        iterations: iterations reported.
        seconds: time spent training and evaluating.
        started_at: ISO 8601.
        ended_at: ISO 8601.
        node: name of the machine.
        device: `cpu` or `cuda`.
        gpus: ids of the GPUs that Ray assigned.
        checkpoint: folder relative to the study folder.
        error: why the trial failed or diverged.
        number: number within the family, from 0.
        is_kept: whether its model is kept, to predict with.
        best_of_family: whether it is the best ranked trial of its family.
    """

    rank: int | None
    model: str
    trial: str
    status: Status
    valid: float | None
    test: float | None
    metrics: Mapping[str, Mapping[str, float | None]]
    params: Mapping[str, Any]
    iterations: int
    seconds: float
    started_at: str | None
    ended_at: str | None
    node: str
    device: str
    gpus: tuple[str, ...]
    checkpoint: str | None
    error: str | None
    number: int
    best_of_family: bool = False
    is_kept: bool = True


@dataclass(frozen=True)
class Ranking:
    """All trials of a study: ranked rows first, unranked ones last.

    Attributes:
        study: name of the study.
        task: kind of target.
        metric: name of the metric that ranks, on the validation rows.
        direction: whether low or high values of it are better.
        rows: one a trial.
    """

    study: str
    task: str
    metric: str
    direction: Direction
    rows: tuple[LeaderboardRow, ...]

    @property
    def best(self) -> LeaderboardRow | None:
        """The row of rank 1, None when nothing is ranked."""
        return self.rows[0] if self.ranked else None

    @property
    def ranked(self) -> tuple[LeaderboardRow, ...]:
        """The rows that have a rank, best first."""
        return tuple(row for row in self.rows if row.rank is not None)

    @property
    def unranked(self) -> tuple[LeaderboardRow, ...]:
        """The rows without a rank."""
        return tuple(row for row in self.rows if row.rank is None)
