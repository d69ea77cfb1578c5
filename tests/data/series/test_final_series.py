from __future__ import annotations

import numpy as np
import pytest
from shops import HORIZON, T, config, prepared, shops

from tuning.data import FinalRows, Fold, SplitConfig, TargetConfig, prepare_final
from tuning.models import Table

SPLIT = SplitConfig(valid=20, test=20)


def final(rows: FinalRows) -> Fold:
    splits = prepared().splits
    return prepare_final(shops(), config(), TargetConfig(), SPLIT, None, 0, splits=splits, rows=rows)


def last_target(table: Table) -> int:
    windows = table.windows
    assert windows is not None
    return int((windows.origin[windows.window_of_row] + windows.step_of_row).max())


@pytest.mark.parametrize(("rows", "end"), [(FinalRows.TRAIN_VALID, T - 20), (FinalRows.ALL, T)])
def test_windows_train_whose_targets_lie_before_the_end(rows: FinalRows, end: int) -> None:
    fold = final(rows)
    assert last_target(fold.train) == end - 1
    assert len(fold.valid) == 0
    assert last_target(prepared().folds[0].train) == T - 40 - 1


def test_the_test_is_that_of_the_study() -> None:
    ours, theirs = final(FinalRows.TRAIN_VALID).test, prepared().folds[0].test
    np.testing.assert_allclose(np.sort(ours.original_target), np.sort(theirs.original_target))
    assert len(final(FinalRows.ALL).test) == 0


def test_the_forecast_goes_on_from_the_end_of_the_data() -> None:
    fold = final(FinalRows.ALL)
    table = fold.transform.apply(None)
    assert table.windows is not None
    assert len(table) == 3 * HORIZON
