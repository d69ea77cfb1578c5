"""A study's leaderboard and its file formats."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from tuning.errors import RecordError
from tuning.leaderboard import _frame, _table
from tuning.metrics import Direction
from tuning.store import Status

if TYPE_CHECKING:
    import pandas as pd


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


@dataclass(frozen=True)
class Leaderboard:
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

    def to_json(self) -> str:
        """The content of `leaderboard.json`: strict JSON, null for what is missing or not finite."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; unknown keys are passed over.

        Raises:
            RecordError: the text is not a leaderboard.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the text"
            raise RecordError(f"The leaderboard cannot be read: {place}: {first['msg']}.") from error

    def to_frame(self) -> pd.DataFrame:
        """One row a trial, nested values flattened as `metrics.valid.rmse` and `params.max_depth`.

        Columns are nullable (`Int64`, `Float64`, `boolean`), so that a hyperparameter which only some
        families have stays an integer.
        """
        return _frame.to_frame(self)

    def to_csv(self) -> str:
        """The content of `leaderboard.csv`: the rows of `to_frame` at full precision."""
        return self.to_frame().to_csv(index=False, lineterminator="\n")

    def to_markdown(self, top: int | None = None, *, show_all: bool = False) -> str:
        """A GitHub table of the ranked rows, and a line on what it leaves out.

        Args:
            top: number of ranked rows; None: all.
            show_all: unranked rows too.
        """
        return _table.to_markdown(self, top, show_all)

    def table(self, top: int | None = None, show_all: bool = False) -> Table:
        """A table for the terminal, its hyperparameters cut to the width.

        Args:
            top: number of ranked rows; None: all.
            show_all: unranked rows too.
        """
        return _table.to_table(self, top, show_all)
