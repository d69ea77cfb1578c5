"""Tune's controller, with the placement of trials and the reuse of actors that a study needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ray.air.execution import AcquiredResources, ResourceRequest
from ray.air.execution._internal import RayActorManager, TrackedActor
from ray.tune import Callback
from ray.tune import tune as tune_module
from ray.tune.execution import tune_controller
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.utils.object_cache import _ObjectCache

from tuning.execution.failures import WorkerManager
from tuning.execution.names import NamedTasksController
from tuning.execution.placement import TrialPlacement

TUNE_INTERNALS: Mapping[type, tuple[str, ...]] = {
    TuneController: (
        "_actor_cache",
        "_actor_manager",
        "_actor_to_trial",
        "_maybe_add_actors",
        "_maybe_cache_trial_actor",
        "_maybe_reuse_cached_actor",
        "_pending_trials",
        "_pending_trials_list",
        "_process_trial_failure",
        "_remove_actor",
        "_resetting_trials",
        "_scheduler_alg",
        "_trial_to_actor",
    ),
    RayActorManager: ("get_actor_resources", "is_actor_started", "live_actors", "pending_actors"),
    _ObjectCache: ("_cached_objects", "_num_cached_objects"),
}
"""What the classes here override or read of Tune, and Tune does not promise to keep."""

# How long a trial waits for resources before idle workers are ended for it; free ones come much sooner.
_PATIENCE_S = 0.3


class WorkerCache(_ObjectCache):  # type: ignore[misc]
    """Workers that ended their trial and wait for the next one; Tune takes the first, here the best is taken.

    Args:
        excess: how many trials more a worker's GPU has than another that could take the trial.
    """

    def __init__(self, excess: Callable[[TrackedActor], int]) -> None:
        super().__init__(may_keep_one=True)
        self._excess = excess

    @property
    def workers(self) -> list[TrackedActor]:
        """All that wait."""
        return [worker for workers in self._cached_objects.values() for worker in workers]

    def has_cached_object(self, key: ResourceRequest) -> bool:
        """Whether a worker waits on whose GPU one more trial is as even as on any other."""
        return any(self._excess(worker) <= 0 for worker in self._cached_objects[key])

    def pop_cached_object(self, key: ResourceRequest) -> TrackedActor | None:
        """The waiting worker on the GPU with the fewest trials."""
        if not self.has_cached_object(key):
            return None
        return self._take(key, min(self._cached_objects[key], key=self._excess))

    def pop_most_crowded(self) -> TrackedActor:
        """The waiting worker that is missed least."""
        waiting = [(key, worker) for key, workers in self._cached_objects.items() for worker in workers]
        return self._take(*max(waiting, key=lambda item: self._excess(item[1])))

    def _take(self, key: ResourceRequest, worker: TrackedActor) -> TrackedActor:
        self._cached_objects[key].remove(worker)
        self._num_cached_objects -= 1
        return worker


class StudyController(NamedTasksController):
    """Lets a starting worker start, keeps the GPUs evenly loaded, and no worker idle while a trial waits.

    Tune gives a worker that has finished its trial to the next one that waits, and when that one's
    own worker is starting, ends it. With trials shorter than a worker's start, which loads libraries
    for seconds, everything would for ever run on one worker while the others start in vain.

    Args:
        placement: gives trials their resources; None: as Ray does by itself.
        study_callbacks: in addition to `callbacks`.
        callbacks: those that Tune was told of.
        options: the others of `TuneController`.
    """

    def __init__(
        self,
        placement: TrialPlacement | None = None,
        *,
        study_callbacks: Sequence[Callback] = (),
        callbacks: Sequence[Callback] | None = None,
        **options: Any,
    ) -> None:
        self._placement = placement
        self._asked_s: dict[TrackedActor, float] = {}
        factory = None if placement is None else lambda: placement
        super().__init__(
            resource_manager_factory=factory, callbacks=[*(callbacks or ()), *study_callbacks], **options
        )
        self._actor_cache = WorkerCache(self._excess)
        if placement is not None:
            placement.count_idle_by(self._idle_resources)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing for Tune's snapshot, which is never restored from: the study's record is the state."""
        return {}

    def on_step_end(self) -> None:
        """End an idle worker for every trial that waits, also one that holds what another kind needs."""
        super().on_step_end()
        now_s = time.monotonic()
        pending = self._actor_manager.pending_actors
        self._asked_s = {actor: self._asked_s.get(actor, now_s) for actor in pending}
        waiting = sum(now_s - since_s > _PATIENCE_S for since_s in self._asked_s.values())
        cached = len(self._actor_cache.workers)
        ending = len(self._idle_workers()) - cached
        for _ in range(min(waiting - ending, cached)):
            self._end_worker(self._actor_cache.pop_most_crowded())

    def _maybe_add_actors(self) -> None:
        """Offer idle workers to every trial that waits; Tune asks one, whose own worker may be starting."""
        super()._maybe_add_actors()
        for trial in self._pending_trials_list:
            if self._actor_cache.num_cached_objects and trial in self._pending_trials:
                self._maybe_reuse_cached_actor(trial)

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        own = self._trial_to_actor.get(trial)
        is_starting = own is not None and self._actor_manager.is_actor_started(own)
        if is_starting and trial not in self._resetting_trials:
            return False
        return bool(super()._maybe_reuse_cached_actor(trial))

    def _maybe_cache_trial_actor(self, trial: Trial) -> bool:
        """Not on a crowded GPU: the next trial starts on another."""
        if self._excess(self._trial_to_actor[trial]) > 1:
            return False
        return bool(super()._maybe_cache_trial_actor(trial))

    def _excess(self, worker: TrackedActor) -> int:
        resources = self._actor_manager.get_actor_resources(worker)
        return 0 if self._placement is None else self._placement.excess(resources)

    def _idle_workers(self) -> list[TrackedActor]:
        """Those that hold resources without a trial: they wait for one, or are ending."""
        live = self._actor_manager.live_actors
        return [worker for worker in live if worker not in self._actor_to_trial]

    def _idle_resources(self) -> list[AcquiredResources | None]:
        return [self._actor_manager.get_actor_resources(worker) for worker in self._idle_workers()]

    def _end_worker(self, worker: TrackedActor) -> None:
        worker.set_on_stop(None)
        worker.set_on_error(None)
        self._remove_actor(worker)

    def _process_trial_failure(self, trial: Trial, exception: Exception) -> None:
        """Tell the scheduler the error itself: Tune keeps its text alone, in a file."""
        self._scheduler_alg.note_failure(trial, exception)
        super()._process_trial_failure(trial, exception)


def _in_this_thread(ours: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes the one in the thread that asks now, and the other in all others."""
    owner = threading.get_ident()

    def make(*arguments: Any, **options: Any) -> Any:
        chosen = ours if threading.get_ident() == owner else original
        return chosen(*arguments, **options)

    return make


@contextmanager
def study_controller(
    placement: TrialPlacement | None = None, callbacks: Sequence[Callback] = ()
) -> Iterator[None]:
    """Make `tune.Tuner` use `StudyController` inside the block; it has no argument for it.

    Only in this thread: another may have a `tune.Tuner` of its own.

    Callbacks are better given here than to `tune.Tuner`, which imports the loggers that Ray knows, MLflow and
    all, only to count who uses them.

    At the end the placement gives back all that it holds.
    """
    original: Any = tune_module.TuneController
    original_manager = tune_controller.RayActorManager
    study_controller = partial(StudyController, placement, study_callbacks=callbacks)
    tune_module.TuneController = _in_this_thread(study_controller, original)
    tune_controller.RayActorManager = _in_this_thread(WorkerManager, original_manager)
    try:
        yield
    finally:
        tune_module.TuneController = original
        tune_controller.RayActorManager = original_manager
        if placement is not None:
            placement.clear()
