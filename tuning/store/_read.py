"""Entries of the Optuna storage, read as a trial's record has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuning.store._record import Details, Metrics, Placement, Status

TEST, TEST_DETAILS, DETAILS = "test", "test_details", "details"


def read_test(family: Mapping[str, Any], number: int, checkpoint: str | None) -> tuple[Metrics, Details]:
    """Read metrics and details of a trial on the test rows, where they are of its present checkpoint."""
    metrics = family.get(TEST, {}).get(str(number), {})
    details = family.get(f"{TEST_DETAILS}/{number}", {})
    return (
        metrics.get("metrics", {}) if metrics.get("checkpoint") == checkpoint else {},
        details.get(DETAILS, {}) if details.get("checkpoint") == checkpoint else {},
    )


def read_status(trial: FrozenTrial, driven: bool) -> Status:
    """Return where a trial stands; one that Optuna takes for running is so only while its study is driven."""
    if not trial.state.is_finished():
        return Status.RUNNING if driven else Status.INTERRUPTED
    if "result" in trial.user_attrs:
        return Status(trial.user_attrs["result"]["status"])
    return {TrialState.COMPLETE: Status.COMPLETED, TrialState.PRUNED: Status.PRUNED}.get(
        trial.state, Status.FAILED
    )


def with_zone(moment: datetime | None) -> datetime | None:
    """Add the time zone to one of Optuna's times, which are local and do not say so."""
    return None if moment is None else moment.astimezone()


def read_placement(raw: Mapping[str, Any] | None) -> Placement:
    """Read where a trial ran."""
    return Placement() if raw is None else Placement(raw["node"], raw["device"], tuple(raw["gpus"]))
