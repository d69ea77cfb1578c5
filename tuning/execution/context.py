"""What all trials of a study share, and how a process that Ray started runs one of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import ray

from models import Task
from tuning.errors import InputError
from tuning.execution.training import GroupSize
from tuning.families import load_model
from tuning.metrics import get_metric
from tuning.session import STUDY_FILE
from tuning.trial import ON_ITS_OWN, FoldRows, Peers, TrialLoop, TrialSpec

_LOGGED = ("tuning", "models")


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
        threads: CPU threads of a model that one process trains.
        groups: the workers of a trial, for families whose trials several train.
    """

    folds: tuple[FoldRows, ...]
    task: Task
    metric: str
    study_folder: Path
    stop_file: Path
    model_files: Mapping[str, Path | None]
    threads: int
    groups: Mapping[str, GroupSize] = field(default_factory=dict)


def build_loop(
    context: WorkerContext,
    spec: TrialSpec,
    *,
    device: str,
    threads: int,
    gpu_share: float = 1.0,
    peers: Peers = ON_ITS_OWN,
) -> TrialLoop:
    """The loop of a trial, as this process is to run it."""
    return TrialLoop(
        spec,
        load_model(spec.model, context.model_files[spec.model]),
        context.folds,
        get_metric(context.metric, context.task),
        context.study_folder,
        device=device,
        threads=threads,
        should_stop=context.stop_file.exists,
        gpu_share=gpu_share,
        peers=peers,
    )


def check_folder(folder: Path) -> None:
    """Refuse a study folder that this node does not see.

    Raises:
        InputError: it lies on another machine's disk.
    """
    if not (folder / STUDY_FILE).is_file():
        node = ray.util.get_node_ip_address()
        raise InputError(f"The node {node} does not see the study folder {folder}: put it on a shared disk.")


@contextmanager
def trial_log(folder: Path, spec: TrialSpec, *, is_wanted: bool = True) -> Iterator[None]:
    """Send what the project logs during the block to the trial's own file, below the study folder."""
    if not is_wanted:
        yield
        return
    handler = logging.FileHandler(folder / "trials" / spec.id / "log", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in _LOGGED:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        yield
    finally:
        for name in _LOGGED:
            logging.getLogger(name).removeHandler(handler)
        handler.close()
