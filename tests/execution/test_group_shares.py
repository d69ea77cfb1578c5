"""What each of several workers that train a trial gets."""

from __future__ import annotations

from typing import Any

import pytest

from tuning.config import ResourceConfig
from tuning.errors import InputError
from tuning.execution.refit import plan_refit
from tuning.execution.shares import Node, Shares, plan_shares
from tuning.execution.training import GroupSize


def planned(*nodes: Node, only_gpu: bool = False, **resources: Any) -> Shares:
    return plan_shares(ResourceConfig(**resources), nodes, uses_gpu=True, only_gpu=only_gpu)


def test_cpus_are_divided_among_the_workers_of_all_trials_at_once() -> None:
    shares = planned(Node(cpus=8), workers_per_trial=2, max_concurrent=2)
    assert (shares.max_concurrent, shares.workers, shares.cpus) == (2, 2, 2.0)
    assert (shares.cpus_alone, shares.threads) == (4.0, 4)


def test_workers_may_lie_on_several_nodes_and_a_lone_one_cannot() -> None:
    shares = planned(Node(cpus=3), Node(cpus=5), workers_per_trial=4, max_concurrent=1)
    assert (shares.max_concurrent, shares.cpus) == (1, 1.0)
    shares = planned(Node(cpus=4), Node(cpus=4), workers_per_trial=2, cpus_per_trial=4)
    assert (shares.max_concurrent, shares.cpus, shares.cpus_alone) == (1, 4.0, 4.0)


def test_each_worker_has_a_gpu_of_its_own_where_there_are_any() -> None:
    shares = planned(Node(cpus=8, gpus=4), workers_per_trial=2)
    assert (shares.gpus, shares.gpu_slots, shares.max_concurrent) == (1.0, 2, 4)
    shares = planned(Node(cpus=8, gpus=4), workers_per_trial=2, only_gpu=True)
    assert (shares.max_concurrent, shares.group(uses_gpu=True)) == (2, GroupSize(2, 2.0, 1.0))
    assert shares.group(uses_gpu=False) == GroupSize(2, 2.0, 0.0)


def test_no_more_trials_than_there_is_room_for() -> None:
    shares = planned(Node(cpus=2), workers_per_trial=2, cpus_per_trial=0.5, max_concurrent=9)
    assert shares.max_concurrent == 2


@pytest.mark.parametrize(
    ("node", "resources", "message"),
    [
        (Node(cpus=2), {"workers_per_trial": 3}, "the cluster has room for 2 workers with 1 CPUs each"),
        (Node(cpus=8, gpus=1), {"workers_per_trial": 2}, "room for 1 workers with 1 CPUs and 1 GPUs each"),
    ],
)
def test_too_many_workers_are_refused(node: Node, resources: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        planned(node, **resources)


def test_a_final_fit_has_a_worker_for_every_gpu() -> None:
    nodes = [Node(cpus=4, gpus=2), Node(cpus=8, gpus=1)]
    assert plan_refit(nodes, None, uses_gpu=True, can_share=True) == GroupSize(3, 2.0, 1.0)
    assert plan_refit(nodes, None, uses_gpu=False, can_share=True).workers == 1
    assert plan_refit(nodes, 2, uses_gpu=False, can_share=True) == GroupSize(2, 4.0, 0.0)
    assert plan_refit(nodes, 5, uses_gpu=True, can_share=False).workers == 1


def test_a_final_fit_asks_for_no_more_workers_than_gpus() -> None:
    with pytest.raises(InputError, match=r"--workers: 4 are more than the cluster's 3 GPUs; lower it\."):
        plan_refit([Node(cpus=8, gpus=3)], 4, uses_gpu=True, can_share=True)
