"""What all trials of a study share, and how a process that Ray started runs one of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import ray

from tuning.errors import InputError, StorageError
from tuning.execution.training import GroupSize
from tuning.families import load_model
from tuning.metrics import get_metric
from tuning.models import ModelClass, Task
from tuning.session import StudyFolder
from tuning.trial import ON_ITS_OWN, FoldRows, Peers, TrialLoop, TrialSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerContext:
    """What all trials of a study share; lies once in Ray's object store.

    Attributes:
        folds: training and validation rows.
        task: kind of target.
        metric: name of the metric that is searched on.
        folder: of the study, seen by every worker; of a study in an object store, one on each machine.
        model_files: the study's families; the file of those that are not shipped.
        threads: CPU threads of a model that one process trains.
        groups: the workers of a trial, for families whose trials several train.
    """

    folds: tuple[FoldRows, ...]
    task: Task
    metric: str
    folder: StudyFolder
    model_files: Mapping[str, Path | None]
    threads: int
    groups: Mapping[str, GroupSize] = field(default_factory=dict)

    @property
    def study_folder(self) -> Path:
        return self.folder.root

    def model_file(self, family: str) -> Path | None:
        """The file of a family that is not shipped, brought to this machine."""
        file = self.model_files[family]
        return None if file is None else self.folder.fetch_model_file(file.name)


def load_libraries(context: WorkerContext, spec: TrialSpec) -> ModelClass:
    """The trial's model; imports all that a trial needs, for seconds that are not to count as the trial's."""
    import_module("sklearn.metrics")  # The project's metrics import it only where they use it.
    return load_model(spec.model, context.model_file(spec.model))


def build_loop(
    context: WorkerContext,
    spec: TrialSpec,
    model: ModelClass,
    *,
    device: str,
    threads: int,
    gpu_share: float = 1.0,
    peers: Peers = ON_ITS_OWN,
) -> TrialLoop:
    """The loop of a trial, as this process is to run it."""
    return TrialLoop(
        spec,
        model,
        context.folds,
        get_metric(context.metric, context.task),
        context.study_folder,
        device=device,
        threads=threads,
        should_stop=context.folder.mirror.watch(context.folder.stop_file),
        gpu_share=gpu_share,
        peers=peers,
        mirror=context.folder.mirror,
    )


def check_folder(folder: StudyFolder) -> None:
    """Refuse a study folder that this node does not see.

    Raises:
        InputError: it lies on another machine's disk.
    """
    if not folder.exists():
        node = ray.util.get_node_ip_address()
        raise InputError(f"The node {node} does not see the study folder {folder}: put it on a shared disk.")


@contextmanager
def trial_log(folder: StudyFolder, spec: TrialSpec, *, is_wanted: bool = True) -> Iterator[None]:
    """Send what the project logs during the block to the trial's own file, below the study folder."""
    if not is_wanted:
        yield
        return
    path = folder.trial(spec.id) / "log"
    if spec.attempt > 1:
        folder.mirror.pull(path)
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    ours = logging.getLogger("tuning")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        handler.close()
        _send_log(folder, path)


def _send_log(folder: StudyFolder, path: Path) -> None:
    """Keep the trial's log with the study; nothing depends on it, so a store that is away is no fault."""
    try:
        if path.exists():
            folder.mirror.push(path)
    except StorageError as error:
        logger.warning("%s stays on this machine: %s", path, error)
    folder.mirror.forget(path.parent)
