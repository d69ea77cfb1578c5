"""Tune's controller with one flaw mended: it may not end an actor that is just starting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.tune import tune as tune_module
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial


class StudyController(TuneController):  # type: ignore[misc]
    """Lets a starting actor start.

    Tune gives an actor that has finished its trial to the next one that waits, and when that one's
    own actor is starting, ends it. With trials shorter than an actor's start, which loads libraries
    for seconds, everything would for ever run on one actor while the others start in vain.
    """

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        own = self._trial_to_actor.get(trial)
        is_starting = own is not None and self._actor_manager.is_actor_started(own)
        if is_starting and trial not in self._resetting_trials:
            return False
        return bool(super()._maybe_reuse_cached_actor(trial))


@contextmanager
def study_controller() -> Iterator[None]:
    """Make `tune.Tuner` use `StudyController` inside the block; it has no argument for it."""
    original: Any = tune_module.TuneController
    tune_module.TuneController = StudyController
    try:
        yield
    finally:
        tune_module.TuneController = original
