"""The GPUs that a study holds: each a placement group of its own, shared by the study's trials."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import ray
from ray.util.placement_group import (
    PlacementGroup,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

logger = logging.getLogger(__name__)

# Ray counts a resource in ten-thousandths, rounded; whole numbers keep 3 times 1/3 from being more than 1.
_UNITS = 10_000
_EPSILON = 1e-6

_LOOK_EVERY_S = 1.0
_IDLE_S = 10.0


def to_units(share: float) -> int:
    """A share of a GPU in ten-thousandths, the steps in which Ray counts.

    >>> to_units(0.25), to_units(1 / 3), to_units(1 / 6)
    (2500, 3333, 1666)
    """
    return max(1, math.floor(share * _UNITS + _EPSILON))


def round_share(share: float) -> float:
    """The share in steps that Ray counts in, never rounded up: six times a sixth is not more than a GPU.

    >>> round_share(1 / 6)
    0.1666
    """
    return to_units(share) / _UNITS


def trials_per_gpu(share: float) -> int:
    """How many trials with the share fit on one GPU.

    >>> trials_per_gpu(0.25), trials_per_gpu(0.4), trials_per_gpu(1 / 6)
    (4, 2, 6)
    """
    return _UNITS // to_units(share)


def is_whole(share: float) -> bool:
    """Whether a trial with the share leaves no room beside it.

    >>> is_whole(1.0), is_whole(0.9999)
    (True, False)
    """
    return to_units(share) >= _UNITS


@dataclass(eq=False)
class HeldGpu:
    """One GPU of the study.

    Attributes:
        group: the placement group `{GPU: 1}`; what runs on the GPU runs in it.
        node: id of its node.
        used: ten-thousandths that are given to workers.
        idle: of those, the ones of workers without a trial.
        reserved: kept for a trial that needs a whole GPU; no other is started on it.
        whole: such a trial has it.
    """

    group: PlacementGroup
    node: str
    used: int = 0
    idle: int = 0
    reserved: bool = False
    whole: bool = False

    def trials(self, share: float) -> int:
        """How many trials with the share run on it."""
        return (self.used - self.idle) // to_units(share)

    def room_for(self, share: float) -> int:
        """How many further trials with the share it can take."""
        if self.reserved != is_whole(share):
            return 0
        return (_UNITS - self.used) // to_units(share)


@dataclass
class NodeRoom:
    """What a node's GPUs can take.

    Attributes:
        gpus: GPUs of the study.
        trials: trials on them.
        free: trials that they can take on top.
    """

    gpus: int = 0
    trials: int = 0
    free: int = 0

    @property
    def load(self) -> float:
        """Trials on a GPU, on average."""
        return self.trials / self.gpus

    def keep_one(self) -> None:
        """Count a trial that is to come."""
        self.trials += 1
        self.free -= 1


class GpuPool:
    """All GPUs of the cluster that no other job holds.

    One placement group is asked for per GPU. Those that Ray grants are the study's; the others wait, and are
    taken up as their GPU becomes free. Nodes that join or die change how many are asked for. After ten
    seconds in which no trial wanted a GPU, all are given back, until one does.

    Args:
        at_least: GPUs that are asked for also while the cluster has fewer, which makes one that scales
            start nodes, again after some were taken away.
    """

    def __init__(self, at_least: int = 1) -> None:
        self._at_least = at_least
        self._gpus: list[HeldGpu] = []
        self._pending: dict[ray.ObjectRef, PlacementGroup] = {}
        self._looked_s = -math.inf
        self._wanted_s = -math.inf

    @property
    def is_active(self) -> bool:
        """Whether GPUs are held or asked for."""
        return bool(self._gpus or self._pending)

    def futures(self) -> list[ray.ObjectRef]:
        """Each resolves when one more GPU is the study's."""
        return list(self._pending)

    def update(self, *, wanted: bool) -> None:
        """Take up the GPUs that Ray granted, and every second look at what the cluster has.

        Args:
            wanted: a trial runs on a GPU, or waits for one.
        """
        now_s = time.monotonic()
        if wanted:
            self._wanted_s = now_s
        if now_s - self._wanted_s > _IDLE_S:
            self.clear()
            return
        if now_s - self._looked_s > _LOOK_EVERY_S or not self.is_active:
            self._looked_s = now_s
            self._follow_cluster()
        self._take_up_granted()

    def take(self, share: float, node: str) -> HeldGpu:
        """Give a trial its share of the node's GPU with the fewest trials; one of them must have room."""
        there = [gpu for gpu in self._gpus if gpu.node == node and gpu.room_for(share)]
        gpu = min(there, key=lambda gpu: gpu.trials(share))
        gpu.used += to_units(share)
        gpu.whole, gpu.reserved = is_whole(share), False
        return gpu

    def give_back(self, gpu: HeldGpu, share: float) -> None:
        """Take a trial's share back."""
        gpu.used -= to_units(share)
        gpu.whole = False

    def reserve(self, count: int) -> None:
        """Keep so many GPUs for trials that need a whole one: those that will be empty first."""
        by_use = sorted(self._gpus, key=lambda gpu: (not gpu.reserved, gpu.whole, gpu.used))
        for place, gpu in enumerate(by_use):
            gpu.reserved = place < count and not gpu.whole

    def room(self, share: float) -> dict[str, NodeRoom]:
        """The nodes that have a GPU of the study, by id."""
        nodes: dict[str, NodeRoom] = {}
        for gpu in self._gpus:
            node = nodes.setdefault(gpu.node, NodeRoom())
            node.gpus += 1
            node.trials += gpu.trials(share)
            node.free += gpu.room_for(share)
        return nodes

    def slots(self, share: float) -> int:
        """Trials with the share that the study's GPUs can take in all."""
        return len(self._gpus) * trials_per_gpu(share)

    def count_idle(self, idle: Iterable[tuple[HeldGpu, float]]) -> None:
        """Note the shares of workers without a trial."""
        for gpu in self._gpus:
            gpu.idle = 0
        for gpu, share in idle:
            gpu.idle += to_units(share)

    def excess(self, gpu: HeldGpu, share: float) -> int:
        """How many trials more the GPU has than the emptiest other one that could take a trial.

        Of one that is kept for a trial that needs all of it: all of its trials are too many.
        """
        if gpu.reserved or gpu.whole:
            return _UNITS
        others = (each for each in self._gpus if each is not gpu and not (each.reserved or each.whole))
        able = [other.trials(share) for other in others if other.idle or other.room_for(share)]
        return gpu.trials(share) - min(able, default=gpu.trials(share))

    def clear(self) -> None:
        """Give every GPU back."""
        for group in (*self._pending.values(), *(gpu.group for gpu in self._gpus)):
            remove_placement_group(group)
        self._pending.clear()
        self._gpus.clear()

    def _take_up_granted(self) -> None:
        pending = list(self._pending)
        ready, _ = ray.wait(pending, num_returns=len(pending), timeout=0) if pending else ([], [])
        for future in ready:
            group = self._pending.pop(future)
            node = node_of(group)
            logger.debug("A GPU of node %s is the study's.", node)
            self._gpus.append(HeldGpu(group, node))

    def _follow_cluster(self) -> None:
        """Hold or ask for as many GPUs as there are, and for those that further nodes may bring."""
        nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
        for gpu in [gpu for gpu in self._gpus if gpu.node not in nodes]:
            self._gpus.remove(gpu)
            remove_placement_group(gpu.group)
        there = sum(int(resources.get("GPU", 0)) for resources in nodes.values())
        missing = max(self._at_least, there) - len(self._gpus) - len(self._pending)
        for _ in range(missing):
            group = placement_group([{"GPU": 1}])
            self._pending[group.ready()] = group
        for future in list(self._pending)[: max(0, -missing)]:
            remove_placement_group(self._pending.pop(future))


def node_of(group: PlacementGroup) -> str:
    """Id of the node on which a group of one bundle lies."""
    return str(placement_group_table(group)["bundles_to_node_id"][0])
