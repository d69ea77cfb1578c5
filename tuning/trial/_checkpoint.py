"""Checkpoint folders: written beside their place and moved there whole, so none is ever half a checkpoint."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tuning.models import TRAINING, Model
from tuning.models.errors import CheckpointError
from tuning.storage import blame_full_disk

_PROGRESS_NAME = "trial.json"
CHECKPOINTS = "checkpoint"
BEST = "best"


@dataclass
class Progress:
    """How far a trial is.

    Attributes:
        iteration: last iteration reported.
        units_done: units trained.
        best_value: best validation score, None before the first.
        best_tie: the tie breaker's value at the best score; None for metrics without one.
        best_units: units trained at the best score.
        best_iteration: iteration during which the best score was reached.
        train_seconds: time spent on training and evaluating.
        last_value: validation score after the last unit.
    """

    iteration: int = 0
    units_done: int = 0
    best_value: float | None = None
    best_tie: float | None = None
    best_units: int = 0
    best_iteration: int = 0
    train_seconds: float = 0.0
    last_value: float | None = None


def write_checkpoint(
    trial_folder: Path, name: str, models: Sequence[Model[Any]], progress: Progress, *, to_go_on: bool = True
) -> Path:
    """Save the models (one a fold) and the progress under `trial_folder/name`, all or nothing.

    Args:
        trial_folder: of the trial.
        name: of the checkpoint.
        models: one a fold.
        progress: of the trial.
        to_go_on: with what going on with the training needs; without, it is enough to predict.

    Raises:
        DiskFullError: it does not fit; nothing of it stays.
    """
    final = trial_folder / name
    draft = final.with_name(f".{final.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, draft, ignore_errors=True)  # A full disk needs the room.
        undo.push(partial(blame_full_disk, trial_folder))
        draft.mkdir(parents=True)
        for fold, model in enumerate(models):
            model.save(draft / f"fold-{fold}", to_go_on=to_go_on)
        (draft / _PROGRESS_NAME).write_text(json.dumps(asdict(progress)))
        _sync(draft)
        undo.pop_all()
    # Only a name that no record mentions can be in the way: left by a run that was killed here.
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)
    _sync_folder(final.parent)
    return final


def read_checkpoint(
    folder: Path, models: Sequence[Model[Any]], *, first_fold: int = 0, to_go_on: bool = False
) -> Progress:
    """Load the models from `folder` and return the progress.

    Args:
        folder: the checkpoint.
        models: of folds that follow each other, one a fold.
        first_fold: number of the first of them.
        to_go_on: refuse a checkpoint that is only enough to predict.

    Raises:
        CheckpointError: the folder is incomplete or damaged.
    """
    progress = _read_progress(folder)
    for fold, model in enumerate(models, start=first_fold):
        model.load(folder / f"fold-{fold}", to_go_on=to_go_on)
    return progress


def read_best_units(folder: Path) -> int:
    """Units that the best state in a checkpoint was trained for.

    Raises:
        CheckpointError: the folder is incomplete or damaged.
    """
    return _read_progress(folder).best_units


def _read_progress(folder: Path) -> Progress:
    try:
        return Progress(**json.loads((folder / _PROGRESS_NAME).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{folder} is not a readable checkpoint: {error}.") from error


def drop_older_checkpoints(trial_folder: Path, keep: Sequence[Path]) -> None:
    """Delete a trial's checkpoints except those in `keep`."""
    for folder in (trial_folder / CHECKPOINTS).iterdir():
        if folder not in keep:
            shutil.rmtree(folder)


def keep_what_predicts(trial_folder: Path, name: str | None) -> None:
    """Delete all models of a trial that ended except one checkpoint's, and of that what training needs.

    A trial that ended never goes on, so no state of its training is needed any more.

    Args:
        trial_folder: of the trial.
        name: of the checkpoint that the record names, below that folder; None: none.
    """
    checkpoint = None if name is None else trial_folder / name
    if not (trial_folder if checkpoint is None else checkpoint).is_dir():
        return  # It lies in an object store, or is gone: then what is there may be of use to someone.
    checkpoints = trial_folder / CHECKPOINTS
    for folder in (trial_folder / BEST, *checkpoints.glob("*"), *trial_folder.glob(".*.draft")):
        if folder != checkpoint:
            shutil.rmtree(folder, ignore_errors=True)
    if checkpoint is None or checkpoint.parent != checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)
    if checkpoint is not None:
        for training in checkpoint.glob(f"fold-*/{TRAINING}"):
            shutil.rmtree(training, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Put every file of a folder on the disk, so that a power cut leaves what the record names."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
