"""From Optuna's trials to the record's: how far a trial came, where it stands, what is known of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuning.metrics import Direction
from tuning.store._record import Details, DriverDeaths, Metrics, Placement, Status, TrialRecord

BEST = "best"
"""`best/7`: a trial's best score until its iteration 7, where it was between two iterations."""

DETAILS = "details"
DROPPED = "dropped"
"""`dropped/7`: the model of the family's trial 7 is not kept."""

RESULT = "result"
DRIVER_DEATHS = "driver_deaths"
TEST, TEST_DETAILS = "test", "test_details"
WHOLE_GPU = "whole_gpu"


def best_of(values: Iterable[float], direction: Direction) -> float | None:
    """Return the best finite value, None where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    pick = min if direction is Direction.MINIMIZE else max
    return pick(finite, default=None)


def best_so_far(trial: FrozenTrial, direction: Direction) -> dict[int, float]:
    """Return the best score until each reported iteration; NaN or inf only before any finite score.

    Records of earlier versions hold no score between two iterations; theirs follows from what they hold.
    """
    curve: dict[int, float] = {}
    best: float | None = None
    for iteration, value in sorted(trial.intermediate_values.items()):
        between = trial.user_attrs.get(f"{BEST}/{iteration}", math.nan)
        best = best_of([math.nan if best is None else best, value, between], direction)
        curve[iteration] = value if best is None else best
    return curve


def has_diverged(trial: FrozenTrial) -> bool:
    """Return whether a trial ended by NaN, inf or an exploding loss; to Optuna it failed."""
    return trial.state.is_finished() and _status(trial, driven=False) is Status.DIVERGED


def checkpoint_of(trial: FrozenTrial) -> str | None:
    """Return a trial's latest checkpoint, kept or not, relative to the study folder."""
    path: str | None = trial.user_attrs.get(RESULT, {}).get("checkpoint")
    return path or trial.user_attrs.get("checkpoint", {}).get("path")


def read_trial(
    model: str, trial: FrozenTrial, direction: Direction, family: Mapping[str, Any], *, driven: bool
) -> TrialRecord:
    """Return what the record holds of a trial.

    Args:
        model: family name.
        trial: as Optuna has it.
        direction: whether low or high scores are better.
        family: what is recorded of the family as a whole.
        driven: whether the study is being run now.
    """
    result = trial.user_attrs.get(RESULT, {})
    latest = trial.user_attrs.get("checkpoint", {})
    status = _status(trial, driven)
    best_values = best_so_far(trial, direction)
    checkpoint = checkpoint_of(trial)
    is_kept = f"{DROPPED}/{trial.number}" not in family
    so_far = latest.get("value") if status is Status.INTERRUPTED else best_of(best_values.values(), direction)
    test, test_details = _read_test(family, trial.number, checkpoint)
    details = {"valid": trial.user_attrs.get(DETAILS) if result else None, "test": test_details}
    return TrialRecord(
        model=model,
        number=trial.number,
        status=status,
        params=trial.user_attrs.get("params", {}),
        values=dict(sorted(trial.intermediate_values.items())),
        best_values=best_values,
        value=result.get("value", so_far),
        checkpoint=checkpoint if is_kept else None,
        is_kept=is_kept,
        placement=_placement(trial.user_attrs.get("placement")),
        train_seconds=result.get("train_seconds") or latest.get("train_seconds", 0.0),
        started_at=_with_zone(trial.datetime_start),
        ended_at=_with_zone(trial.datetime_complete),
        best_iteration=result.get("best_iteration", latest.get("best_iteration")),
        train=result.get("train", {}),
        valid=result.get("valid", {}),
        test=test,
        error=result.get("error"),
        attempts=trial.user_attrs.get("attempts", 1),
        details={part: each for part, each in details.items() if each},
        note=result.get("note"),
        whole_gpu=trial.user_attrs.get(WHOLE_GPU, False),
        driver_deaths=DriverDeaths(**trial.user_attrs.get(DRIVER_DEATHS, {})),
    )


def _read_test(family: Mapping[str, Any], number: int, checkpoint: str | None) -> tuple[Metrics, Details]:
    """Metrics and details of a trial on the test rows, where they are of its present checkpoint."""
    metrics = family.get(TEST, {}).get(str(number), {})
    details = family.get(f"{TEST_DETAILS}/{number}", {})
    return (
        metrics.get("metrics", {}) if metrics.get("checkpoint") == checkpoint else {},
        details.get(DETAILS, {}) if details.get("checkpoint") == checkpoint else {},
    )


def _status(trial: FrozenTrial, driven: bool) -> Status:
    if not trial.state.is_finished():
        return Status.RUNNING if driven else Status.INTERRUPTED
    if RESULT in trial.user_attrs:
        return Status(trial.user_attrs[RESULT]["status"])
    return {TrialState.COMPLETE: Status.COMPLETED, TrialState.PRUNED: Status.PRUNED}.get(
        trial.state, Status.FAILED
    )


def _with_zone(moment: datetime | None) -> datetime | None:
    """Optuna's times are local and do not say so."""
    return None if moment is None else moment.astimezone()


def _placement(raw: Mapping[str, Any] | None) -> Placement:
    return Placement() if raw is None else Placement(raw["node"], raw["device"], tuple(raw["gpus"]))
