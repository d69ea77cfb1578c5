"""All pictures of a trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tuning.errors import InputError
from tuning.figures._classes import class_bars, confusion_matrices
from tuning.figures._curve import learning_curve
from tuning.figures._forecasts import forecasts_and_truth, step_errors
from tuning.figures._style import save
from tuning.metrics import Direction
from tuning.store import TrialRecord


@dataclass(frozen=True)
class TrialPictures:
    """What the pictures of a trial are drawn from.

    Attributes:
        record: the trial.
        metric: name of the metric that was searched on.
        direction: whether low or high values of it are better.
        labels: of the class codes; empty but for classification.
        predictions: file of the trial's validation predictions; need not exist.
    """

    record: TrialRecord
    metric: str
    direction: Direction
    labels: Sequence[Any]
    predictions: Path


def draw_trial(pictures: TrialPictures, folder: Path) -> list[Path]:
    """Write every picture that the record allows as `<trial>-<what>.png`.

    Always the learning curve; of a classification the confusion matrix and bars for each class; of
    forecasts the error by step and some series against the truth.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        named = [(folder / f"{pictures.record.id}-{what}.png", each) for what, each in _figures(pictures)]
        return [save(figure, path) for path, figure in named]
    except OSError as error:
        raise InputError(f"--figures {folder}: cannot be written ({error.strerror}).") from error


def _figures(pictures: TrialPictures) -> Iterator[tuple[str, Figure]]:
    record, title = pictures.record, pictures.record.id
    if record.values:
        yield "learning-curve", learning_curve(title, pictures.metric, pictures.direction, record.values)
    if matrices := _parts_with(record, "confusion"):
        yield "confusion", confusion_matrices(title, matrices, pictures.labels)
    if classes := _parts_with(record, "classes"):
        yield "classes", class_bars(title, classes, pictures.labels)
    if steps := _parts_with(record, "steps"):
        yield "steps", step_errors(title, pictures.metric, steps)
        if pictures.predictions.exists():
            yield "forecasts", forecasts_and_truth(title, pd.read_parquet(pictures.predictions))


def _parts_with(record: TrialRecord, key: str) -> dict[str, Mapping[str, Any]]:
    return {part: details for part, details in record.details.items() if details.get(key)}
