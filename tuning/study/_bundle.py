"""The exported bundle of a trial: everything to predict with, and nothing else."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuning.data import Transform, load_transform
from tuning.errors import RecordError
from tuning.families import Family
from tuning.models import TRAINING, Model
from tuning.session import StudyFolder, replace_folder, to_json
from tuning.store import TrialRecord
from tuning.study._restore import find_family, restore_models
from tuning.study._setup import PreparedStudy, StudyHeader
from tuning.trial import mean_outputs

BUNDLE_FILE = "bundle.json"


@dataclass(frozen=True)
class Predictor:
    """A trained trial that predicts from raw rows.

    Attributes:
        transforms: raw rows -> tables, one a fold.
        models: trained models, one a fold; their mean is the prediction.
    """

    transforms: Sequence[Transform]
    models: Sequence[Model[Any]]

    def predict(self, frame: pd.DataFrame | None) -> pd.DataFrame:
        """One row of output columns per row of `frame`, or per step of the forecast that follows it.

        Args:
            frame: rows to predict; of series their latest part, None for the end of the training data.

        Raises:
            DataError: a column that the model was trained on is missing, or there are no rows.
        """
        tables = [transform.apply(frame) for transform in self.transforms]
        outputs = [
            np.asarray(table.restore(model.predict(table)), dtype=np.float64)
            for table, model in zip(tables, self.models, strict=True)
        ]
        return self.transforms[0].labels(mean_outputs(outputs), tables[0])


def save_transforms(study: PreparedStudy) -> None:
    """Keep the fitted transforms in the study folder, all or nothing, for predictions without the data."""
    final = study.folder.transforms
    if study.folder.mirror.exists(final):
        return
    draft = final.with_name(".transforms.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for number, fold in enumerate(study.data.folds):
        fold.transform.save(draft / f"fold-{number}")
    replace_folder(draft, final)
    study.folder.mirror.push(final)


def load_predictor(
    header: StudyHeader, folder: StudyFolder, record: TrialRecord, *, device: str = "cpu"
) -> Predictor:
    """A trial of a study, ready to predict; needs the study folder alone.

    Raises:
        RecordError: the trial has no checkpoint.
        CheckpointError: its checkpoint is damaged.
    """
    if record.checkpoint is None:
        raise RecordError(
            f"{record.id} has no checkpoint: it ended before its first score; name another trial."
        )
    transforms = load_transforms(folder)
    family: Family = find_family(header.families, record.model)
    with folder.checkpoint(record.checkpoint) as path:
        models = restore_models(record, path, family, [t.schema for t in transforms], device=device)
    return Predictor(transforms, models)


def load_transforms(folder: StudyFolder) -> list[Transform]:
    """The fitted transforms of a study, one a fold.

    Raises:
        RecordError: the study was ended before it wrote them.
    """
    with folder.mirror.reading(folder.transforms) as transforms:
        folders = sorted(transforms.glob("fold-*"), key=lambda path: int(path.name.split("-")[1]))
        if not folders:
            raise RecordError(
                f"{folder.name} has no transforms yet: run 'tuning resume {folder.name}' first."
            )
        return [load_transform(each) for each in folders]


def export_bundle(study: PreparedStudy, record: TrialRecord) -> Path:
    """Copy a trial's models, transforms and description to `best/`, all or nothing.

    Raises:
        RecordError: the trial has no checkpoint.
        OSError: the checkpoint is gone, or the folder cannot be written.
    """
    if record.checkpoint is None:
        raise RecordError(f"{record.id} has no checkpoint to export.")
    final = study.folder.best
    draft = final.with_name(".best.draft")
    shutil.rmtree(draft, ignore_errors=True)
    with study.folder.checkpoint(record.checkpoint) as checkpoint:
        shutil.copytree(checkpoint, draft / "model", ignore=shutil.ignore_patterns(TRAINING))
    with study.folder.mirror.reading(study.folder.transforms) as transforms:
        shutil.copytree(transforms, draft / transforms.name)
    family = find_family(study.header.families, record.model)
    if family.file is not None:
        shutil.copyfile(family.file, draft / family.file.name)
    description = {
        "study": study.header.config.name,
        "trial": record.id,
        "model": record.model,
        "params": dict(record.params),
        "task": study.header.task.value,
        "metric": study.header.metric,
        "valid": dict(record.valid),
        "test": dict(record.test),
        "placement": dataclasses.asdict(record.placement),
    }
    (draft / BUNDLE_FILE).write_text(to_json(description))
    replace_folder(draft, final)
    study.folder.mirror.push(final)
    return final
