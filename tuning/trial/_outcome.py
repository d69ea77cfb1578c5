"""What is kept of a trial at its end: metrics of its best state, and its validation predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import Model, Table
from tuning.data import Fold
from tuning.metrics import score_all
from tuning.trial._spec import FoldRows

PREDICTIONS_NAME = "valid_predictions.parquet"


def score_best(
    models: Sequence[Model[Any]], folds: Sequence[FoldRows]
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean over the folds of every metric, on the training and on the validation rows."""
    train = [_score(model, fold, fold.train) for model, fold in zip(models, folds, strict=True)]
    valid = [_score(model, fold, fold.valid) for model, fold in zip(models, folds, strict=True)]
    return _mean(train), _mean(valid)


def write_valid_predictions(folder: Path, models: Sequence[Model[Any]], folds: Sequence[FoldRows]) -> None:
    """Write the out-of-sample predictions: `fold`, `target`, `output_0`, ... in the order of the rows."""
    frames = []
    for number, (model, fold) in enumerate(zip(models, folds, strict=True)):
        outputs = model.predict(fold.valid)
        columns = outputs.reshape(len(outputs), -1)  # (n,) or (n, n_classes) -> (n, n_outputs)
        frame = pd.DataFrame({f"output_{k}": columns[:, k] for k in range(columns.shape[1])})
        frame.insert(0, "target", fold.valid.target)
        frame.insert(0, "fold", number)
        frames.append(frame)
    pd.concat(frames, ignore_index=True).to_parquet(folder / PREDICTIONS_NAME)


def score_test(models: Sequence[Model[Any]], folds: Sequence[Fold]) -> dict[str, float]:
    """Every metric on the test rows, of the mean of the folds' predictions."""
    outputs = mean_outputs([m.predict(f.test) for m, f in zip(models, folds, strict=True)])
    test = folds[0].test
    return score_all(folds[0].schema.task, test.known_target, outputs, test.weight)


def mean_outputs(outputs: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Mean over the folds: each (n,) or (n, n_classes) -> the same shape."""
    mean: npt.NDArray[np.float64] = np.mean(np.stack(outputs), axis=0)  # (folds, n, ...) -> (n, ...)
    return mean


def _score(model: Model[Any], fold: FoldRows, table: Table) -> dict[str, float]:
    return score_all(fold.schema.task, table.known_target, model.predict(table), table.weight)


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}
