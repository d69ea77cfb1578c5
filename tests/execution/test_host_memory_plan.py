"""How many trials at once the nodes have memory for."""

from __future__ import annotations

from typing import Any

import pytest

from tuning.config import ResourceConfig
from tuning.errors import InputError
from tuning.execution.host_memory import PROCESS_GIB, Fit, plan_within_memory
from tuning.execution.shares import Node, plan_shares

ROWS_GIB = 1.5
NEEDED_GIB = PROCESS_GIB + ROWS_GIB


def planned(*nodes: Node, uses_gpu: bool = False, **resources: Any) -> Fit:
    return plan_within_memory(ResourceConfig(**resources), nodes, ROWS_GIB, uses_gpu=uses_gpu)


@pytest.mark.parametrize("memory_gib", [None, 16.0, 1000.0])
def test_what_fits_is_left_as_it_is(memory_gib: float | None) -> None:
    node = Node(cpus=8, memory_gib=memory_gib)
    assert planned(node) == Fit(plan_shares(ResourceConfig(), [node], uses_gpu=False))


def test_fewer_trials_at_once_get_the_cpus_of_those_that_do_not_fit() -> None:
    fit = planned(Node(cpus=8, memory_gib=4.2))
    assert (fit.shares.max_concurrent, fit.shares.cpus, fit.shares.memory_gib) == (2, 4.0, NEEDED_GIB)
    assert fit.notices == (
        "2 trials at once instead of 8: a trial is expected to take 2 GiB of memory, the node has 4.2 GiB.",
    )


def test_a_given_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        planned(Node(cpus=8, memory_gib=4.2), max_concurrent=4)
    assert str(refused.value) == (
        "resources.max_concurrent: a trial is expected to take 2 GiB of memory, the node has 4.2 GiB, "
        "so 2 fit at once, not 4; lower it to 2."
    )


def test_a_given_number_that_fits_is_kept_off_the_node_that_has_too_little() -> None:
    nodes = (Node(cpus=4, memory_gib=2.1), Node(cpus=4, memory_gib=100))
    fit = planned(*nodes, max_concurrent=4, cpus_per_trial=1)
    assert (fit.shares.max_concurrent, fit.shares.memory_gib, fit.notices) == (4, NEEDED_GIB, ())


def test_every_node_counts_by_what_it_has() -> None:
    fit = planned(Node(cpus=4, memory_gib=2.1), Node(cpus=4, memory_gib=100), cpus_per_trial=1)
    assert fit.shares.max_concurrent == 5
    assert "the largest node has 1e+02 GiB" not in fit.notices[0]
    assert "the smallest node has 2.1 GiB" in fit.notices[0]


def test_a_trial_that_fits_nowhere_runs_alone() -> None:
    fit = planned(Node(cpus=8, memory_gib=1.0), max_concurrent=3)
    assert (fit.shares.max_concurrent, fit.shares.memory_gib) == (1, 0.0)
    assert fit.notices == (
        "One trial at once: a trial is expected to take 2 GiB of memory, the node has 1 GiB.",
    )


def test_gpu_trials_are_planned_for_the_number_that_fits() -> None:
    fit = planned(Node(cpus=8, gpus=2, memory_gib=4.2), uses_gpu=True)
    assert (fit.shares.max_concurrent, fit.shares.gpus) == (2, 1.0)
