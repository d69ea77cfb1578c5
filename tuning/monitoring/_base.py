"""What a monitor is told, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tuning.store import TrialRecord
from tuning.trial import Report, TrialSpec

TENSORBOARD_FOLDER = "tensorboard"
"""Folder of the event files in the study folder."""


@dataclass(frozen=True)
class FollowedStudy:
    """The study that is followed.

    Attributes:
        name: of the study.
        metric: name of the metric that is searched on.
        created_at: when it was set up; with the name it tells the study from others of that name.
        folder: study folder.
    """

    name: str
    metric: str
    created_at: str
    folder: Path


class Monitor(Protocol):
    """Shows a study's trials elsewhere. Whatever it is told is in the record already."""

    def catch_up(self, records: Sequence[TrialRecord]) -> None:
        """Show what the record says of all trials, as far as that is not shown yet.

        Called at the start of a run, for what a kill kept from being shown, and at its end, when no trial
        runs any more and the best ones have test metrics.
        """

    def start(self, spec: TrialSpec) -> None:
        """A trial starts, or goes on."""

    def report(self, spec: TrialSpec, report: Report) -> None:
        """A trial has finished an iteration; `report.value` is its score."""

    def end(self, record: TrialRecord) -> None:
        """A trial has ended."""

    def close(self) -> None:
        """Nothing more will be told."""


def iteration_scalars(metric: str, report: Report) -> dict[str, float]:
    """What is shown of one iteration, by name."""
    scalars = {
        f"iteration/{metric}": report.value,
        f"iteration/best_{metric}": report.best_value,
        "iteration/train_seconds": report.train_seconds,
    }
    return {name: value for name, value in scalars.items() if value is not None}


def final_scalars(record: TrialRecord) -> dict[str, float]:
    """What is shown of a trial's end, by name: metrics on the training and validation rows, and times."""
    return {
        **_by_part("train", record.train),
        **_by_part("valid", record.valid),
        **({} if record.value is None else {"best_value": record.value}),
        "train_seconds": record.train_seconds,
    }


def test_scalars(record: TrialRecord) -> dict[str, float]:
    """The metrics on the test rows, by name; empty but for the best of a family."""
    return _by_part("test", record.test)


def _by_part(part: str, metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{part}/{name}": value for name, value in metrics.items()}
