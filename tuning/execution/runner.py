"""One `tune.Tuner` run over all families of a session."""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray import tune
from ray.tune import TuneError
from ray.tune.experiment import Trial

from tuning.errors import ExecutionError
from tuning.execution.bridge import SessionClock, SessionScheduler, SessionSearcher, SessionStopper
from tuning.execution.cluster import GIB
from tuning.execution.context import WorkerContext
from tuning.execution.controller import study_controller
from tuning.execution.names import show_as
from tuning.execution.nodes import Capacity
from tuning.execution.placement import TrialPlacement
from tuning.execution.shares import Shares
from tuning.execution.trainable import StudyTrainable
from tuning.execution.training import GroupSize
from tuning.execution.workers import share_context
from tuning.session import Session, StudyFolder
from tuning.surroundings import log_levels

logger = logging.getLogger(__name__)

# How many run at once is the session's to say; Tune is never to be the one that waits.
_UNLIMITED = 1_000_000

# For the actor of a trial that several workers train, which hold the CPUs: Tune has to ask for something.
_NEXT_TO_NOTHING = {"memory": 1}


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
    folder.mirror.delete(folder.stop_file)
    capacity = Capacity(session, shares)
    clock = SessionClock(session, capacity.follow_nodes, on_tick)
    with (
        log_levels({"ray.tune": logging.CRITICAL}),
        tempfile.TemporaryDirectory(prefix="tuning-") as scratch,
        _stop_on_signals(session) as stopped,
    ):
        tuner = tune.Tuner(
            _worker_class(context, shares, gpu_families),
            tune_config=tune.TuneConfig(
                search_alg=SessionSearcher(session),
                scheduler=SessionScheduler(session, folder),
                num_samples=-1,
                max_concurrent_trials=_UNLIMITED,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=scratch,
                stop=SessionStopper(session, clock),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                # Trials write their own checkpoints, into the study folder.
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        with study_controller(_placement(shares, capacity), [clock]):
            _fit(tuner)
    folder.mirror.delete(folder.stop_file)
    return stopped.is_set()


def _worker_class(
    context: WorkerContext, shares: Shares, gpu_families: frozenset[str]
) -> type[tune.Trainable]:
    """The trainable with what all trials share, and with what each asks for."""
    # What each asks for travels with the class to every worker: it must not lead to the rows.
    groups = context.groups
    workers = tune.with_resources(
        tune.with_parameters(StudyTrainable, context=context, shared=share_context(context)),
        lambda config: _resources(config, shares, gpu_families, groups),
    )
    return show_as(StudyTrainable.__name__, workers)


def _placement(shares: Shares, capacity: Capacity) -> TrialPlacement | None:
    """What spreads shares of GPUs; whole GPUs and CPUs Ray places well by itself."""
    if shares.gpu_slots is None or shares.gpus >= 1 or shares.workers > 1:
        return None
    return TrialPlacement(shares.gpus, capacity.hold_gpu_slots, shares.gpus_wanted)


def _fit(tuner: tune.Tuner) -> None:
    try:
        tuner.fit()
    except TuneError as error:
        if (own := _own_error(error)) is not None:
            raise own from error
        reason = str(error).strip().splitlines()[-1]
        raise ExecutionError(
            f"Ray Tune stopped: {reason}; what was recorded is safe, resume the study."
        ) from error


def _own_error(error: BaseException) -> ExecutionError | None:
    """Return what the session raised, where Tune has wrapped that."""
    while error.__context__ is not None:
        error = error.__context__
        if isinstance(error, ExecutionError):
            return error
    return None


def _resources(
    config: dict[str, Any],
    shares: Shares,
    gpu_families: frozenset[str],
    groups: Mapping[str, GroupSize],
) -> tune.PlacementGroupFactory:
    if config["spec"].model in groups:
        return tune.PlacementGroupFactory([_NEXT_TO_NOTHING])
    bundle = {"CPU": shares.cpus_alone}
    if shares.gpus and config["spec"].model in gpu_families:
        bundle["GPU"] = max(1.0, shares.gpus) if config["spec"].whole_gpu else shares.gpus
    if shares.memory_gib:
        bundle["memory"] = int(shares.memory_gib * GIB)
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
