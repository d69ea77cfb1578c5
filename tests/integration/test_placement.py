"""Shares of two GPUs; `num_gpus=2` stands in for the cards, so nothing is computed on them."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import ray
from ray.util.placement_group import (
    PlacementGroup,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

from tests.integration.placed import CPU, Placed, free, share_of_gpu, wait_until
from tuning.execution.placement import SharedGpu

CPUS, GPUS = 8, 2

OTHER_JOB = """
import sys, time, ray, logging
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)

@ray.remote(num_cpus=0, num_gpus=1)
class Holder:
    def gpu(self):
        return ray.get_gpu_ids()[0]

holder = Holder.remote()
print(ray.get(holder.gpu.remote()), flush=True)
time.sleep(600)
"""

OTHER_STUDY = """
import sys, time, ray, logging
from tests.integration.placed import Placed, CPU, share_of_gpu
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
study = Placed(0.25)
study.want(share_of_gpu(0.25), 4)
study.want(CPU, 1)
study.until(lambda: len(study.running) == 5)
study.want(share_of_gpu(0.25), 9)
study.step()
print("running", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    context = ray.init(
        address="local", num_cpus=CPUS, num_gpus=GPUS, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(autouse=True)
def everything_is_free_again(address: str) -> Iterator[None]:
    yield
    wait_until(lambda: (free("CPU"), free("GPU")) == (CPUS, GPUS))


@pytest.fixture(params=[4, 8])
def cpus(request: pytest.FixtureRequest, address: str) -> Iterator[int]:
    """CPUs that are left to the study."""
    group = placement_group([{"CPU": CPUS - request.param}]) if request.param < CPUS else None
    if group is not None:
        ray.get(group.ready())
    yield request.param
    if group is not None:
        remove_placement_group(group)


def start_job(program: str, address: str) -> tuple[subprocess.Popen[str], str]:
    """Another driver on the same cluster, and the first line that it writes."""
    job = subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    return job, job.stdout.readline().strip()


@pytest.mark.parametrize("cpu_trials", [0, 3])
@pytest.mark.parametrize("at_once", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_trials_spread_and_no_slot_is_idle_while_one_waits(
    share: float, at_once: int, cpu_trials: int, cpus: int
) -> None:
    rng = random.Random(at_once)
    study, wanted = Placed(share), share_of_gpu(share)
    assert study.slots == GPUS / share
    # As a session hands trials out: no more at once than there are CPUs, the families in turns.
    backlog = [wanted] * at_once + [CPU] * cpu_trials + [wanted] * 3
    at_once = min(cpus, at_once + cpu_trials)
    while backlog or study.running:
        while backlog and len(study.running) + study.waiting.total() < at_once:
            study.want(backlog.pop(0))
        study.until(lambda: not study.waiting[CPU] and not (study.waiting[wanted] and study.has_slot))
        study.end(rng.choice(study.running), settle=bool(backlog))
    assert study.uneven == 0
    study.placement.clear()


@pytest.mark.parametrize("share", [0.25, 0.5, 1 / 3])
def test_both_gpus_fill_in_step(share: float, address: str) -> None:
    study = Placed(share)
    for trial in range(1, study.slots + 1):
        study.want(share_of_gpu(share))
        study.until(lambda trial=trial: len(study.running) == trial)  # type: ignore[misc]
        loads = study.loads()
        assert max(loads.values()) - (min(loads.values()) if len(loads) == GPUS else 0) <= 1
    study.placement.clear()


def test_actors_see_the_gpu_that_was_chosen_and_ray_counts_what_they_hold(address: str) -> None:
    @ray.remote
    class Trial:
        def gpu(self) -> str | None:
            return os.environ.get("CUDA_VISIBLE_DEVICES")

    study = Placed(0.25)
    study.want(share_of_gpu(0.25), 4)
    study.until(lambda: len(study.running) == 4)
    actors = [given.annotate_remote_entities([Trial])[0].remote() for given in study.running]
    seen = ray.get([actor.gpu.remote() for actor in actors])
    assert Counter(seen) == {"0": 2, "1": 2}
    assert len({given.gpu for given in study.running if isinstance(given, SharedGpu)}) == 2
    wait_until(lambda: free("CPU") == CPUS - 4)
    assert free("GPU") == 0, "both GPUs are the study's"
    for actor in actors:
        ray.kill(actor)
    study.placement.clear()


def test_a_gpu_of_another_job_is_left_alone_until_it_is_free(address: str) -> None:
    job, theirs = start_job(OTHER_JOB, address)
    assert theirs in {"0", "1"}
    study = Placed(0.5)
    assert study.slots == 2, "one GPU is ours"
    study.want(share_of_gpu(0.5), 4)
    study.want(CPU, 6)
    study.until(lambda: len(study.running) == 8)
    assert len(study.loads()) == 1
    assert study.waiting[share_of_gpu(0.5)] == 2, "they wait for a GPU, and hold no CPUs meanwhile"
    job.kill()
    job.wait()
    study.until(lambda: study.slots == 4)
    for given in [given for given in study.running if not isinstance(given, SharedGpu)]:
        study.end(given)
    study.until(lambda: study.waiting.total() == 0)
    assert sorted(study.loads().values()) == [2, 2]
    study.placement.clear()


def test_a_killed_driver_leaves_no_reservation_behind(address: str) -> None:
    job, line = start_job(OTHER_STUDY, address)
    assert line == "running"
    wait_until(lambda: free("GPU") == 0 and free("CPU") < CPUS)
    job.send_signal(signal.SIGKILL)
    job.wait()
    wait_until(lambda: (free("CPU"), free("GPU")) == (CPUS, GPUS))


def test_cpus_that_are_given_back_go_to_the_gpu_trial_that_waits_for_them(address: str) -> None:
    study, wanted = Placed(0.5), share_of_gpu(0.5)
    study.want(CPU, CPUS)
    study.until(lambda: len(study.running) == CPUS)
    study.want(wanted)
    study.step()
    study.end(study.running[0])
    until_s = time.monotonic() + 0.4
    study.until(lambda: time.monotonic() > until_s)
    study.want(CPU)
    study.until(lambda: len(study.running) == CPUS)
    assert study.waiting == {CPU: 1, wanted: 0}
    study.placement.clear()


def test_no_group_is_removed_before_it_is_placed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Ray is about to place would be lost to the node; see `UnwantedGroups`."""
    removed: Counter[str] = Counter()

    def remove(group: PlacementGroup) -> None:
        removed[placement_group_table(group)["state"]] += 1
        remove_placement_group(group)

    monkeypatch.setattr("tuning.execution.placement.remove_placement_group", remove)
    monkeypatch.setattr("tuning.execution.groups.remove_placement_group", remove)
    study, wanted = Placed(0.5), share_of_gpu(0.5)
    study.want(CPU, CPUS)
    study.until(lambda: len(study.running) == CPUS)
    study.want(wanted, 4)
    for given in study.running.copy():
        until_s = time.monotonic() + 0.4
        study.until(lambda until_s=until_s: time.monotonic() > until_s)  # type: ignore[misc]
        study.end(given)
    study.until(lambda: study.waiting.total() == 0)
    assert len(study.running) == 4
    study.placement.clear()
    assert set(removed) == {"CREATED"}
    assert removed["CREATED"] > 4, "some were given up"


def test_requests_are_withdrawn_in_any_state(address: str) -> None:
    study, wanted = Placed(0.5), share_of_gpu(0.5)
    study.want(wanted, 7)
    study.until(lambda: len(study.running) == 4)
    study.end(study.running[0])
    for _ in range(3):
        study.placement.cancel_resource_request(wanted)
    study.waiting.clear()
    study.step()
    wait_until(lambda: free("CPU") == CPUS - 3)
    assert sorted(study.loads().values()) == [1, 2]
    assert not study.placement.has_resources_ready(wanted), "nothing is left of the requests"
    study.placement.clear()


def test_gpus_are_given_back_while_nothing_wants_one(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.execution.gpus._IDLE_S", 0.1)
    study = Placed(0.5)
    study.want(share_of_gpu(0.5))
    study.until(lambda: len(study.running) == 1)
    study.end(study.running[0])
    wait_until(lambda: (study.step(), free("GPU") == GPUS)[1])
    assert study.slots == 4, "what it can have again"
    study.want(share_of_gpu(0.5), 4)
    study.until(lambda: len(study.running) == 4)
    study.placement.clear()


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_trial_that_needs_a_whole_gpu_gets_one_while_shares_keep_coming(share: float, address: str) -> None:
    study, wanted, whole = Placed(share), share_of_gpu(share), share_of_gpu(1.0)
    study.want(wanted, study.slots)
    study.until(lambda: len(study.running) == study.slots)
    study.want(whole)
    while len(loads := study.loads()) == GPUS:
        study.want(wanted)
        study.end(min(study.running, key=lambda given: loads[given.gpu]), settle=True)  # type: ignore[attr-defined]
        study.step()
    study.until(lambda: not study.waiting[whole])
    (alone,) = [given for given in study.running if given.resource_request == whole]
    assert isinstance(alone, SharedGpu)
    assert study.loads()[alone.gpu] == 1, "nothing else runs on its GPU"
    assert any(given.resource_request == wanted for given in study.running), "the other GPU is not kept free"
    study.end(alone)
    study.until(lambda: not study.waiting[wanted])
    assert len(study.loads()) == GPUS, "its GPU takes shares again"
    study.placement.clear()
