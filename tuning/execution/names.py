"""Names under which Ray's dashboard shows what runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.actor import ActorHandle
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial


def show_as(name: str, actor_class: type[Any]) -> type[Any]:
    """The class, under the name that the dashboard shall show; Tune's wrappers bear names of their own."""
    actor_class.__name__ = actor_class.__qualname__ = name
    return actor_class


class NamedCalls:
    """An actor's handle whose calls bear a name.

    Ray shows it as the name of the task, and as the title of the actor's process while the task runs.

    Args:
        actor: what is called.
        name: name of the calls.
    """

    def __init__(self, actor: ActorHandle, name: str) -> None:
        self._actor = actor
        self._name = name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self._actor, method).options(name=self._name)
        return call


class NamedTasksController(TuneController):  # type: ignore[misc]
    """Calls a worker by the name of the trial that it runs.

    Ray fixes an actor's own name and representation when it is made, and a worker runs one trial after the
    other: only its tasks can tell which one runs now.
    """

    def _schedule_trial_task(self, trial: Trial, method_name: str, *args: Any, **options: Any) -> Any:
        worker, live = self._trial_to_actor[trial], self._actor_manager._live_actors_to_ray_actors_resources
        if worker not in live:
            return super()._schedule_trial_task(trial, method_name, *args, **options)
        actor, resources = live[worker]
        # Tune looks the handle up here and has no argument for the name of a call.
        live[worker] = (NamedCalls(actor, str(trial)), resources)
        try:
            return super()._schedule_trial_task(trial, method_name, *args, **options)
        finally:
            live[worker] = (actor, resources)
