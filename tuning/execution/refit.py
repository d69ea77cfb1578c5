"""Training one configuration to its end on workers of Ray Train: nothing is validated, nothing chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from tuning.config import ResourceConfig
from tuning.errors import ExecutionError, InputError
from tuning.execution.shares import Node, plan_shares
from tuning.execution.training import (
    GroupSize,
    WorkerFailedError,
    WorkersLostError,
    own_device,
    own_group,
    train_on_workers,
)
from tuning.families import load_model
from tuning.models import Distribution, Schema, Table
from tuning.session import StudyFolder
from tuning.space import build_params
from tuning.trial import Progress, write_checkpoint

_STEERING_ROWS = 64
_STEERING_WINDOWS = 8


@dataclass(frozen=True)
class RefitJob:
    """What is trained.

    Attributes:
        study: where the model is written, in its `folder`.
        family: name of the family.
        model_file: its file when it is not a shipped one.
        params: hyperparameters.
        schema: of the rows.
        train: the rows.
        seed: of the model.
        units: of budget, all of which are trained.
    """

    study: StudyFolder
    family: str
    model_file: Path | None
    params: Mapping[str, Any]
    schema: Schema
    train: Table
    seed: int
    units: int

    @property
    def folder(self) -> Path:
        """Where `model/` is written; of a study in an object store, one on each machine."""
        return self.study.refit.with_name(".refit.draft")

    def reach(self) -> Path | None:
        """Make sure that this machine can write the model; the family's file here, None of a shipped one.

        Raises:
            InputError: the study lies on another machine's disk.
        """
        if self.study.remote is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        elif not self.folder.is_dir():
            raise InputError(f"A worker's node does not see {self.folder}: put the study on a shared disk.")
        if self.model_file is None:
            return None
        return self.study.fetch_model_file(self.model_file.name)


def plan_refit(nodes: Sequence[Node], workers: int | None, *, uses_gpu: bool, can_share: bool) -> GroupSize:
    """The workers of a final fit.

    Args:
        nodes: the cluster.
        workers: how many; None: as many as GPUs, one without any.
        uses_gpu: the family uses a GPU.
        can_share: it can be distributed; otherwise one worker trains it.

    Raises:
        InputError: the cluster has no room for so many.
    """
    gpus = sum(node.gpus for node in nodes) if uses_gpu else 0
    count = (workers or max(1, gpus)) if can_share else 1
    room = gpus or int(sum(node.cpus for node in nodes))
    if count > room:
        raise InputError(
            f"--workers: {count} are more than the cluster's {room} {'GPUs' if gpus else 'CPUs'}; lower it."
        )
    config = ResourceConfig(workers_per_trial=count, max_concurrent=1)
    return plan_shares(config, nodes, uses_gpu=uses_gpu, only_gpu=uses_gpu).group(uses_gpu=uses_gpu)


def refit_on_workers(job: RefitJob, size: GroupSize) -> None:
    """Train the job's model, and write it to `model/` in the job's folder.

    Raises:
        ExecutionError: a worker died, or training raised; the reason is its last line.
    """
    distribution = load_model(job.family, job.model_file).distribution
    config = {"job": ray.put(job), "distribution": distribution, "threads": size.threads}
    try:
        train_on_workers(_refit, config, distribution, size)
    except (WorkersLostError, WorkerFailedError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ExecutionError(f"The final fit broke off: {reason}") from error


def _refit(config: dict[str, Any]) -> None:
    """What each worker does."""
    job: RefitJob = ray.get(config["job"])
    distribution: Distribution | None = config["distribution"]
    group = own_group(distribution)
    model_class = load_model(job.family, job.reach())
    params = build_params(model_class, job.params, job.family)
    model = model_class(params, job.schema, seed=job.seed, device=own_device(), threads=config["threads"])
    model.join(group)
    model.bind(job.train, _steering_rows(job.train))
    for _ in range(job.units):
        model.advance()
        if model.train_loss is not None:
            # Schedules hear of the training loss: there is no other.
            model.observe(model.train_loss)
    model.mark_best()
    if group.rank == 0:
        progress = Progress(units_done=job.units, best_units=job.units)
        job.study.mirror.push(write_checkpoint(job.folder, "model", [model], progress, to_go_on=False))


def _steering_rows(train: Table) -> Table:
    """A few rows in the place of those that would validate; what they give is not used."""
    if train.windows is None:
        return train.take(slice(0, _STEERING_ROWS))
    return train.take(slice(0, int((train.windows.window_of_row < _STEERING_WINDOWS).sum())))
