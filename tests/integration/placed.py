"""Uses a placement as Tune does: requests, waits, starts, ends; without trials, which would take time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import ray
from ray.air.execution.resources import AcquiredResources, ResourceRequest

from tuning.execution.placement import SharedGpu, TrialPlacement

CPU = ResourceRequest([{"CPU": 1}])


def share_of_gpu(share: float) -> ResourceRequest:
    return ResourceRequest([{"CPU": 1, "GPU": share}])


class Placed:
    """Requests in hand, and what was given to them.

    Attributes:
        slots: what the placement told last.
        running: resources of the trials that run.
        waiting: requests to which nothing was given yet.
        uneven: trials that went to another GPU than the one with the fewest.
    """

    def __init__(self, share: float) -> None:
        self.slots = self.uneven = 0
        self.share = share
        self.running: list[AcquiredResources] = []
        self.waiting: Counter[ResourceRequest] = Counter()
        self.placement = TrialPlacement(share, self._tell)

    def _tell(self, slots: int) -> None:
        self.slots = slots

    def want(self, request: ResourceRequest, times: int = 1) -> None:
        for _ in range(times):
            self.placement.request_resources(request)
        self.waiting[request] += times

    def step(self) -> None:
        """Wait a moment for what is awaited, and start what is ready."""
        futures = self.placement.get_resource_futures()
        if futures:
            ray.wait(futures, timeout=0.01)
        self.placement.update_state()
        for request in list(self.waiting):
            while self.waiting[request] and self.placement.has_resources_ready(request):
                self.start(request)

    def start(self, request: ResourceRequest) -> None:
        before = self.loads()
        given = self.placement.acquire_resources(request)
        assert given is not None
        self.waiting[request] -= 1
        self.running.append(given)
        if isinstance(given, SharedGpu):
            least = min(before.values()) if len(before) == self.gpus else 0
            self.uneven += before[given.gpu] > least

    @property
    def gpus(self) -> int:
        return self.slots // int(1 / self.share)

    @property
    def has_slot(self) -> bool:
        """Whether a GPU could take one more trial."""
        return self.loads().total() < self.slots

    def loads(self) -> Counter[object]:
        return Counter(given.gpu for given in self.running if isinstance(given, SharedGpu))

    def end(self, given: AcquiredResources, *, settle: bool = False) -> None:
        """A trial ends; `settle` waits until Ray has its CPUs back: a group asked for earlier misses them."""
        self.running.remove(given)
        self.placement.free_resources(given)
        if settle:
            time.sleep(0.1)

    def until(self, condition: Callable[[], bool], within_s: float = 10.0) -> None:
        deadline_s = time.monotonic() + within_s
        while not condition():
            self.step()
            assert time.monotonic() < deadline_s, (self.loads(), self.waiting, self.slots)


def wait_until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, ray.available_resources()
        time.sleep(0.02)


def free(resource: str) -> float:
    return float(ray.available_resources().get(resource, 0.0))
