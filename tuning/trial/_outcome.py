"""What is kept of a trial at its end: metrics of its best state, and its validation predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import Fold
from tuning.metrics import Predictions, describe, score_all
from tuning.models import Model, Table, Task, Windows
from tuning.trial._spec import FoldRows

PREDICTIONS_NAME = "valid_predictions.parquet"
_MOST_TRAINING_ROWS = 10_000
_SAMPLE_SEED = 0


@dataclass(frozen=True)
class Score:
    """Predictions of rows in numbers.

    Attributes:
        metrics: every metric that is defined, by name.
        details: as `tuning.metrics.describe` has them.
    """

    metrics: dict[str, float]
    details: dict[str, Any]


def predict_valid(models: Sequence[Model[Any]], folds: Sequence[FoldRows]) -> list[Predictions]:
    """The out-of-sample predictions of each fold, on the original scale."""
    return [_predict(model, fold.valid) for model, fold in zip(models, folds, strict=True)]


def score_train(models: Sequence[Model[Any]], folds: Sequence[FoldRows]) -> dict[str, float]:
    """Return the mean over the folds of every metric, on at most 10,000 of the training rows.

    They tell how far a model has learnt its rows by heart, which a sample does as well: predicting all of
    them took up to two thirds of a boosted trial. The sample is the same for every trial of a study.
    """
    task, most = folds[0].schema.task, max(1, _MOST_TRAINING_ROWS // len(folds))
    return _mean(
        [
            score_all(task, _predict(model, _as_scored(_sample(fold.train, most))))
            for model, fold in zip(models, folds, strict=True)
        ]
    )


def _sample(train: Table, most: int) -> Table:
    """Return at most so many of the rows in their order; of forecasts whole windows, one at the least."""
    if len(train) <= most:
        return train
    rng = np.random.default_rng(_SAMPLE_SEED)
    if train.windows is None:
        return train.take(np.sort(rng.choice(len(train), most, replace=False)))
    window = train.windows.window_of_row
    order = rng.permutation(len(train.windows))
    taken = np.cumsum(np.bincount(window, minlength=len(order))[order])
    return train.take(np.flatnonzero(np.isin(window, order[: max(1, int((taken <= most).sum()))])))


def score_valid(task: Task, valid: Sequence[Predictions]) -> Score:
    """Mean over the folds of every metric, and the details of the rows of all folds together."""
    metrics = _mean([score_all(task, predictions) for predictions in valid])
    return Score(metrics, describe(task, Predictions.concatenate(valid)))


def score_test(models: Sequence[Model[Any]], folds: Sequence[Fold]) -> Score:
    """The test rows by the mean of the folds' predictions, each on the original scale.

    Every fold's transform puts the same rows on a scale of its own.
    """
    tested = [
        Predictions.of(fold.test, model.predict(fold.test)) for model, fold in zip(models, folds, strict=True)
    ]
    predictions = replace(tested[0], y_pred=mean_outputs([each.y_pred for each in tested]))
    task = folds[0].schema.task
    return Score(score_all(task, predictions), describe(task, predictions))


def mean_outputs(outputs: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Mean over the folds: each (n,) on the original scale or (n, n_classes) -> the same shape."""
    mean: npt.NDArray[np.float64] = np.mean(np.stack(outputs), axis=0)  # (folds, n, ...) -> (n, ...)
    return mean


def write_valid_predictions(folder: Path, folds: Sequence[FoldRows], valid: Sequence[Predictions]) -> None:
    """Write the out-of-sample predictions, on the original scale, in the order of the rows.

    Columns: `fold`; for forecasts `series`, `origin` (time of the last known value), `step` and `time`;
    `target`; `output_0`, ...
    """
    frames = [
        _frame(number, fold.valid, predictions)
        for number, (fold, predictions) in enumerate(zip(folds, valid, strict=True))
    ]
    pd.concat(frames, ignore_index=True).to_parquet(folder / PREDICTIONS_NAME)


def _frame(number: int, table: Table, predictions: Predictions) -> pd.DataFrame:
    outputs = predictions.y_pred.reshape(len(predictions), -1)  # (n,) or (n, n_classes) -> (n, n_outputs)
    return pd.DataFrame(
        {
            "fold": np.full(len(predictions), number),
            **({} if table.windows is None else _window_columns(table.windows)),
            "target": predictions.y_true,
            **{f"output_{k}": outputs[:, k] for k in range(outputs.shape[1])},
        }
    )


def _window_columns(windows: Windows) -> dict[str, npt.NDArray[Any]]:
    window, step, panel = windows.window_of_row, windows.step_of_row, windows.panel
    origin = windows.origin[window]
    return {
        "series": panel.names[windows.series[window]],
        "origin": panel.times[origin],
        "step": step,
        "time": panel.times[origin + step],
    }


def _as_scored(train: Table) -> Table:
    """The training rows, of forecasts without weights: those make the loss mean what the metric means."""
    return train if train.windows is None else replace(train, weight=None)


def _predict(model: Model[Any], table: Table) -> Predictions:
    return Predictions.of(table, model.predict(table))


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of the metrics that every fold has."""
    common = [name for name in scores[0] if all(name in score for score in scores)]
    return {name: float(np.mean([score[name] for score in scores])) for name in common}
