"""The rows of a final fit: training and validation together, or all."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trial.rows import small_frame
from tuning.data import (
    DataConfig,
    FinalRows,
    Fold,
    PreparedData,
    SplitConfig,
    TableTransform,
    TargetConfig,
    prepare,
    prepare_final,
)
from tuning.errors import DataError

DATA, SPLIT = DataConfig(path="none.csv", target="y"), SplitConfig(valid=0.2, test=0.1)


def prepared(split: SplitConfig = SPLIT) -> PreparedData:
    return prepare(small_frame(), DATA, TargetConfig(), split, "rmse", 0)


def final(rows: FinalRows, split: SplitConfig = SPLIT) -> Fold:
    splits = prepared(split).splits
    return prepare_final(small_frame(), DATA, TargetConfig(), split, "rmse", 0, splits=splits, rows=rows)


@pytest.mark.parametrize("folds", [0, 3])
def test_training_and_validation_rows_train_and_the_test_stays(folds: int) -> None:
    split = SplitConfig(valid=0.2, test=0.1, folds=folds)
    study, fold = prepared(split), final(FinalRows.TRAIN_VALID, split)
    first = study.folds[0]
    assert (len(fold.train), len(fold.valid), len(fold.test)) == (81, 0, 9)
    assert sorted(fold.train.known_target) == sorted(
        np.concatenate([first.train.known_target, first.valid.known_target])
    )
    np.testing.assert_array_equal(fold.test.known_target, first.test.known_target)


def test_all_rows_train() -> None:
    fold = final(FinalRows.ALL)
    assert (len(fold.train), len(fold.valid), len(fold.test)) == (90, 0, 0)


def test_the_transform_is_fitted_on_the_rows_that_train() -> None:
    fold = final(FinalRows.TRAIN_VALID)
    assert isinstance(fold.transform, TableTransform)
    assert fold.schema.target.mean == pytest.approx(float(np.mean(fold.train.known_target)))
    assert fold.schema.target.mean != prepared().folds[0].schema.target.mean
    np.testing.assert_allclose(fold.train.dense[:, :2].mean(axis=0), 0.0, atol=1e-5)


def test_splits_of_another_table_are_refused() -> None:
    splits = prepared().splits.iloc[:-1]
    with pytest.raises(DataError, match="the file has changed"):
        prepare_final(
            small_frame(), DATA, TargetConfig(), SPLIT, "rmse", 0, splits=splits, rows=FinalRows.ALL
        )
