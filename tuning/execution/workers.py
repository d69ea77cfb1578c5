"""A trial on several workers of Ray Train, as Tune's one actor sees it: step by step.

The workers run the same loop in lockstep. Before each step they wait until the actor, which speaks with Tune,
wants it; so pruning and stopping work between steps as they do for a trial in one process.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.train.collective import broadcast_from_rank_zero

from tuning.errors import ExecutionError
from tuning.execution.context import WorkerContext, build_loop, check_folder, load_libraries, trial_log
from tuning.execution.gpu_memory import reset_gpu_memory, shortage_told
from tuning.execution.training import GroupSize, own_device, own_group, train_on_workers
from tuning.execution.watchdog import watchdog
from tuning.models import Distribution, WorkerGroup
from tuning.store import Placement
from tuning.trial import Peers, Report, TrialSpec

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
    """Where the actor asks for trials and steps, and the workers answer; lives while the actor does."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._places: dict[int, Placement] = {}
        self._spec: TrialSpec | None = None
        self._trial = 0
        self._granted = 0
        self._reports: list[Report] = []
        self._has_ended = False
        self._changed = asyncio.Condition()

    # What the actor calls.

    async def places(self) -> list[Placement]:
        """Where the workers run, once all do."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._places) == self._workers)
            return [self._places[rank] for rank in sorted(self._places)]

    async def begin(self, spec: TrialSpec) -> None:
        """Ask for another trial; the one before is over."""
        async with self._changed:
            self._spec, self._granted, self._reports = spec, 0, []
            self._trial += 1
            self._changed.notify_all()

    async def step(self) -> Report:
        """Ask for the trial's next step, and wait for what comes of it."""
        async with self._changed:
            self._granted += 1
            self._changed.notify_all()
            await self._changed.wait_for(lambda: len(self._reports) == self._granted)
            return self._reports[-1]

    async def end(self) -> None:
        """Nothing is wanted any more."""
        async with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    # What the workers call.

    async def join(self, rank: int, place: Placement) -> None:
        """Tell where a worker runs."""
        async with self._changed:
            self._places[rank] = place
            self._changed.notify_all()

    async def trial(self, number: int) -> TrialSpec | None:
        """Wait for trial `number`, from 1; None when there is none any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_ended or self._trial >= number)
            return None if self._has_ended else self._spec

    async def is_wanted(self, trial: int, step: int) -> bool:
        """Wait until a step of the trial, from 0, is wanted; False when none is any more."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._has_ended or self._trial != trial or self._granted > step
            )
            return not self._has_ended and self._trial == trial

    async def tell(self, report: Report) -> None:
        """Tell what came of a step."""
        async with self._changed:
            self._reports.append(report)
            self._changed.notify_all()


@dataclass(frozen=True)
class _Job:
    """What each worker is given."""

    distribution: Distribution | None
    size: GroupSize
    context: SharedContext
    board: ActorHandle


class NoRoomError(RuntimeError):
    """The study was to stop while a trial's workers waited for room on the cluster."""


