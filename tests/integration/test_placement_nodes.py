"""Shares of GPUs on two machines with one each; two raylets stand in for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group, remove_placement_group

from tests.integration.placed import CPU, Placed, free, share_of_gpu, wait_until
from tuning.execution import cluster_nodes
from tuning.execution.gpus import node_of
from tuning.execution.placement import SharedGpu
from tuning.execution.shares import Node

QUARTER = share_of_gpu(0.25)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # A folder of its own, or every later `ray.init` would look for this cluster.
    scratch = tmp_path_factory.mktemp("ray", numbered=True)
    link = Path("/tmp") / f"placement-{scratch.parent.name}"
    link.unlink(missing_ok=True)
    link.symlink_to(scratch)
    cluster = Cluster()
    cluster.add_node(num_cpus=4, num_gpus=1, include_dashboard=False, temp_dir=str(link))
    cluster.add_node(num_cpus=4, num_gpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    link.unlink()


@pytest.fixture
def study(cluster: Cluster) -> Iterator[Placed]:
    study = Placed(0.25)
    yield study
    study.placement.clear()
    wait_until(lambda: (free("CPU"), free("GPU")) == (8, 2))


def shared(study: Placed) -> list[SharedGpu]:
    return [given for given in study.running if isinstance(given, SharedGpu)]


@pytest.mark.usefixtures("cluster")
def test_the_machines_are_seen_as_they_are() -> None:
    seen = [replace(node, memory_gib=None) for node in cluster_nodes()]
    assert seen == [Node(cpus=4.0, gpus=1), Node(cpus=4.0, gpus=1)]


@pytest.mark.parametrize("trials", [2, 4, 6, 8])
def test_trials_spread_over_nodes_and_have_their_cpus_beside_the_gpu(study: Placed, trials: int) -> None:
    study.want(QUARTER, trials)
    study.until(lambda: len(study.running) == trials)
    assert Counter(study.loads().values()) == {trials // 2: 2}
    assert all(node_of(given.cpus) == given.gpu.node for given in shared(study))


def test_where_a_node_has_no_cpus_left_the_other_one_takes_the_trial(study: Placed) -> None:
    busy = placement_group([{"CPU": 4}])
    ray.get(busy.ready())
    study.want(QUARTER, 3)
    study.until(lambda: len(study.running) == 3)
    assert {given.gpu.node for given in shared(study)} != {node_of(busy)}
    assert len(study.loads()) == 1
    study.want(QUARTER, 3)
    study.want(CPU)
    study.until(lambda: len(study.running) == 4)
    remove_placement_group(busy)
    study.until(lambda: len(study.running) == 7)
    assert all(node_of(given.cpus) == given.gpu.node for given in shared(study))
    assert sorted(study.loads().values()) in ([3, 3], [2, 4])


def test_a_node_that_joins_is_used_and_one_that_dies_is_left(cluster: Cluster, study: Placed) -> None:
    study.want(QUARTER, 8)
    study.until(lambda: len(study.running) == 8)
    joined = cluster.add_node(num_cpus=4, num_gpus=1)
    study.want(QUARTER, 3)
    study.until(lambda: len(study.running) == 11, within_s=30)
    assert study.slots == 12
    assert sorted(study.loads().values()) == [3, 4, 4]
    gone = min(shared(study), key=lambda given: study.loads()[given.gpu]).gpu.node
    cluster.remove_node(joined)
    study.until(lambda: study.slots == 8, within_s=30)
    for given in [given for given in shared(study) if given.gpu.node == gone]:
        study.end(given)
    study.want(QUARTER)
    study.end(study.running[0])
    study.until(lambda: len(study.running) == 8)
    assert gone not in {given.gpu.node for given in shared(study)}
