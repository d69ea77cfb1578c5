"""The one trainable: a Ray actor that runs whatever trial it is given next."""

from __future__ import annotations

import faulthandler
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ray
from ray import tune

from models import Task
from tuning.errors import InputError
from tuning.execution.metrics import TrialMetrics
from tuning.families import load_model
from tuning.metrics import get_metric
from tuning.session import STUDY_FILE
from tuning.store import Placement, Result, Status
from tuning.trial import FoldRows, Report, TrialLoop, TrialSpec

HANG_NAME = "hang.txt"
_GRACE_S = 1.0
_MESSAGE_EVERY_S = 0.2


@dataclass(frozen=True)
class WorkerContext:
    """What all trials of a study share; lies once in Ray's object store.

    Attributes:
        folds: training and validation rows.
        task: kind of target.
        metric: name of the metric that is searched on.
        study_folder: folder of the study, seen by every worker.
        stop_file: exists when trials should write a checkpoint and end.
        model_files: the study's families; the file of those that are not shipped.
        threads: CPU threads of a model.
    """

    folds: tuple[FoldRows, ...]
    task: Task
    metric: str
    study_folder: Path
    stop_file: Path
    model_files: Mapping[str, Path | None]
    threads: int


@dataclass(frozen=True)
class Message:
    """What an actor sends the driver: the trial's reports since the last message, and where it runs."""

    reports: tuple[Report, ...]
    placement: Placement


class WorkerPoisonedError(RuntimeError):
    """A CUDA error left this process unusable; Ray replaces it."""


class StudyTrainable(tune.Trainable):  # type: ignore[misc]
    """Runs trials of every family, one after the other, in the same process (`reuse_actors`)."""

    def setup(self, config: dict[str, Any], context: WorkerContext) -> None:
        self._context = context
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
        self._arm_watchdog()
        started_s = time.monotonic()
        reports: list[Report] = []
        try:
            while not reports or not self._must_send(reports[-1], started_s):
                reports.append(self._run_step())
        finally:
            self._disarm_watchdog()
        self._metrics.update()
        return {"message": Message(tuple(reports), self._placement)}

    def _must_send(self, report: Report, started_s: float) -> bool:
        decides = report.is_last or report.iteration in self._spec.checkpoint_iterations
        return decides or time.monotonic() - started_s > _MESSAGE_EVERY_S

    def cleanup(self) -> None:
        self._metrics.end()
        self._close_log()

    def _begin(self, spec: TrialSpec) -> None:
        self._spec = spec
        self._metrics.begin(spec.id)
        self._loop: TrialLoop | None = None
        self._folder = self._context.study_folder / "trials" / spec.id
        self._check_folder()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._open_log()
        gpus = tuple(str(gpu) for gpu in ray.get_gpu_ids())
        device = "cuda" if gpus else "cpu"
        self._placement = Placement(ray.util.get_node_ip_address(), device, gpus)
        _free_gpu_memory()

    def _check_folder(self) -> None:
        folder = self._context.study_folder
        if not (folder / STUDY_FILE).is_file():
            node = ray.util.get_node_ip_address()
            raise InputError(
                f"The node {node} does not see the study folder {folder}: put it on a shared disk."
            )

    def _run_step(self) -> Report:
        """One iteration. Here is the edge of a trial: what a model raises is recorded, not passed on."""
        try:
            if self._loop is None:
                self._loop = self._make_loop()
            return self._loop.step()
        except Exception as error:
            trace = traceback.format_exc()
            logging.getLogger(__name__).error("%s failed:\n%s", self._spec.id, trace)
            if self._placement.device == "cuda" and _is_cuda_error(error):
                raise WorkerPoisonedError(trace) from error
            return Report(0, None, self._seconds, result=Result(Status.FAILED, error=trace))

    def _make_loop(self) -> TrialLoop:
        context = self._context
        return TrialLoop(
            self._spec,
            load_model(self._spec.model, context.model_files[self._spec.model]),
            context.folds,
            get_metric(context.metric, context.task),
            context.study_folder,
            device=self._placement.device,
            threads=context.threads,
            should_stop=context.stop_file.exists,
        )

    @property
    def _seconds(self) -> float:
        return 0.0 if self._loop is None else self._loop.train_seconds

    def _arm_watchdog(self) -> None:
        """Let the process end itself, with its stacks written down, when a step outlasts the trial's limit.

        A thread of C waits, so it also ends code that holds the interpreter's lock for ever.
        """
        self._hang_file: IO[str] | None = None
        if self._spec.time_limit_s is not None:
            left_s = max(self._spec.time_limit_s - self._seconds, 0.0) + _GRACE_S
            self._hang_file = (self._folder / HANG_NAME).open("w")
            faulthandler.dump_traceback_later(left_s, exit=True, file=self._hang_file)

    def _disarm_watchdog(self) -> None:
        if self._hang_file is not None:
            faulthandler.cancel_dump_traceback_later()
            self._hang_file.close()
            (self._folder / HANG_NAME).unlink()

    def _open_log(self) -> None:
        """Send what the project logs during this trial to the trial's own file."""
        self._close_log()
        self._handler = logging.FileHandler(self._folder / "log", delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        for name in ("tuning", "models"):
            logging.getLogger(name).addHandler(self._handler)
            logging.getLogger(name).setLevel(logging.INFO)

    def _close_log(self) -> None:
        handler = getattr(self, "_handler", None)
        if handler is not None:
            for name in ("tuning", "models"):
                logging.getLogger(name).removeHandler(handler)
            handler.close()


def _free_gpu_memory() -> None:
    """Give back what the last trial's network left in torch's cache; other libraries need it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _is_cuda_error(error: BaseException | None) -> bool:
    """Whether a CUDA error stands somewhere in the chain; the libraries wrap them in types of their own."""
    while error is not None:
        if "cuda" in str(error).casefold():
            return True
        error = error.__cause__ or error.__context__
    return False