class TrialWorkers:
    """Workers that run one trial after the other; `step` and `train_seconds` are those of `TrialLoop`.

    A start loads libraries for seconds in every worker, so the workers outlast a trial, as the actor does.

    Args:
        distribution: how the workers reach each other.
        size: of the group.
        context: what all trials share.
    """

    def __init__(self, distribution: Distribution | None, size: GroupSize, context: SharedContext) -> None:
        self._job = _Job(distribution, size, context, ray.remote(num_cpus=0)(_Board).remote(size.workers))
        self._error: Exception | None = None
        self._train_seconds = 0.0
        self._have_started = False
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    def can_run(self, distribution: Distribution | None, size: GroupSize) -> bool:
        """Whether these workers are alive, and what a trial of such a family needs."""
        return self._thread.is_alive() and (self._job.distribution, self._job.size) == (distribution, size)

    @property
    def train_seconds(self) -> float:
        """Time spent on the present trial so far, earlier attempts included."""
        return self._train_seconds

    def begin(self, spec: TrialSpec, should_stop: Callable[[], bool]) -> Placement:
        """Begin a trial; returns where the workers are.

        Args:
            spec: what to train.
            should_stop: asked while the workers start, which may have to wait for others to end.

        Raises:
            NoRoomError: asked to stop before all workers ran.
            WorkersLostError: a worker died.
            WorkerFailedError: a worker could not start.
        """
        self._train_seconds = 0.0
        places: list[Placement] = self._wait_for(self._job.board.places.remote(), should_stop)
        self._have_started = True
        self._wait_for(self._job.board.begin.remote(spec))
        return _joined(places)

    def step(self) -> Report:
        """Train and evaluate one iteration.

        Raises:
            WorkersLostError: a worker died.
            WorkerFailedError: training raised in one.
            GpuMemoryError: one ran out of GPU memory.
        """
        report: Report = self._wait_for(self._job.board.step.remote())
        self._train_seconds = report.train_seconds
        return report

    def end(self) -> None:
        """Let the workers return, and give their resources back."""
        self._job.board.end.remote()
        if self._have_started:
            self._thread.join(_END_S)
        # Workers that still train lose the board, which ends them.
        ray.kill(self._job.board)

    def _train(self) -> None:
        try:
            train_on_workers(_run_worker, {"job": self._job}, self._job.distribution, self._job.size)
        except RuntimeError as error:
            self._error = error

    def _wait_for(self, answer: ray.ObjectRef, should_stop: Callable[[], bool] = lambda: False) -> Any:
        while True:
            ready, _ = ray.wait([answer], timeout=_LOOK_EVERY_S)
            if ready:
                return ray.get(answer)
            if should_stop():
                raise NoRoomError
            if not self._thread.is_alive():
                raise self._error or ExecutionError("The workers of a trial returned before it ended.")


def _run_worker(config: dict[str, Any]) -> None:
    """What each worker does: trial after trial, as long as one is wanted."""
    job: _Job = config["job"]
    context: WorkerContext = ray.get(job.context.reference)
    check_folder(context.folder)
    group = own_group(job.distribution)
    node, gpus = ray.util.get_node_ip_address(), tuple(str(gpu) for gpu in ray.get_gpu_ids())
    ray.get(job.board.join.remote(group.rank, Placement(node, own_device(), gpus)))
    for trial in count(1):
        spec: TrialSpec | None = ray.get(job.board.trial.remote(trial))
        if spec is None:
            return
        with trial_log(context.folder, spec, is_wanted=group.rank == 0), _shortage_told(job.size):
            _run_trial(job, context, group, trial, spec)
        gc.collect()  # The network's replica is part of cycles, and its memory the next trial's.
        reset_gpu_memory()


def _shortage_told(size: GroupSize) -> AbstractContextManager[None]:
    return shortage_told(size.gpus) if size.gpus else nullcontext()


def _run_trial(job: _Job, context: WorkerContext, group: WorkerGroup, trial: int, spec: TrialSpec) -> None:
    """The trial's loop, one step whenever it is wanted."""
    loop = build_loop(
        context,
        spec,
        load_libraries(context, spec),
        device=own_device(),
        threads=job.size.threads,
        gpu_share=job.size.gpus or 1.0,
        peers=Peers(group, broadcast_from_rank_zero),
    )
    for step in count():
        if not ray.get(job.board.is_wanted.remote(trial, step)):
            return
        folder = context.study_folder / "trials" / spec.id
        with watchdog(folder, spec.time_limit_s, loop.train_seconds, group.rank):
            report = loop.step()
        if group.rank == 0:
            ray.get(job.board.tell.remote(report))


def _joined(places: list[Placement]) -> Placement:
    """Where a trial runs that several workers train: every node, and the GPUs in the order of the workers."""
    by_node: dict[str, list[str]] = defaultdict(list)
    for place in places:
        by_node[place.node] += place.gpus
    gpus = tuple(gpu for ids in by_node.values() for gpu in ids)
    return Placement(", ".join(by_node), places[0].device, gpus)
