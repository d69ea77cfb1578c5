"""What a trial gets of CPUs and GPUs, for machines as people have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuning.config import ResourceConfig
from tuning.errors import InputError
from tuning.execution.cluster import smallest_gpu_gib
from tuning.execution.shares import Node, Shares, plan_shares


def planned(*nodes: Node, uses_gpu: bool = True, only_gpu: bool = False, **resources: Any) -> Shares:
    return plan_shares(ResourceConfig(**resources), nodes, uses_gpu=uses_gpu, only_gpu=only_gpu)


@pytest.mark.parametrize(
    ("node", "share", "slots"),
    [
        (Node(cpus=1, gpus=1), 1.0, 1),
        (Node(cpus=2, gpus=2), 1.0, 2),
        (Node(cpus=3, gpus=2), 0.5, 3),
        (Node(cpus=4, gpus=2), 0.5, 4),
        (Node(cpus=6, gpus=2), 0.3333, 6),
        (Node(cpus=8, gpus=2), 0.25, 8),
        (Node(cpus=64, gpus=2), 0.25, 8),
        (Node(cpus=16, gpus=1, gpu_gib=8), 0.5, 2),
        (Node(cpus=16, gpus=1, gpu_gib=2), 1.0, 1),
        (Node(cpus=16, gpus=1, gpu_gib=80), 0.25, 4),
    ],
)
def test_the_automatic_share_lets_all_trials_at_once_find_a_gpu(node: Node, share: float, slots: int) -> None:
    shares = planned(node)
    assert (shares.gpus, shares.gpu_slots) == (share, slots)


def test_few_trials_at_once_get_whole_gpus() -> None:
    assert planned(Node(cpus=64, gpus=8), max_concurrent=4).gpus == 1.0
    assert planned(Node(cpus=64, gpus=2), max_concurrent=4).gpus == 0.5


def test_only_cpus_beside_a_gpu_count_for_it() -> None:
    shares = planned(Node(cpus=60), Node(cpus=4, gpus=2))
    assert (shares.max_concurrent, shares.gpus, shares.gpu_slots) == (64, 0.5, 4)


def test_the_reason_says_what_decided() -> None:
    assert planned(Node(cpus=4, gpus=2)).gpu_reason == "4 at once on 2 GPUs, evenly"
    assert planned(Node(cpus=64, gpus=2)).gpu_reason == "2 GPUs, at most 4 trials on one"
    small = planned(Node(cpus=64, gpus=1, gpu_gib=7.99))
    assert small.gpu_reason == "1 GPU of 7.99 GiB, at least 3 GiB a trial"
    assert planned(Node(cpus=4, gpus=2), gpus_per_trial=0.5).gpu_reason == ""


def test_a_study_of_gpu_families_alone_divides_the_cpus_among_what_the_gpus_take() -> None:
    shares = planned(Node(cpus=64, gpus=2), only_gpu=True)
    assert (shares.max_concurrent, shares.cpus) == (8, 8.0)
    assert planned(Node(cpus=64, gpus=2)).max_concurrent == 64
    assert planned(Node(cpus=64, gpus=2), only_gpu=True, cpus_per_trial=2).cpus == 2.0


def test_a_given_share_is_taken_in_steps_that_ray_counts_in() -> None:
    shares = planned(Node(cpus=64, gpus=1), gpus_per_trial=1 / 6)
    assert (shares.gpus, shares.gpu_slots) == (0.1666, 6)
    assert planned(Node(cpus=64, gpus=2), gpus_per_trial=0.4).gpu_slots == 4, "two on each, and no fifth"
    assert planned(Node(cpus=64, gpus=3), Node(cpus=4, gpus=1), gpus_per_trial=2).gpu_slots == 1


@pytest.mark.parametrize("resources", [{"gpus_per_trial": 0}, {}])
def test_no_gpus_are_given_where_there_are_none_or_none_are_wanted(resources: dict[str, Any]) -> None:
    gpus = 2 if resources else 0
    shares = planned(Node(cpus=4, gpus=gpus), **resources)
    assert (shares.gpus, shares.gpu_slots) == (0.0, None)
    assert planned(Node(cpus=4, gpus=2), uses_gpu=False).gpus == 0.0


def test_a_trial_that_fits_on_no_node_is_refused() -> None:
    with pytest.raises(InputError, match=r"asks for 8 CPUs, the largest node has 4; lower it"):
        planned(Node(cpus=4), Node(cpus=4), cpus_per_trial=8)
    with pytest.raises(InputError, match=r"the largest node with a GPU has 2"):
        planned(Node(cpus=16), Node(cpus=2, gpus=1), cpus_per_trial=8)
    with pytest.raises(InputError, match=r"asks for 2 GPUs, the node with most has 1"):
        planned(Node(cpus=4, gpus=1), Node(cpus=4, gpus=1), gpus_per_trial=2)


def test_the_memory_of_the_smallest_gpu_is_what_its_driver_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert smallest_gpu_gib() is None
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 81920\necho 15360\n")
    driver.chmod(0o755)
    assert smallest_gpu_gib() == 15.0
    driver.write_text("#!/bin/sh\necho No devices were found\nexit 6\n")
    assert smallest_gpu_gib() is None


def test_more_trials_run_at_once_as_nodes_join_and_fewer_as_they_leave() -> None:
    first, second = Node(cpus=4, gpus=1), Node(cpus=8, gpus=2)
    shares = planned(first)
    grown = shares.on([first, second])
    assert (shares.max_concurrent, shares.gpu_slots) == (4, 4)
    assert (grown.max_concurrent, grown.gpu_slots) == (12, 12)
    assert (grown.cpus, grown.gpus) == (shares.cpus, shares.gpus), "workers can be used again"
    assert grown.on([first]).max_concurrent == 4


def test_trials_at_once_that_were_asked_for_stay_whatever_the_nodes() -> None:
    shares = planned(Node(cpus=4), max_concurrent=6)
    assert shares.on([Node(cpus=4), Node(cpus=8)]).max_concurrent == 6
    assert shares.on([]).max_concurrent == 6


def test_gpu_families_alone_are_bound_by_the_gpus_as_the_cluster_grows() -> None:
    shares = planned(Node(cpus=16, gpus=1), only_gpu=True)
    assert shares.max_concurrent == 4
    assert shares.on([Node(cpus=16, gpus=1), Node(cpus=16)]).max_concurrent == 4
    assert shares.on([Node(cpus=16, gpus=1), Node(cpus=16, gpus=1)]).max_concurrent == 8


def test_a_cluster_without_cpus_is_planned_for_the_node_that_the_first_trial_asks_for() -> None:
    empty = Node(cpus=0)
    shares = planned(empty)
    assert (shares.cpus, shares.gpus, shares.max_concurrent) == (1, 0, 1)
    assert shares.on([empty]).max_concurrent == 1
    assert shares.on([empty, Node(cpus=4)]).max_concurrent == 4
    given = planned(empty, cpus_per_trial=2, gpus_per_trial=0.5, max_concurrent=6)
    assert (given.cpus, given.gpus, given.max_concurrent) == (2, 0.5, 6)
    assert given.on([empty, Node(cpus=4, gpus=1)]).gpu_slots == 2
