"""How the cluster's CPUs and GPUs are divided among the trials that run at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuning.config import ResourceConfig
from tuning.errors import InputError
from tuning.execution.gpus import round_share, trials_per_gpu
from tuning.execution.training import GroupSize

MAX_TRIALS_PER_GPU = 4
"""More take turns on the GPU rather than fill it."""

MIN_GPU_GIB_PER_TRIAL = 3.0
"""A CUDA context takes half a GiB before a model has any; then come rows, weights and torch's cache."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
        cpus: its CPUs.
        gpus: its GPUs.
        gpu_gib: memory of its smallest GPU in GiB, None when unknown.
        memory_gib: what Ray may give to workers in GiB, its object store not counted; None when unknown.
    """

    cpus: float
    gpus: int = 0
    gpu_gib: float | None = None
    memory_gib: float | None = None


@dataclass(frozen=True)
class Shares:
    """What each trial gets, and how many run at once.

    Attributes:
        cpus: CPUs of every trial.
        gpus: GPUs of a trial whose family uses one, on top.
        max_concurrent: trials at once.
        gpu_slots: trials that can hold their share of the GPUs at once, None when no trial asks for any.
        gpu_reason: why the share is what it is, for the user; empty when it was given.
        wanted: trials at once that the user asks for; None: as many as the nodes take.
        only_gpu: every family uses a GPU, so no more run at once than the GPUs take.
        workers: that train one trial together, each with those CPUs and GPUs, where its family can be
            distributed.
        lone_cpus: CPUs of a trial in one process, as many as of all workers where a node has so many.
        memory_gib: memory that Ray keeps for a trial; 0 where every node has enough for all its CPUs.
    """

    cpus: float
    gpus: float
    max_concurrent: int
    gpu_slots: int | None = None
    gpu_reason: str = ""
    wanted: int | None = None
    only_gpu: bool = False
    workers: int = 1
    lone_cpus: float | None = None
    memory_gib: float = 0.0

    @property
    def cpus_alone(self) -> float:
        """CPUs of a trial that one process trains."""
        return self.cpus if self.lone_cpus is None else self.lone_cpus

    def group(self, *, uses_gpu: bool) -> GroupSize:
        """The workers of a trial that several train."""
        return GroupSize(self.workers, self.cpus, self.gpus if uses_gpu else 0.0)

    def on(self, nodes: Sequence[Node]) -> Shares:
        """The same for a trial, as many at once as these nodes take: the cluster has grown or shrunk."""
        concurrent = self.wanted or sum(int(node.cpus // self.cpus) for node in nodes) // self.workers
        if self.gpu_slots is None:
            return replace(self, max_concurrent=max(1, concurrent))
        slots = sum(_slots(node, self.cpus, self.gpus) for node in nodes) // self.workers
        concurrent = min(concurrent, slots) if self.only_gpu else concurrent
        return replace(self, max_concurrent=max(1, concurrent), gpu_slots=slots)

    @property
    def trials_per_gpu(self) -> int:
        """How many trials share a GPU."""
        return trials_per_gpu(self.gpus) if 0 < self.gpus < 1 else 1

    @property
    def gpus_wanted(self) -> int:
        """GPUs that all trials at once fill: as many as the user asks for, or as there were at the start."""
        return math.ceil((self.wanted or self.gpu_slots or 0) / self.trials_per_gpu)

    @property
    def threads(self) -> int:
        """CPU threads of a model that one process trains."""
        return max(1, int(self.cpus_alone))


def plan_shares(
    config: ResourceConfig, nodes: Sequence[Node], *, uses_gpu: bool, only_gpu: bool = False
) -> Shares:
    """Divide the nodes' CPUs and GPUs among the trials that run at once.

    Where several workers train a trial, they may lie on several nodes, each worker on one. Where every
    family uses a GPU, no more trials are planned than the GPUs take, with more CPUs each.

    Args:
        config: what the user asks for.
        nodes: the cluster.
        uses_gpu: some family of the study uses a GPU.
        only_gpu: every family does.

    Raises:
        InputError: a trial asks for more than a node has.
    """
    if not any(node.cpus for node in nodes):
        nodes = [_expected_node(config, uses_gpu=uses_gpu)]
    if config.workers_per_trial > 1:
        return _plan_groups(config, nodes, uses_gpu=uses_gpu, only_gpu=only_gpu)
    takes_gpu = uses_gpu and config.gpus_per_trial != 0
    gpu_nodes = [node for node in nodes if node.gpus and node.cpus] if takes_gpu else []
    total = sum(node.cpus for node in nodes)
    concurrent = config.max_concurrent or max(1, int(total // (config.cpus_per_trial or 1)))
    cpus = _cpus(config, gpu_nodes or nodes, max(1.0, total // concurrent))
    if not gpu_nodes:
        return Shares(cpus, 0.0, concurrent, wanted=config.max_concurrent)
    gpus, reason = _gpus(config, gpu_nodes, cpus, concurrent)
    slots = sum(_slots(node, cpus, gpus) for node in gpu_nodes)
    if only_gpu:
        concurrent = min(concurrent, slots)
        if config.cpus_per_trial is None:
            filled = ((node, _slots(node, cpus, gpus)) for node in gpu_nodes)
            cpus = min(node.cpus // slots for node, slots in filled if slots)
    return Shares(cpus, gpus, concurrent, slots, reason, wanted=config.max_concurrent, only_gpu=only_gpu)


def _expected_node(config: ResourceConfig, *, uses_gpu: bool) -> Node:
    """A node that can hold a trial: what a cluster without any will start for the first one that waits."""
    asked = config.gpus_per_trial
    gpus = math.ceil(asked) if uses_gpu and asked != "auto" else 0
    return Node(cpus=config.cpus_per_trial or 1.0, gpus=gpus)


def _cpus(config: ResourceConfig, nodes: Sequence[Node], fair: float) -> float:
    """A trial runs on one node, however many there are; one that uses a GPU, on a node that has one."""
    most = max(node.cpus for node in nodes)
    if config.cpus_per_trial is None:
        return min(most, fair)
    if config.cpus_per_trial > most:
        where = "largest node with a GPU" if any(node.gpus for node in nodes) else "largest node"
        raise InputError(
            f"resources.cpus_per_trial: a trial asks for {config.cpus_per_trial:g} CPUs, "
            f"the {where} has {most:g}; lower it."
        )
    return config.cpus_per_trial


def _gpus(
    config: ResourceConfig, gpu_nodes: Sequence[Node], cpus: float, concurrent: int
) -> tuple[float, str]:
    """The GPUs of a trial that uses one, and why."""
    if config.gpus_per_trial == "auto":
        return _automatic_share(gpu_nodes, cpus, concurrent)
    most = max(node.gpus for node in gpu_nodes)
    if config.gpus_per_trial > most:
        raise InputError(
            f"resources.gpus_per_trial: a trial asks for {config.gpus_per_trial:g} GPUs, "
            f"the node with most has {most:g}; lower it."
        )
    share = config.gpus_per_trial
    return (round_share(share) if share < 1 else share), ""


def _automatic_share(gpu_nodes: Sequence[Node], cpus: float, concurrent: int) -> tuple[float, str]:
    """The largest share with which all trials that can run at once find a GPU, within bounds."""
    count = sum(node.gpus for node in gpu_nodes)
    at_once = min(concurrent, sum(int(node.cpus // cpus) for node in gpu_nodes))
    wanted = math.ceil(at_once / count)
    gib = min((node.gpu_gib for node in gpu_nodes if node.gpu_gib is not None), default=math.inf)
    fitting = max(1, int(min(gib / MIN_GPU_GIB_PER_TRIAL, MAX_TRIALS_PER_GPU)))
    per_gpu = max(1, min(wanted, fitting))
    return round_share(1 / per_gpu), _reason(count, at_once, wanted, per_gpu, gib)


def _reason(count: int, at_once: int, wanted: int, per_gpu: int, gib: float) -> str:
    gpus = "1 GPU" if count == 1 else f"{count} GPUs"
    if wanted <= per_gpu:
        return f"{at_once} at once on {gpus}, evenly"
    if per_gpu < MAX_TRIALS_PER_GPU:
        return f"{gpus} of {gib:.3g} GiB, at least {MIN_GPU_GIB_PER_TRIAL:g} GiB a trial"
    return f"{gpus}, at most {MAX_TRIALS_PER_GPU} trials on one"


def _slots(node: Node, cpus: float, gpus: float) -> int:
    """Trials that the node's GPUs and CPUs take at once."""
    by_gpu = node.gpus * trials_per_gpu(gpus) if gpus <= 1 else int(node.gpus // gpus)
    return min(int(node.cpus // cpus), by_gpu)


def _plan_groups(config: ResourceConfig, nodes: Sequence[Node], *, uses_gpu: bool, only_gpu: bool) -> Shares:
    """The plan where N workers train a trial: each takes CPUs and, where it helps, a GPU of its own."""
    workers = config.workers_per_trial
    gpu_nodes = [node for node in nodes if node.gpus] if uses_gpu and config.gpus_per_trial != 0 else []
    gpus = 0.0
    if gpu_nodes:
        gpus, _ = (1.0, "") if config.gpus_per_trial == "auto" else _gpus(config, gpu_nodes, 0.0, 0)
    least = config.cpus_per_trial or 1.0
    room, most = _group_room(nodes, workers, least, 0.0)
    if most == 0:
        raise InputError(
            f"resources.workers_per_trial: the cluster has room for {room} workers with {least:g} CPUs each, "
            f"a trial asks for {workers}; lower it or cpus_per_trial."
        )
    gpu_room, slots = _group_room(gpu_nodes, workers, least, gpus)
    if gpu_nodes and slots == 0:
        raise InputError(
            f"resources.workers_per_trial: the cluster has room for {gpu_room} workers with {least:g} CPUs "
            f"and {gpus:g} GPUs each, a trial asks for {workers}; lower it, or set gpus_per_trial to 0."
        )
    concurrent = min(config.max_concurrent or most, most, *([slots] if only_gpu and gpu_nodes else []))
    cpus = config.cpus_per_trial or _even_cpus(nodes, gpu_nodes, gpus, workers, concurrent)
    return Shares(
        cpus,
        gpus,
        concurrent,
        slots if gpu_nodes else None,
        wanted=config.max_concurrent,
        only_gpu=only_gpu,
        workers=workers,
        lone_cpus=min(workers * cpus, max(node.cpus for node in nodes)),
    )


def _group_room(nodes: Sequence[Node], workers: int, cpus: float, gpus: float) -> tuple[int, int]:
    """Workers with those CPUs and GPUs that the nodes take at once, and trials of so many workers."""
    room = sum(_slots(node, cpus, gpus) if gpus else int(node.cpus // cpus) for node in nodes)
    return room, room // workers


def _even_cpus(
    nodes: Sequence[Node], gpu_nodes: Sequence[Node], gpus: float, workers: int, concurrent: int
) -> float:
    """The most whole CPUs for each worker with which no fewer trials run at once than with one."""
    on_gpus = min(concurrent, _group_room(gpu_nodes, workers, 1.0, gpus)[1])
    cpus = max(1.0, sum(node.cpus for node in nodes) // (workers * concurrent))
    while cpus > 1 and (
        _group_room(nodes, workers, cpus, 0.0)[1] < concurrent
        or _group_room(gpu_nodes, workers, cpus, gpus)[1] < on_gpus
    ):
        cpus -= 1.0
    return cpus
