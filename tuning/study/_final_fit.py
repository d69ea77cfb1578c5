"""A final fit that was made: what it is, and how it predicts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tuning.data import FinalRows, load_transform
from tuning.errors import RecordError
from tuning.models.errors import CheckpointError
from tuning.session import StudyFolder
from tuning.study._bundle import BUNDLE_FILE, Predictor
from tuning.study._restore import find_family, load_models
from tuning.study._setup import StudyHeader

REFIT = "refit"
"""What `--model` names the final fit by."""

MODEL_FOLDER, TRANSFORMS_FOLDER = "model", "transforms"


@dataclass(frozen=True)
class Refit:
    """A final fit.

    Attributes:
        trial: the trial whose configuration it is.
        place: where the bundle is.
        trained_on: which rows.
        rows: how many.
        workers: that trained it.
        units: of budget: epochs, or blocks of trees.
        seconds: wall time of the training, the start of the workers included.
        note: why there was one worker although several were possible; empty mostly.
        test: metrics on the test rows, which were not trained on; empty when all rows were.
        trial_test: the same of the trial itself, where it was scored on them.
    """

    trial: str
    place: str
    trained_on: FinalRows
    rows: int
    workers: int
    units: int
    seconds: float
    note: str
    test: dict[str, float]
    trial_test: dict[str, float]


def load_refit(header: StudyHeader, folder: StudyFolder, *, device: str = "cpu") -> tuple[str, Predictor]:
    """The trial that the study's final fit is of, and the fit, ready to predict.

    Raises:
        RecordError: there is none.
        CheckpointError: it is damaged.
    """
    with folder.mirror.reading(folder.refit) as refit_folder:
        if not (refit_folder / BUNDLE_FILE).is_file():
            raise RecordError(f"{folder.name} has no final fit yet: type {folder.command('refit')} first.")
        return _load_refit(header, refit_folder, device)


def _load_refit(header: StudyHeader, folder: Path, device: str) -> tuple[str, Predictor]:
    path = folder / BUNDLE_FILE
    try:
        description = json.loads(path.read_text())
        trial, model, params = description["trial"], description["model"], description["params"]
    except (ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error
    transform = load_transform(folder / TRANSFORMS_FOLDER / "fold-0")
    family = find_family(header.families, model)
    models = load_models(params, trial, folder / MODEL_FOLDER, family, [transform.schema], device=device)
    return trial, Predictor([transform], models, header.config.data.delimiter)
