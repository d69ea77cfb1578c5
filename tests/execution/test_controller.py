"""What the study's controller takes from Tune's own, and which idle worker it lends."""

from __future__ import annotations

import inspect
import re

import pytest
from ray.air.execution import ResourceRequest
from ray.air.execution._internal import TrackedActor
from ray.tune import tune as tune_module
from ray.tune.execution import tune_controller

from tuning.execution.controller import TUNE_INTERNALS, WorkerCache

QUARTER = ResourceRequest([{"CPU": 1, "GPU": 0.25}])
CPU = ResourceRequest([{"CPU": 1}])


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, names in TUNE_INTERNALS.items() for name in names],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_installed_tune_has_what_the_controller_relies_on(kind: type, name: str) -> None:
    assigned = re.search(rf"self\.{name}\b[^=\n(]*=", inspect.getsource(kind.__init__))  # type: ignore[misc]
    assert hasattr(kind, name) or assigned, f"{kind.__name__} has no {name} any more"


def test_tune_still_finds_its_controller_and_its_workers_manager_where_they_are_exchanged() -> None:
    assert "TuneController(**" in inspect.getsource(tune_module.run)
    assert "RayActorManager(resource_manager=" in inspect.getsource(tune_controller.TuneController.__init__)


@pytest.fixture
def excess() -> dict[TrackedActor, int]:
    """By idle worker, how many trials more its GPU has than the emptiest other one."""
    return {}


@pytest.fixture
def cache(excess: dict[TrackedActor, int]) -> WorkerCache:
    return WorkerCache(excess.__getitem__)


def keep(cache: WorkerCache, request: ResourceRequest) -> TrackedActor:
    worker = TrackedActor(len(cache.workers))
    cache.increase_max(request)
    assert cache.cache_object(request, worker)
    return worker


def test_the_idle_worker_on_the_emptiest_gpu_is_lent(
    cache: WorkerCache, excess: dict[TrackedActor, int]
) -> None:
    first, second = keep(cache, QUARTER), keep(cache, QUARTER)
    excess.update({first: 0, second: -1})
    assert cache.pop_cached_object(QUARTER) is second
    assert cache.pop_cached_object(QUARTER) is first
    assert cache.num_cached_objects == 0


def test_none_is_lent_on_a_gpu_that_has_more_trials_than_another(
    cache: WorkerCache, excess: dict[TrackedActor, int]
) -> None:
    crowded = keep(cache, QUARTER)
    excess[crowded] = 1
    assert not cache.has_cached_object(QUARTER)
    assert cache.pop_cached_object(QUARTER) is None
    excess[crowded] = 0
    assert cache.pop_cached_object(QUARTER) is crowded


def test_the_first_to_be_ended_is_the_one_on_the_fullest_gpu(
    cache: WorkerCache, excess: dict[TrackedActor, int]
) -> None:
    on_cpu, crowded = keep(cache, CPU), keep(cache, QUARTER)
    excess.update({on_cpu: 0, crowded: 1})
    assert cache.pop_most_crowded() is crowded
    assert cache.workers == [on_cpu]
