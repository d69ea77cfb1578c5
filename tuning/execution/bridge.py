"""What Ray Tune calls during a run: searcher, scheduler and clock, all in front of one session."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import ray
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuning.execution.driver_side import DriverSide
from tuning.execution.failures import as_disk_full, describe, gpu_memory_error, is_worker_death
from tuning.execution.nodes import died_with_node
from tuning.execution.trainable import Message
from tuning.execution.watchdog import HANG_LIMITS, read_hang
from tuning.session import Session, StudyFolder
from tuning.storage import is_disk_full
from tuning.trial import TrialSpec

logger = logging.getLogger(__name__)

STOP_GRACE_S = 30.0


class SessionSearcher(DriverSide, Searcher):  # type: ignore[misc]
    """Hands Tune the session's trials."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._session.is_over():
            return str(Searcher.FINISHED)
        if len(self._session.live) >= self._session.slots:
            return None
        spec = self._session.next_trial()
        return None if spec is None else {"spec": spec}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing: the scheduler has told the session."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the record is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the record is the state."""


class SessionScheduler(DriverSide, FIFOScheduler):  # type: ignore[misc]
    """Takes every result to the session, which records it and decides."""

    def __init__(self, session: Session, folder: StudyFolder) -> None:
        super().__init__()
        self._session = session
        self._folder = folder
        self._placed: set[str] = set()
        self._failures: dict[str, Exception] = {}

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        spec: TrialSpec = trial.config["spec"]
        message: Message = result["message"]
        if trial.trial_id not in self._placed:
            self._placed.add(trial.trial_id)
            self._session.place(spec, message.placement)
        ends = any(self._session.report(spec, report) for report in message.reports)
        return str(TrialScheduler.STOP if ends else TrialScheduler.CONTINUE)

    def note_failure(self, trial: Trial, error: Exception) -> None:
        """Hear why a trial failed, before `on_trial_error`."""
        self._failures[trial.trial_id] = error

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        spec: TrialSpec = trial.config["spec"]
        error = self._failures.pop(trial.trial_id)
        hang, shortage = self._hang(spec), gpu_memory_error(error)
        if hang is not None:
            self._session.lost(spec, hang, may_retry=False)
        elif is_disk_full(error):
            self._session.out_of_disk(spec, as_disk_full(error, self._folder.trial(spec.id)))
        elif shortage is not None:
            self._session.out_of_gpu_memory(spec, shortage.shortage)
        else:
            reason, by_node = describe(error, self._session.slots), died_with_node(error)
            may_retry = is_worker_death(error) or by_node
            self._session.lost(spec, reason, may_retry=may_retry, node_died=by_node)

    def _hang(self, spec: TrialSpec) -> str | None:
        """Why and where the trial's watchdog ended it, None when it was something else."""
        stacks = read_hang(self._folder.trial(spec.id))
        if not stacks:
            return None
        return (
            f"The trial came to no end of a unit in {HANG_LIMITS} times its limit "
            f"of {spec.time_limit_s:g} s; raise resources.trial_time_limit_s if a unit may take so long; "
            f"it hung at:\n{stacks}"
        )


class SessionClock(DriverSide, Callback):  # type: ignore[misc]
    """Gives the session its time, also while no trial reports.

    Attributes:
        is_training: whether any trial has begun and not ended.
    """

    def __init__(self, session: Session, *on_tick: Callable[[], None]) -> None:
        self._session = session
        self._on_tick = on_tick
        self._killed: set[str] = set()
        self.is_training = False

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self._session.check_clock()
        self.is_training = any(trial.status == Trial.RUNNING for trial in trials)
        for call in self._on_tick:
            call()
        if self._session.stopping_s > STOP_GRACE_S:
            self._end_stragglers(trials)

    def _end_stragglers(self, trials: list[Trial]) -> None:
        """End what did not answer the wish to stop; a resume goes on from its last checkpoint."""
        for trial in trials:
            actor = trial.temporary_state.ray_actor
            if trial.status == Trial.RUNNING and actor is not None and trial.trial_id not in self._killed:
                self._killed.add(trial.trial_id)
                logger.warning("%s did not stop within %g s; its worker is ended.", trial, STOP_GRACE_S)
                ray.kill(actor)


class SessionStopper(DriverSide, Stopper):  # type: ignore[misc]
    """Ends a run that is to stop once nothing trains: trials that wait for a place might wait for ever."""

    def __init__(self, session: Session, clock: SessionClock) -> None:
        self._session = session
        self._clock = clock

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._session.is_stopping and not self._clock.is_training
