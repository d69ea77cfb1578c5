"""The final fit: a trial's configuration trained on more rows, on all GPUs, into a bundle of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tuning.config import validate_config
from tuning.data import FinalRows, Fold
from tuning.execution import GroupSize, RefitJob, cluster_nodes, plan_refit, ray_cluster, refit_on_workers
from tuning.families import Family, load_model
from tuning.leaderboard import choose_trial
from tuning.models import own_files
from tuning.sampling import derive_seed
from tuning.session import StudyFolder, replace_folder, to_json
from tuning.storage import Place
from tuning.store import TrialRecord
from tuning.study._bundle import BUNDLE_FILE
from tuning.study._conclude import read_leaderboard
from tuning.study._final_fit import MODEL_FOLDER, TRANSFORMS_FOLDER, Refit
from tuning.study._restore import find_family, load_models
from tuning.study._run import one_at_a_time
from tuning.study._setup import StudyHeader, read_header
from tuning.study._table import read_final_fold, with_data
from tuning.trial import read_best_units, score_test


def refit(
    storage: Place,
    name: str,
    trial: str = "best",
    *,
    workers: int | None = None,
    rows: FinalRows = FinalRows.TRAIN_VALID,
    address: str | None = None,
    data: str | Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Refit:
    """Train a trial's configuration again, for as many units as its best state had, and export it.

    Nothing validates, so nothing stops early; the transforms are fitted anew on the rows that train. The
    leaderboard and the record stay as they are, and so does an earlier final fit until this one is whole.

    Args:
        storage: folder of the study folders.
        name: the study.
        trial: `best`, a family (its best trial) or a trial's id.
        workers: N, each with a batch of its own, so that N batches make one step; None: one a GPU.
        rows: what is trained on.
        address: of the cluster; None: the study's.
        data: where the study's table is now, if it was moved.
        tell: given a line before the training starts, which may have to wait for room on the cluster.

    Raises:
        InputError: there is no such trial, the data changed, or the cluster has no room for the workers.
        ExecutionError: training broke off.
    """
    header, folder = read_header(storage, name)
    place = header.config.address if address is None else _checked(header, address)
    record = _choose(header, folder, trial)
    family = find_family(header.families, record.model)
    with folder.checkpoint(record.require_checkpoint()) as checkpoint:
        units = read_best_units(checkpoint)
    header = with_data(header, folder, data, "--data")
    fold = read_final_fold(header, folder, rows)
    job = _job(header, folder, record, family, fold, units)
    with one_at_a_time(name), folder.lock(), _empty(job):
        started_s = time.monotonic()
        count, note = _train(job, place, workers, lambda line: tell(f"{record.id}: {line}"))
        folder.mirror.pull(job.folder / MODEL_FOLDER)
        result = Refit(
            record.id, f"{folder}/{folder.refit.name}", rows, len(fold.train), count, units,
            time.monotonic() - started_s, note, _test(job, family, fold), dict(record.test),
        )  # fmt: skip
        _describe(job.folder, header, record, family, fold, result)
        replace_folder(job.folder, folder.refit)
        folder.mirror.push(folder.refit)
    return result


@contextmanager
def _empty(job: RefitJob) -> Iterator[None]:
    """Make the job's folder for the block; nothing of it stays, here or in an object store."""
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir()
    try:
        yield
    finally:
        job.study.mirror.delete(job.folder)


def _checked(header: StudyHeader, address: str) -> str:
    raw = {**header.config.model_dump(mode="json"), "address": address}
    return validate_config(raw, "refit", {"address": "--address"}).address


def _choose(header: StudyHeader, folder: StudyFolder, trial: str) -> TrialRecord:
    with header.open_store(folder) as store:
        return store.trial(*choose_trial(read_leaderboard(header, store), trial))


def _job(
    header: StudyHeader, folder: StudyFolder, record: TrialRecord, family: Family, fold: Fold, units: int
) -> RefitJob:
    seed = derive_seed(header.config.search.seed, record.model, record.number)
    return RefitJob(
        study=folder,
        family=family.name,
        model_file=family.file,
        params=record.params,
        schema=fold.schema,
        train=fold.train,
        seed=derive_seed(seed, 0),  # that of the trial's own first fold
        units=units,
    )


def _train(job: RefitJob, address: str, workers: int | None, tell: Callable[[str], None]) -> tuple[int, str]:
    """How many workers trained, and why no more."""
    model_class = load_model(job.family, job.model_file)
    can_share = model_class.distribution is not None
    with ray_cluster(address):
        size = plan_refit(cluster_nodes(), workers, uses_gpu=model_class.uses_gpu, can_share=can_share)
        tell(_plan(job, size))
        refit_on_workers(job, size)
    return size.workers, "" if can_share else f"One worker trains {job.family}: it cannot be distributed."


def _plan(job: RefitJob, size: GroupSize) -> str:
    """What is about to be trained, and where."""
    count = "1 worker" if size.workers == 1 else f"{size.workers} workers"
    each = f"{size.cpus:g} CPU" + (f" + {size.gpus:g} GPU" if size.gpus else "")
    return (
        f"{job.units} units on {len(job.train):,} rows, as soon as the cluster has room for {count} "
        f"with {each}; Ctrl-C ends it and leaves the study as it was."
    )


def _test(job: RefitJob, family: Family, fold: Fold) -> dict[str, float]:
    """Metrics on the test rows; of a fit on all rows there are none left."""
    if not len(fold.test):
        return {}
    models = load_models(job.params, family.name, job.folder / MODEL_FOLDER, family, [fold.schema])
    metrics = score_test(models, [fold]).metrics
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _describe(
    draft: Path, header: StudyHeader, record: TrialRecord, family: Family, fold: Fold, result: Refit
) -> None:
    """Put beside the model what a bundle has beside it: transforms, a user's model file, a description."""
    fold.transform.save(draft / TRANSFORMS_FOLDER / "fold-0")
    if family.file is not None:
        for path in own_files(family.file):
            shutil.copyfile(path, draft / path.name)
    description: dict[str, Any] = {
        "study": header.config.name,
        "trial": record.id,
        "model": record.model,
        "params": dict(record.params),
        "task": header.task.value,
        "metric": header.metric,
        "trained_on": result.trained_on.value,
        "rows": result.rows,
        "units": result.units,
        "workers": result.workers,
        "seconds": round(result.seconds, 3),
        "valid": None,  # no row was left to validate on
        "test": result.test or None,
    }
    (draft / BUNDLE_FILE).write_text(to_json(description))
