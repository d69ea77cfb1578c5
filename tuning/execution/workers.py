"""A trial on several workers of Ray Train, as Tune's one actor sees it: step by step.

The workers run the same loop in lockstep. Before each step they wait until the actor, which speaks with Tune,
wants it; so pruning and stopping work between steps as they do for a trial in one process.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.train.collective import broadcast_from_rank_zero

from models import Distribution, WorkerGroup
from tuning.errors import ExecutionError
from tuning.execution.context import WorkerContext, build_loop, check_folder, trial_log
from tuning.execution.training import GroupSize, own_device, own_group, train_on_workers
from tuning.execution.watchdog import watchdog
from tuning.families import load_model
from tuning.store import Placement
from tuning.trial import Peers, Report, TrialLoop, TrialSpec

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_END_S = 15.0


@dataclass(frozen=True)
class SharedContext:
    """Where workers find what all trials share; passed on as a value, it would be copied for every trial."""

    reference: ray.ObjectRef


def share_context(context: WorkerContext) -> SharedContext | None:
    """Put what all trials share where workers find it, if several are to train a trial."""
    return SharedContext(ray.put(context)) if context.groups else None


class _Board:
    """Where the actor asks for steps and the workers answer; lives while the actor does."""

    def __init__(self, workers: int) -> None:
        self._places: dict[int, Placement] = {}
        self._workers = workers
        self._granted = 0
        self._has_ended = False
        self._reports: dict[int, Report] = {}
        self._changed = asyncio.Condition()

    async def join(self, rank: int, place: Placement) -> None:
        """A worker tells where it runs."""
        async with self._changed:
            self._places[rank] = place
            self._changed.notify_all()

    async def places(self) -> list[Placement]:
        """Where the workers run, once all do."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._places) == self._workers)
            return [self._places[rank] for rank in sorted(self._places)]

    async def is_wanted(self, step: int) -> bool:
        """Wait until the step is wanted; False when none is any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_ended or self._granted > step)
            return not self._has_ended

    async def tell(self, step: int, report: Report) -> None:
        """A worker tells what came of a step."""
        async with self._changed:
            self._reports[step] = report
            self._changed.notify_all()

    async def step(self) -> Report:
        """Ask for the next step, and wait for what comes of it."""
        async with self._changed:
            step = self._granted
            self._granted += 1
            self._changed.notify_all()
            await self._changed.wait_for(lambda: step in self._reports)
            return self._reports.pop(step)

    async def end(self) -> None:
        """No step is wanted any more."""
        async with self._changed:
            self._has_ended = True
            self._changed.notify_all()


@dataclass(frozen=True)
class _Job:
    """What each worker is given."""

    spec: TrialSpec
    distribution: Distribution | None
    size: GroupSize
    context: SharedContext
    board: ActorHandle


class TrialWorkers:
    """The workers of one trial; `step` and `train_seconds` are those of `TrialLoop`.

    Args:
        spec: the trial.
        size: of the group.
        context: what all trials share.
        shared: the same, as the workers get it.

    Raises:
        WorkersLostError: a worker died.
        WorkerFailedError: the training function raised in one.
    """

    def __init__(
        self, spec: TrialSpec, size: GroupSize, context: WorkerContext, shared: SharedContext | None
    ) -> None:
        shared = shared or SharedContext(ray.put(context))
        self._board: ActorHandle = ray.remote(num_cpus=0)(_Board).remote(size.workers)
        self._error: Exception | None = None
        self._train_seconds = 0.0
        distribution = load_model(spec.model, context.model_files[spec.model]).distribution
        job = _Job(spec, distribution, size, shared, self._board)
        self._thread = threading.Thread(target=self._train, args=(job,), daemon=True)
        self._thread.start()
        self.placement = _joined(self._wait_for(self._board.places.remote()))

    @property
    def train_seconds(self) -> float:
        """Time spent so far, earlier attempts included."""
        return self._train_seconds

    def step(self) -> Report:
        """Train and evaluate one iteration."""
        report: Report = self._wait_for(self._board.step.remote())
        self._train_seconds = report.train_seconds
        return report

    def end(self) -> None:
        """Let the workers return, and give their resources back."""
        self._board.end.remote()
        self._thread.join(_END_S)
        # Workers that still train lose the board, which ends them.
        ray.kill(self._board)

    def _train(self, job: _Job) -> None:
        try:
            train_on_workers(_run_worker, {"job": job}, job.distribution, job.size)
        except RuntimeError as error:
            self._error = error

    def _wait_for(self, answer: ray.ObjectRef) -> Any:
        while True:
            ready, _ = ray.wait([answer], timeout=_LOOK_EVERY_S)
            if ready:
                return ray.get(answer)
            if not self._thread.is_alive():
                raise self._error or ExecutionError("The workers of a trial returned before it ended.")


def _run_worker(config: dict[str, Any]) -> None:
    """What each worker does: the trial's loop, one step whenever it is wanted."""
    job: _Job = config["job"]
    context: WorkerContext = ray.get(job.context.reference)
    group, device = own_group(job.distribution), own_device()
    check_folder(context.study_folder)
    node, gpus = ray.util.get_node_ip_address(), tuple(str(gpu) for gpu in ray.get_gpu_ids())
    ray.get(job.board.join.remote(group.rank, Placement(node, device, gpus)))
    peers = Peers(group, broadcast_from_rank_zero)
    with trial_log(context.study_folder, job.spec, is_wanted=group.rank == 0):
        loop = build_loop(
            context,
            job.spec,
            device=device,
            threads=job.size.threads,
            gpu_share=job.size.gpus or 1.0,
            peers=peers,
        )
        _serve(job, loop, group, context)


def _serve(job: _Job, loop: TrialLoop, group: WorkerGroup, context: WorkerContext) -> None:
    folder = context.study_folder / "trials" / job.spec.id
    limit_s = job.spec.time_limit_s
    for step in count():
        if not ray.get(job.board.is_wanted.remote(step)):
            return
        left_s = None if limit_s is None else limit_s - loop.train_seconds
        with watchdog(folder, left_s, group.rank):
            report = loop.step()
        if group.rank == 0:
            ray.get(job.board.tell.remote(step, report))


def _joined(places: list[Placement]) -> Placement:
    """Where a trial runs that several workers train: every node, and the GPUs in the order of the workers."""
    by_node: dict[str, list[str]] = defaultdict(list)
    for place in places:
        by_node[place.node] += place.gpus
    gpus = tuple(gpu for ids in by_node.values() for gpu in ids)
    return Placement(", ".join(by_node), places[0].device, gpus)
