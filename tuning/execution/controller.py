"""Tune's controller, with the placement of trials and the reuse of actors that a study needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ray.tune import tune as tune_module
from ray.tune.experiment import Trial

from tuning.execution.names import NamedTasksController
from tuning.execution.placement import TrialPlacement


class StudyController(NamedTasksController):
    """Lets a starting actor start, and keeps the GPUs evenly loaded.

    Tune gives an actor that has finished its trial to the next one that waits, and when that one's
    own actor is starting, ends it. With trials shorter than an actor's start, which loads libraries
    for seconds, everything would for ever run on one actor while the others start in vain.

    Args:
        placement: gives trials their resources; None: as Ray does by itself.
        options: those of `TuneController`.
    """

    def __init__(self, placement: TrialPlacement | None = None, **options: Any) -> None:
        self._placement = placement
        factory = None if placement is None else lambda: placement
        super().__init__(resource_manager_factory=factory, **options)

    def __getstate__(self) -> dict[str, Any]:
        """For Tune's snapshot of the run, which has no use for where trials ran."""
        return {key: value for key, value in super().__getstate__().items() if key != "_placement"}

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        own = self._trial_to_actor.get(trial)
        is_starting = own is not None and self._actor_manager.is_actor_started(own)
        if is_starting and trial not in self._resetting_trials:
            return False
        return bool(super()._maybe_reuse_cached_actor(trial))

    def _maybe_cache_trial_actor(self, trial: Trial) -> bool:
        """Not on a crowded GPU: the next trial would run there too."""
        resources = self._actor_manager.get_actor_resources(self._trial_to_actor[trial])
        if self._placement is not None and self._placement.is_crowded(resources):
            return False
        return bool(super()._maybe_cache_trial_actor(trial))


@contextmanager
def study_controller(placement: TrialPlacement | None = None) -> Iterator[None]:
    """Make `tune.Tuner` use `StudyController` inside the block; it has no argument for it.

    At the end the placement gives back all that it holds.
    """
    original: Any = tune_module.TuneController
    tune_module.TuneController = partial(StudyController, placement)
    try:
        yield
    finally:
        tune_module.TuneController = original
        if placement is not None:
            placement.clear()
