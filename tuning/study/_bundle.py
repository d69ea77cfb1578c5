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

from tuning.data import Transform, Wanted, as_frame, check_losses, load_transform
from tuning.errors import RecordError
from tuning.families import Family
from tuning.models import TRAINING, Model, own_files
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
        transforms: raw rows -> tables, one for each model.
        models: trained models, one for each fold that predicts; their mean is the prediction.
        delimiter: of CSV files; None: sniffed.
    """

    transforms: Sequence[Transform]
    models: Sequence[Model[Any]]
    delimiter: str | None = None

    def predict(self, rows: object, *, allow_unknown: bool = False) -> pd.DataFrame:
        """Predict one row of output columns for each row, or for each step of the forecast that follows.

        Args:
            rows: to predict, as `tuning.data.as_frame` takes them; of series their latest part and what is
                known of the time to come, None for the end of the training data.
            allow_unknown: predict also where nearly all of a column is not understood.

        Returns:
            Predictions with the index of their rows (`Transform.placed`).

        Raises:
            DataError: a column that the model was trained on is missing or not understood, or there are no
                rows.
        """
        frame = None if rows is None else as_frame(rows, self.wanted, self.delimiter)
        check_losses(self.transforms[0].losses(frame), allow_unknown=allow_unknown)
        tables = [transform.apply(frame) for transform in self.transforms]
        outputs = [
            np.asarray(table.restore(model.predict(table)), dtype=np.float64)
            for table, model in zip(tables, self.models, strict=True)
        ]
        labelled = self.transforms[0].labels(mean_outputs(outputs), tables[0])
        return labelled if frame is None else self.transforms[0].placed(labelled, frame)

    @property
    def wanted(self) -> Wanted:
        """The columns to predict from, of any fold: which of them vary may differ between folds."""
        return Wanted.by_all([transform.wanted for transform in self.transforms])


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
    """Load a trial of a study, ready to predict; needs the study folder alone.

    Raises:
        RecordError: the trial has no checkpoint.
        CheckpointError: its checkpoint is damaged.
    """
    checkpoint = record.require_checkpoint()
    transforms = load_transforms(folder)
    first_fold = header.first_fold(len(transforms))
    transforms = transforms[first_fold:]
    family: Family = find_family(header.families, record.model)
    with folder.checkpoint(checkpoint) as path:
        schemas = [transform.schema for transform in transforms]
        models = restore_models(record, path, family, schemas, first_fold=first_fold, device=device)
    return Predictor(transforms, models, header.config.data.delimiter)


def load_transforms(folder: StudyFolder) -> list[Transform]:
    """The fitted transforms of a study, one a fold.

    Raises:
        RecordError: the study was ended before it wrote them.
    """
    with folder.mirror.reading(folder.transforms) as transforms:
        folders = sorted(transforms.glob("fold-*"), key=lambda path: int(path.name.split("-")[1]))
        if not folders:
            raise RecordError(f"{folder.name} has no transforms yet: type {folder.command('resume')} first.")
        return [load_transform(each) for each in folders]


def is_of_all_folds(folder: StudyFolder) -> bool:
    """Whether the bundle is of an earlier version, which tested and exported the mean of folds by time."""
    with folder.mirror.reading(folder.best) as best:
        path = best / BUNDLE_FILE
        return path.is_file() and '"folds"' not in path.read_text()


def export_bundle(study: PreparedStudy, record: TrialRecord) -> Path:
    """Copy a trial's models, transforms and description to `best/`, all or nothing.

    Folds that do not predict (`StudyHeader.first_fold`) are left out; the others keep their numbers.

    Raises:
        RecordError: the trial has no checkpoint.
        OSError: the checkpoint is gone, or the folder cannot be written.
    """
    final = study.folder.best
    draft = final.with_name(".best.draft")
    shutil.rmtree(draft, ignore_errors=True)
    count = len(study.data.folds)
    first_fold = study.header.first_fold(count)
    unused = [f"fold-{number}" for number in range(first_fold)]
    earlier, predicting = shutil.ignore_patterns(*unused), shutil.ignore_patterns(*unused, TRAINING)
    with study.folder.checkpoint(record.require_checkpoint()) as checkpoint:
        shutil.copytree(checkpoint, draft / "model", ignore=predicting)
    with study.folder.mirror.reading(study.folder.transforms) as transforms:
        shutil.copytree(transforms, draft / transforms.name, ignore=earlier)
    family = find_family(study.header.families, record.model)
    if family.file is not None:
        for path in own_files(family.file):
            shutil.copyfile(path, draft / path.name)
    description = {
        "study": study.header.config.name,
        "trial": record.id,
        "model": record.model,
        "params": dict(record.params),
        "task": study.header.task.value,
        "metric": study.header.metric,
        "folds": list(range(first_fold, count)),
        "valid": dict(record.valid),
        "test": dict(record.test),
        "placement": dataclasses.asdict(record.placement),
    }
    (draft / BUNDLE_FILE).write_text(to_json(description))
    replace_folder(draft, final)
    study.folder.mirror.push(final)
    return final
