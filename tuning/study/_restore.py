"""Trained models back from a trial's checkpoint, to score and to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.errors import RecordError
from tuning.families import Family, load_model
from tuning.models import Model, Schema
from tuning.models.errors import CheckpointError
from tuning.space import build_params
from tuning.store import TrialRecord
from tuning.study._setup import PreparedStudy
from tuning.trial import Score, read_checkpoint, score_test


def restore_models(
    record: TrialRecord,
    folder: Path,
    family: Family,
    schemas: Sequence[Schema],
    *,
    first_fold: int = 0,
    device: str = "cpu",
    threads: int = 1,
) -> list[Model[Any]]:
    """Load the best state of a trial's models, one a fold.

    Args:
        record: the trial.
        folder: its checkpoint.
        family: its family.
        schemas: columns of folds that follow each other, one a fold.
        first_fold: number of the first of them.
        device: `cpu` or `cuda`.
        threads: CPU threads.

    Raises:
        CheckpointError: the checkpoint is missing, incomplete or damaged.
    """
    return load_models(
        record.params, record.id, folder, family, schemas,
        first_fold=first_fold, device=device, threads=threads,
    )  # fmt: skip


def load_models(
    params: Mapping[str, Any],
    trial: str,
    folder: Path,
    family: Family,
    schemas: Sequence[Schema],
    *,
    first_fold: int = 0,
    device: str = "cpu",
    threads: int = 1,
) -> list[Model[Any]]:
    """Load as `restore_models` does, with hyperparameters that stand elsewhere than in a trial's record."""
    model_class = load_model(family.name, family.file)
    built = build_params(model_class, params, trial)
    models = [model_class(built, schema, device=device, threads=threads) for schema in schemas]
    read_checkpoint(folder, models, first_fold=first_fold)
    for model in models:
        model.restore_best()
    return models


def find_family(families: Sequence[Family], name: str) -> Family:
    """The family of that name.

    Raises:
        RecordError: the study has none.
    """
    for family in families:
        if family.name == name:
            return family
    known = ", ".join(family.name for family in families)
    raise RecordError(f"The record has trials of {name}, which the study file does not know; it has {known}.")


def score_on_test(study: PreparedStudy, record: TrialRecord) -> Score:
    """Return metrics and details of a trial's best state on the rows that nothing was fitted or chosen on.

    The folds that predict new rows are those that are scored here (`StudyHeader.first_fold`).

    Raises:
        CheckpointError: there is no checkpoint, or it is damaged.
    """
    if record.checkpoint is None:
        raise CheckpointError(f"{record.id} has no checkpoint to score.")
    first_fold = study.header.first_fold(len(study.data.folds))
    folds = study.data.folds[first_fold:]
    with study.folder.checkpoint(record.checkpoint) as path:
        models = restore_models(
            record,
            path,
            find_family(study.header.families, record.model),
            [fold.schema for fold in folds],
            first_fold=first_fold,
        )
    return score_test(models, folds)
