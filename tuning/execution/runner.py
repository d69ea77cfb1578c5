"""One `tune.Tuner` run over all families of a session."""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray import tune
from ray.tune import TuneError
from ray.tune.experiment import Trial

from tuning.errors import ExecutionError
from tuning.execution.bridge import SessionClock, SessionScheduler, SessionSearcher
from tuning.execution.controller import study_controller
from tuning.execution.placement import TrialPlacement
from tuning.execution.shares import Shares
from tuning.execution.trainable import StudyTrainable, WorkerContext
from tuning.session import Session, StudyFolder

logger = logging.getLogger(__name__)


def run_session(
    session: Session,
    context: WorkerContext,
    folder: StudyFolder,
    shares: Shares,
    gpu_families: frozenset[str],
    on_tick: Callable[[], None] = lambda: None,
) -> bool:
    """Run the session's trials until it is over.

    SIGINT or SIGTERM stops it: what runs writes a checkpoint and ends; a second signal ends at once.

    Returns:
        True when a signal stopped it.
    """
    folder.stop_file.unlink(missing_ok=True)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tuning-") as scratch, _stop_on_signals(session) as stopped:
        tuner = tune.Tuner(
            tune.with_resources(
                tune.with_parameters(StudyTrainable, context=context),
                lambda config: _resources(config, shares, gpu_families),
            ),
            tune_config=tune.TuneConfig(
                search_alg=SessionSearcher(session, shares.max_concurrent),
                scheduler=SessionScheduler(session, folder),
                num_samples=-1,
                max_concurrent_trials=shares.max_concurrent,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=scratch,
                callbacks=[SessionClock(session, on_tick)],
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                # Trials write their own checkpoints, into the study folder.
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        with study_controller(_placement(session, shares)):
            _fit(tuner)
    folder.stop_file.unlink(missing_ok=True)
    return stopped.is_set()


def _placement(session: Session, shares: Shares) -> TrialPlacement | None:
    """What spreads shares of GPUs; whole GPUs and CPUs Ray places well by itself."""
    planned = shares.gpu_slots
    if planned is None or shares.gpus >= 1:
        return None
    return TrialPlacement(shares.gpus, lambda slots: session.set_gpu_slots(min(slots, planned)))


def _fit(tuner: tune.Tuner) -> None:
    try:
        tuner.fit()
    except TuneError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ExecutionError(
            f"Ray Tune stopped: {reason}; what was recorded is safe, resume the study."
        ) from error


def _resources(
    config: dict[str, Any], shares: Shares, gpu_families: frozenset[str]
) -> tune.PlacementGroupFactory:
    bundle = {"CPU": shares.cpus}
    if shares.gpus and config["spec"].model in gpu_families:
        bundle["GPU"] = shares.gpus
    return tune.PlacementGroupFactory([bundle])


def _trial_name(trial: Trial) -> str:
    spec = trial.config["spec"]
    return f"{spec.id}" if spec.attempt == 1 else f"{spec.id}-attempt-{spec.attempt}"


@contextmanager
def _stop_on_signals(session: Session) -> Iterator[threading.Event]:
    """Let the first SIGINT or SIGTERM stop the session, and the second end the process."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        session.stop()
        for each, handler in previous.items():
            signal.signal(each, handler)

    for number in previous:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
