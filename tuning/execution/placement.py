"""Where trials run: those with a share of a GPU evenly over all GPUs of the cluster.

Ray itself packs shares onto as few GPUs as it can: four trials with a quarter each all run on the first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import ray
from ray.air.execution.resources import (
    AcquiredResources,
    PlacementGroupResourceManager,
    ResourceManager,
    ResourceRequest,
)
from ray.air.execution.resources.request import RemoteRayEntity
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from tuning.execution.gpus import GpuPool, HeldGpu, NodeRoom, is_whole, node_of
from tuning.execution.groups import Asked, UnwantedGroups

_NODE_LABEL = "ray.io/node-id"
_UPDATE_EVERY_S = 0.1
_FIRST_GPUS_S = 0.5
# Ray has what a group gave back after some milliseconds; who asks earlier waits for its next look, a second.
_SETTLE_S = 0.1
# How long a trial waits for CPUs beside the emptiest GPU before any other GPU with room will do.
_PATIENCE_S = 0.3
# Nobody asks anew while so many that were given up still wait: Ray's next look will do.
_MOST_UNWANTED = 16


@dataclass(eq=False)
class _Claim:
    """CPUs asked for, for a trial that will run on a GPU of the same node.

    Attributes:
        request: the trial's request.
        target: node where room on a GPU is kept for it.
        nodes: where the CPUs may lie.
        cpus: the CPUs.
        node: where they are; None before.
        since_s: monotonic time of the first asking.
        asked_s: of the last.
    """

    request: ResourceRequest
    target: str
    nodes: frozenset[str]
    cpus: Asked
    node: str | None = None
    since_s: float = field(default_factory=time.monotonic)
    asked_s: float = field(default_factory=time.monotonic)


@dataclass
class SharedGpu(AcquiredResources):  # type: ignore[misc]
    """A share of a GPU, and CPUs on the same node.

    The trial's actor runs in the GPU's group, where no CPUs are; those of `cpus` are kept for it.
    """

    gpu: HeldGpu
    cpus: PlacementGroup

    def _annotate_remote_entity(
        self, entity: RemoteRayEntity, bundle: dict[str, float], bundle_index: int
    ) -> RemoteRayEntity:
        return entity.options(
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                placement_group=self.gpu.group, placement_group_bundle_index=0
            ),
            num_cpus=0,
            num_gpus=bundle["GPU"],
        )


class TrialPlacement(ResourceManager):  # type: ignore[misc]
    """Gives Tune's actors their resources, shares of GPUs evenly.

    A request for a share waits until a GPU has room; only then are CPUs asked for, on that GPU's node, so
    that no trial keeps CPUs while it waits for a GPU. Once the CPUs are there, the trial runs on the GPU of
    that node with the fewest trials. A request for a whole GPU has one kept for it, on which no further
    shares are given. A request for CPUs alone goes to Ray as it is.

    Args:
        share: of a GPU that trials will ask for.
        on_slots: told how many trials with that share the GPUs can take, whenever it changes: GPUs that
            another job holds do not count.
        at_least: GPUs that are asked for also while the cluster has fewer.
    """

    def __init__(
        self, share: float, on_slots: Callable[[int], None] = lambda slots: None, at_least: int = 1
    ) -> None:
        self._share = share
        self._on_slots = on_slots
        self._others = PlacementGroupResourceManager()
        self._pool = GpuPool(at_least)
        self._waiting: list[ResourceRequest] = []
        self._claims: list[_Claim] = []
        self._given: set[PlacementGroup] = set()
        self._unwanted = UnwantedGroups()
        self._slots: int | None = None
        self._idle: Callable[[], Iterable[AcquiredResources | None]] = tuple
        self._updated_s = self._freed_s = -math.inf
        self._hold_gpus()

    def request_resources(self, resource_request: ResourceRequest) -> None:
        if not _wants_share(resource_request):
            self._others.request_resources(resource_request)
            return
        self._waiting.append(resource_request)
        self._advance()

    def cancel_resource_request(self, resource_request: ResourceRequest) -> None:
        if not _wants_share(resource_request):
            self._others.cancel_resource_request(resource_request)
            return
        if resource_request not in self._waiting:
            # The CPUs that are not there yet are missed least.
            claims = [claim for claim in self._claims if claim.request == resource_request]
            self._withdraw(min(claims, key=lambda claim: claim.node is not None))
        self._waiting.remove(resource_request)
        self._advance()

    def has_resources_ready(self, resource_request: ResourceRequest) -> bool:
        if time.monotonic() - self._updated_s > _UPDATE_EVERY_S:
            self._advance()
        if not _wants_share(resource_request):
            return bool(self._others.has_resources_ready(resource_request))
        return self._ready_claim(resource_request) is not None

    def acquire_resources(self, resource_request: ResourceRequest) -> AcquiredResources | None:
        if not _wants_share(resource_request):
            return self._others.acquire_resources(resource_request)
        claim = self._ready_claim(resource_request)
        if claim is None:
            return None
        self._claims.remove(claim)
        self._given.add(claim.cpus.group)
        self._count_idle()
        gpu = self._pool.take(_share(resource_request), str(claim.node))
        return SharedGpu(resource_request, gpu, claim.cpus.group)

    def free_resources(self, acquired_resource: AcquiredResources) -> None:
        self._freed_s = time.monotonic()
        if not isinstance(acquired_resource, SharedGpu):
            self._others.free_resources(acquired_resource)
            return
        self._given.remove(acquired_resource.cpus)
        remove_placement_group(acquired_resource.cpus)
        self._pool.give_back(acquired_resource.gpu, _share(acquired_resource.resource_request))

    def get_resource_futures(self) -> list[ray.ObjectRef]:
        claims = [claim.cpus.ready for claim in self._claims if claim.node is None]
        others = (*self._others.get_resource_futures(), *self._pool.futures())
        return [*others, *claims, *self._unwanted.futures()]

    def update_state(self) -> None:
        self._others.update_state()
        self._advance()

    def count_idle_by(self, idle: Callable[[], Iterable[AcquiredResources | None]]) -> None:
        """Say how to tell what is held without a trial: by a worker that waits for one, or is ending."""
        self._idle = idle

    def excess(self, resources: AcquiredResources | None) -> int:
        """How many trials more a worker's GPU has than the emptiest other one that could take a trial."""
        if not isinstance(resources, SharedGpu):
            return 0
        self._count_idle()
        return self._pool.excess(resources.gpu, _share(resources.resource_request))

    def clear(self) -> None:
        if not ray.is_initialized():
            return
        self._others.clear()
        for group in self._given:
            remove_placement_group(group)
        for claim in self._claims:
            self._give_up(claim)
        self._waiting.clear()
        self._claims.clear()
        self._given.clear()
        self._pool.clear()
        self._unwanted.clear()

    def _hold_gpus(self) -> None:
        """Ask for the GPUs, and wait a moment to know how many are free: trials are drawn accordingly."""
        self._pool.update(wanted=True)
        futures = self._pool.futures()
        if futures:
            ray.wait(futures, num_returns=len(futures), timeout=_FIRST_GPUS_S)
        self._advance()

    def _advance(self) -> None:
        """Bring every request as far as it can come now."""
        self._updated_s = time.monotonic()
        self._pool.update(wanted=bool(self._waiting or self._claims or self._given))
        self._tell_slots()
        self._reserve_gpus()
        self._note_ready()
        for claim in self._claims.copy():
            self._revise(claim)
        if self._updated_s - self._freed_s > _SETTLE_S:
            self._claim_cpus()

    def _reserve_gpus(self) -> None:
        """Keep a GPU for each trial that needs a whole one: shares would else fill it again and again."""
        wanted = [*self._waiting, *(claim.request for claim in self._claims)]
        self._pool.reserve(sum(is_whole(_share(request)) for request in wanted))

    def _claim_cpus(self) -> None:
        """Ask for the CPUs of as many waiting trials as the GPUs have room for."""
        for request in self._waiting.copy():
            target = self._emptiest_node(request)
            if target is None:
                continue
            self._waiting.remove(request)
            nodes = frozenset({target})
            self._claims.append(_Claim(request, target, nodes, _ask_for_cpus(request, nodes)))

    def _tell_slots(self) -> None:
        slots = self._pool.slots(self._share)
        if self._pool.is_active and slots != self._slots:
            self._slots = slots
            self._on_slots(slots)

    def _note_ready(self) -> None:
        pending = {claim.cpus.ready: claim for claim in self._claims if claim.node is None}
        futures = list(pending)
        ready, _ = ray.wait(futures, num_returns=len(futures), timeout=0) if futures else ([], [])
        for future in ready:
            pending[future].node = node_of(pending[future].cpus.group)
        for asked in self._unwanted.take_placed():
            self._use_or_remove(asked)

    def _use_or_remove(self, cpus: Asked) -> None:
        """Give CPUs that came late to a claim that they suit, whose own are then not wanted any more."""
        node = node_of(cpus.group)
        suited = (claim for claim in self._claims if claim.node is None and node in claim.nodes)
        claim = next((claim for claim in suited if claim.cpus.bundle == cpus.bundle), None)
        if claim is None:
            remove_placement_group(cpus.group)
            self._freed_s = time.monotonic()
            return
        self._unwanted.add(claim.cpus)
        claim.cpus, claim.node = cpus, node

    def _revise(self, claim: _Claim) -> None:
        """Follow what changed since the CPUs were asked for."""
        reachable = self._reachable(claim)
        if not reachable or (claim.node is not None and claim.node not in reachable):
            self._withdraw(claim)
        elif claim.node is None:
            nodes = reachable if self._updated_s - claim.since_s > _PATIENCE_S else claim.nodes
            if nodes != claim.nodes or self._missed_something(claim):
                self._give_up(claim)
                claim.nodes, claim.cpus = nodes, _ask_for_cpus(claim.request, nodes)
                claim.asked_s = self._updated_s

    def _missed_something(self, claim: _Claim) -> bool:
        """Whether CPUs were given back since the claim asked, and Ray has them by now."""
        settled_s = self._freed_s + _SETTLE_S
        return claim.asked_s < settled_s < self._updated_s and len(self._unwanted) < _MOST_UNWANTED

    def _give_up(self, claim: _Claim) -> None:
        """The claim's CPUs are not wanted any more."""
        if claim.node is None:
            self._unwanted.add(claim.cpus)
        else:
            remove_placement_group(claim.cpus.group)

    def _withdraw(self, claim: _Claim) -> None:
        """Let the trial wait again."""
        self._claims.remove(claim)
        self._give_up(claim)
        self._waiting.insert(0, claim.request)

    def _ready_claim(self, request: ResourceRequest) -> _Claim | None:
        ready = (claim for claim in self._claims if claim.request == request and claim.node is not None)
        return next((claim for claim in ready if claim.node in self._reachable(claim)), None)

    def _reachable(self, claim: _Claim) -> frozenset[str]:
        """Nodes on which the claim's trial would find a GPU with room that is kept for no other."""
        room = self._room(_share(claim.request), besides=claim)
        return frozenset(name for name, node in room.items() if node.free > 0)

    def _emptiest_node(self, request: ResourceRequest) -> str | None:
        room = self._room(_share(request))
        free = [name for name, node in room.items() if node.free > 0]
        return min(free, key=lambda name: room[name].load, default=None)

    def _count_idle(self) -> None:
        shared = [given for given in self._idle() if isinstance(given, SharedGpu)]
        self._pool.count_idle((given.gpu, _share(given.resource_request)) for given in shared)

    def _room(self, share: float, besides: _Claim | None = None) -> dict[str, NodeRoom]:
        """What the GPUs can take once all other claims have become trials."""
        self._count_idle()
        room = self._pool.room(share)
        for claim in self._claims:
            rival = is_whole(_share(claim.request)) == is_whole(share)
            if rival and claim is not besides and claim.target in room:
                room[claim.target].keep_one()
        return room


def _share(request: ResourceRequest) -> float:
    return float(request.required_resources.get("GPU", 0.0))


def _wants_share(request: ResourceRequest) -> bool:
    return 0 < _share(request) <= 1


def _ask_for_cpus(request: ResourceRequest, nodes: Collection[str]) -> Asked:
    """Ask for what the trial needs beside its GPU, on one of the nodes."""
    bundle = {name: amount for name, amount in request.required_resources.items() if name != "GPU"}
    selector = {_NODE_LABEL: f"in({','.join(sorted(nodes))})"}
    group = placement_group([bundle], bundle_label_selector=[selector])
    return Asked(group, group.ready(), bundle)
