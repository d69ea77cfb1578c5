"""One trial as a plain loop: build, advance, evaluate, report, save, restore. Needs no Ray."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from tuning.metrics import Metric
from tuning.models import Model, ModelClass
from tuning.models.errors import DivergedError
from tuning.sampling import derive_seed
from tuning.storage import Mirror
from tuning.store import Result, Status
from tuning.trial._checkpoint import (
    BEST,
    CHECKPOINTS,
    Progress,
    drop_older_checkpoints,
    read_checkpoint,
    write_checkpoint,
)
from tuning.trial._outcome import (
    PREDICTIONS_NAME,
    predict_valid,
    score_train,
    score_valid,
    write_valid_predictions,
)
from tuning.trial._peers import ON_ITS_OWN, Peers
from tuning.trial._spec import FoldRows, Report, TrialSpec

logger = logging.getLogger(__name__)

_SAME_DISK = Mirror()


class TrialLoop:
    """Trains one configuration, on every fold at once, one iteration a step.

    The budget of the models (`Model.total_units`) is divided into R iterations. After each unit the
    validation rows are scored; the best state is marked in the models; training ends early when the
    score has not improved for the model's patience.

    Args:
        spec: what to train.
        model_class: the family's model.
        folds: training and validation rows, one entry a fold.
        metric: what is searched on.
        study_folder: folder of the study; the trial writes below `trials/<id>`.
        device: `cpu` or `cuda`.
        gpu_share: part of the GPU's memory that the models may take.
        threads: CPU threads of a model.
        should_stop: asked between units; True ends the trial with a checkpoint.
        peers: the processes that run this loop together, each on its share of the training rows.
        mirror: carries what the trial writes to where the study lives.
    """

    def __init__(
        self,
        spec: TrialSpec,
        model_class: ModelClass,
        folds: Sequence[FoldRows],
        metric: Metric,
        study_folder: Path,
        *,
        device: str = "cpu",
        gpu_share: float = 1.0,
        threads: int = 1,
        should_stop: Callable[[], bool] = lambda: False,
        peers: Peers = ON_ITS_OWN,
        mirror: Mirror = _SAME_DISK,
    ) -> None:
        self._spec = spec
        self._model_class = model_class
        self._folds = folds
        self._metric = metric
        self._study_folder = study_folder
        self._folder = study_folder / "trials" / spec.id
        self._device = device
        self._gpu_share = gpu_share
        self._threads = threads
        self._should_stop = should_stop
        self._peers = peers
        self._mirror = mirror
        self._progress = Progress()
        self._models: list[Model[Any]] = []
        self._checkpoint: Path | None = None
        self._counted_s = 0.0
        self._is_out_of_time = False

    def step(self) -> Report:
        """Train and evaluate one iteration.

        Raises:
            Exception: whatever the model raises; `DivergedError` alone is turned into a result.
        """
        try:
            with self._counted_time():
                stopped = self._train_iteration()
        except DivergedError as error:
            return self._end(Status.DIVERGED, str(error))
        if stopped:
            return self._interrupt()
        if self._is_done():
            return self._end(Status.COMPLETED)
        if self._is_out_of_time:
            limit_s = self._spec.time_limit_s
            return self._end(Status.COMPLETED, note=f"ended by its time limit of {limit_s:g} s")
        return self._report(self._save_if_due())

    @contextmanager
    def _counted_time(self) -> Iterator[None]:
        """Build or restore the models when there are none yet, and add the block's time to the trial's."""
        self._counted_s = time.perf_counter()
        try:
            if not self._models:
                self._start()
            yield
        finally:
            self._count_time()

    def _count_time(self) -> None:
        now_s = time.perf_counter()
        self._progress.train_seconds += now_s - self._counted_s
        self._counted_s = now_s

    def _start(self) -> None:
        self._folder.joinpath(CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        if self._spec.checkpoint is not None:
            self._restore(self._study_folder / self._spec.checkpoint)
        else:
            self._models = self._build()

    def _build(self) -> list[Model[Any]]:
        params = self._model_class.Params.model_validate(dict(self._spec.params))
        models: list[Model[Any]] = []
        for number, fold in enumerate(self._folds):
            model = self._model_class(
                params,
                fold.schema,
                seed=derive_seed(self._spec.seed, number),
                device=self._device,
                threads=self._threads,
                gpu_share=self._gpu_share,
            )
            model.join(self._peers.group)
            model.bind(fold.train, fold.valid)
            models.append(model)
        return models

    def _restore(self, folder: Path, *, is_own: bool = False) -> None:
        """Go on from a checkpoint; one that this process has just written need not be fetched."""
        self._models = self._build()
        with nullcontext(folder) if is_own else self._mirror.reading(folder) as place:
            self._progress = read_checkpoint(place, self._models, to_go_on=True)
        self._checkpoint = folder

    @property
    def _total_units(self) -> int:
        return self._models[0].total_units

    def _train_iteration(self) -> bool:
        """Train up to the next iteration's share of the budget; True when asked to stop on the way.

        The end of the trial's time cuts the iteration short: it counts as done.
        """
        progress = self._progress
        share = (progress.iteration + 1) / self._spec.max_iterations
        goal = min(math.ceil(share * self._total_units - 1e-9), self._total_units)
        while progress.units_done < goal and not (self._is_out_of_patience() or self._is_out_of_time):
            if self._peers.agree(self._should_stop()):
                return True
            self._train_unit()
            self._check_time()
        progress.iteration += 1
        if progress.units_done >= self._total_units:
            progress.iteration = self._spec.max_iterations
            if progress.best_units == progress.units_done:
                progress.best_iteration = progress.iteration
        return False

    def _train_unit(self) -> None:
        values, ties = [], []
        for model, fold in zip(self._models, self._folds, strict=True):
            model.advance()
            outputs = model.predict_valid()
            value = self._metric.of(fold.valid, outputs)
            if not math.isfinite(value):
                raise DivergedError(f"The validation {self._metric.name} is {value}.")
            model.observe(self._metric.to_loss(value))
            values.append(value)
            if self._metric.tie_breaker is not None:
                ties.append(self._metric.tie_breaker.of(fold.valid, outputs))
        self._progress.units_done += 1
        self._note(float(np.mean(values)), float(np.mean(ties)) if ties else None)

    def _note(self, value: float, tie: float | None) -> None:
        progress = self._progress
        progress.last_value = value
        if self._is_best(value, tie):
            progress.best_value, progress.best_tie = value, tie
            progress.best_units = progress.units_done
            progress.best_iteration = progress.iteration + 1
            for model in self._models:
                model.mark_best()

    def _is_best(self, value: float, tie: float | None) -> bool:
        best, best_tie, breaker = self._progress.best_value, self._progress.best_tie, self._metric.tie_breaker
        if best is None or self._metric.is_better(value, best):
            return True
        if value != best or breaker is None or tie is None or best_tie is None:
            return False
        return breaker.is_better(tie, best_tie)

    def _is_out_of_patience(self) -> bool:
        patience = self._models[0].patience_units
        waited = self._progress.units_done - self._progress.best_units
        return patience is not None and waited >= patience and self._progress.best_value is not None

    def _is_done(self) -> bool:
        return self._progress.units_done >= self._total_units or self._is_out_of_patience()

    def _check_time(self) -> None:
        """Look whether the trial's time is up, after a unit: there is a state to end with."""
        limit_s = self._spec.time_limit_s
        if limit_s is not None:
            self._count_time()
            self._is_out_of_time = self._peers.agree(self._progress.train_seconds > limit_s)

    @property
    def train_seconds(self) -> float:
        """Time spent so far, earlier attempts included."""
        return self._progress.train_seconds

    def _save_if_due(self) -> str | None:
        if self._progress.iteration not in self._spec.checkpoint_iterations:
            return None
        path = self._save()
        if not self._model_class.continues_exactly:
            # A trial that is resumed here goes through a load; so must one that is not, to be its equal.
            self._restore(path, is_own=self._peers.writes)
            self._peers.wait()  # What a trial that is pruned here does not need any more, the driver deletes.
        return self._relative(path)

    def _save(self) -> Path:
        name = f"iteration-{self._progress.iteration:04d}-unit-{self._progress.units_done:06d}"
        if self._checkpoint is not None and self._checkpoint.name == name:
            return self._checkpoint  # Nothing was trained since, and the record may name it already.
        path = self._write(f"{CHECKPOINTS}/{name}", to_go_on=True)
        if self._peers.writes:
            # The previous one stays: the driver has recorded that one, and this one not yet.
            keep = [path, *([self._checkpoint] if self._checkpoint else [])]
            drop_older_checkpoints(self._folder, keep)
            self._mirror.keep_only(path.parent, keep)
        self._checkpoint = path
        return path

    def _write(self, name: str, *, to_go_on: bool) -> Path:
        """Write a checkpoint, or have a peer write it; it is there when this returns."""
        if self._peers.writes:
            written = write_checkpoint(self._folder, name, self._models, self._progress, to_go_on=to_go_on)
            self._mirror.push(written)
        self._peers.wait()
        return self._folder / name

    def _interrupt(self) -> Report:
        checkpoint = self._relative(self._save()) if self._progress.units_done else None
        return self._report(checkpoint, value_known=False, interrupted=True)

    def _end(self, status: Status, error: str | None = None, note: str | None = None) -> Report:
        progress = self._progress
        if progress.best_value is None:
            return self._report(None, value_known=False, result=Result(status, error=error))
        for model in self._models:
            model.restore_best()
        path = self._write(BEST, to_go_on=False)
        result = self._score(status, error, note)
        self._count_time()  # what a trial costs at its end is its own as well
        known = status is Status.COMPLETED
        return self._report(self._relative(path), value_known=known, result=result)

    def _score(self, status: Status, error: str | None, note: str | None) -> Result:
        """The best state, which the models hold now, on all of the trial's rows."""
        predictions = predict_valid(self._models, self._folds)
        if self._peers.writes:
            write_valid_predictions(self._folder, self._folds, predictions)
            self._mirror.push(self._folder / PREDICTIONS_NAME)
        valid = score_valid(self._folds[0].schema.task, predictions)
        return Result(
            status,
            self._progress.best_value,
            self._progress.best_iteration,
            train=score_train(self._models, self._folds),
            valid=valid.metrics,
            error=error,
            details=valid.details,
            note=note,
        )

    def _report(
        self,
        checkpoint: str | None,
        *,
        value_known: bool = True,
        result: Result | None = None,
        interrupted: bool = False,
    ) -> Report:
        progress = self._progress
        value = progress.last_value if value_known else None
        logger.info("%s iteration %d: %s", self._spec.id, progress.iteration, value)
        return Report(
            iteration=progress.iteration,
            value=value,
            train_seconds=progress.train_seconds,
            checkpoint=checkpoint,
            result=result,
            interrupted=interrupted,
            best_value=progress.best_value,
            best_iteration=progress.best_iteration or None,
        )

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._study_folder).as_posix()
