"""The one trainable: a Ray actor that runs whatever trial it is given next."""

from __future__ import annotations

import logging
import time
import traceback
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray import tune

from tuning.errors import DiskFullError, StorageError
from tuning.execution.context import WorkerContext, build_loop, check_folder, load_libraries, trial_log
from tuning.execution.gpu_memory import GpuMemoryError, poisoned, reset_gpu_memory
from tuning.execution.metrics import TrialMetrics
from tuning.execution.training import GroupSize, WorkersLostError
from tuning.execution.watchdog import watchdog
from tuning.execution.workers import NoRoomError, SharedContext, TrialWorkers
from tuning.models import Distribution, ModelClass
from tuning.storage import disk_full, has_no_room, is_disk_full
from tuning.store import Placement, Result, Status
from tuning.trial import Report, TrialLoop, TrialSpec

_MESSAGE_EVERY_S = 0.2


@dataclass(frozen=True)
class Message:
    """What an actor sends the driver: the trial's reports since the last message, and where it runs."""

    reports: tuple[Report, ...]
    placement: Placement


class StudyTrainable(tune.Trainable):  # type: ignore[misc]
    """Runs trials of every family, one after the other, in the same process (`reuse_actors`)."""

    def setup(
        self, config: dict[str, Any], context: WorkerContext, shared: SharedContext | None = None
    ) -> None:
        self._context = context
        self._shared = shared
        self._loop: TrialLoop | TrialWorkers | None = None
        self._workers: TrialWorkers | None = None
        self._log = ExitStack()
        self._first = config["spec"].id
        self._metrics = TrialMetrics(context.study_folder.name)
        self._begin(config["spec"])

    def __repr__(self) -> str:
        """What the dashboard's table of actors shows; Ray asks once, when the actor is made."""
        return f"{self._context.study_folder.name}: from {self._first}"

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config["spec"])
        return True

    def step(self) -> dict[str, Any]:
        """Train until the driver has something to decide or to show.

        Short iterations travel together, because a message costs the driver more than such an
        iteration; a checkpoint, where the trial may be pruned, is always the last of its message.
        """
        started_s = time.monotonic()
        reports: list[Report] = []
        while not reports or not self._must_send(reports[-1], started_s):
            reports.append(self._run_step())
        self._metrics.update()
        return {"message": Message(tuple(reports), self._placement)}

    def _must_send(self, report: Report, started_s: float) -> bool:
        decides = report.is_last or report.iteration in self._spec.checkpoint_iterations
        return decides or time.monotonic() - started_s > _MESSAGE_EVERY_S

    def cleanup(self) -> None:
        self._metrics.end()
        self._end_workers()
        self._log.close()

    def _begin(self, spec: TrialSpec) -> None:
        self._log.close()
        self._spec, self._loop = spec, None
        self._metrics.begin(spec.id)
        self._size = self._group_size(spec)
        self._folder = self._context.study_folder / "trials" / spec.id
        check_folder(self._context.folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log.enter_context(trial_log(self._context.folder, spec))
        gpus = tuple(str(gpu) for gpu in ray.get_gpu_ids())
        device = "cuda" if gpus else "cpu"
        self._placement = Placement(ray.util.get_node_ip_address(), device, gpus)
        reset_gpu_memory()

    def _group_size(self, spec: TrialSpec) -> GroupSize | None:
        """The workers that train the trial, None where this process does."""
        size = self._context.groups.get(spec.model)
        if size is None or not spec.whole_gpu:
            return size
        return replace(size, gpus=max(1.0, size.gpus))

    def _run_step(self) -> Report:
        """One iteration. Here is the edge of a trial: what a model raises is recorded, not passed on."""
        try:
            if self._loop is None:
                model = load_libraries(self._context, self._spec)
                with self._watched():
                    self._loop = self._make_loop(model)
            with self._watched():
                return self._loop.step()
        except (WorkersLostError, StorageError, GpuMemoryError, DiskFullError):
            raise
        except NoRoomError:
            return Report(0, None, self._seconds, interrupted=True)
        except Exception as error:
            if is_disk_full(error) or has_no_room(self._context.study_folder):
                raise disk_full(self._folder, error) from error
            trace = traceback.format_exc()
            logging.getLogger(__name__).error("%s failed:\n%s", self._spec.id, trace)
            broken = poisoned(error, trace, self._gpu_share) if self._placement.device == "cuda" else None
            if broken is not None:
                raise broken from error
            return Report(0, None, self._seconds, result=Result(Status.FAILED, error=trace))

    def _make_loop(self, model: ModelClass) -> TrialLoop | TrialWorkers:
        if self._size is not None and self._shared is not None:
            self._workers = self._workers_for(model.distribution, self._size, self._shared)
            folder = self._context.folder
            self._placement = self._workers.begin(self._spec, folder.mirror.watch(folder.stop_file))
            return self._workers
        return build_loop(
            self._context,
            self._spec,
            model,
            device=self._placement.device,
            threads=self._context.threads,
            gpu_share=self._gpu_share,
        )

    def _workers_for(
        self, distribution: Distribution | None, size: GroupSize, shared: SharedContext
    ) -> TrialWorkers:
        """The workers of the last trial, where they can run this one too."""
        if self._workers is not None and self._workers.can_run(distribution, size):
            return self._workers
        self._end_workers()
        return TrialWorkers(distribution, size, shared)

    def _end_workers(self) -> None:
        if self._workers is not None:
            self._workers.end()
            self._workers = None

    @property
    def _gpu_share(self) -> float:
        """GPUs of this worker; 1 and more: whole ones."""
        return float(self.trial_resources.required_resources.get("GPU", 1.0))

    @property
    def _seconds(self) -> float:
        return 0.0 if self._loop is None else self._loop.train_seconds

    def _watched(self) -> AbstractContextManager[None]:
        """Watch for a hang; the workers of a group watch over themselves."""
        limit_s = self._spec.time_limit_s if self._size is None else None
        return watchdog(self._folder, limit_s, self._seconds)
