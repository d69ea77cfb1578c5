"""Test scores of a study's best beside LightGBM with its library's defaults, on the very same split.

python benchmarks/quality.py NAME [--storage studies]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

from tuning.metrics import get_metric
from tuning.models import Table
from tuning.study import read_header, read_leaderboard, take_up


def columns(table: Table) -> pd.DataFrame:
    """What LightGBM gets: numbers, native categories and embeddings."""
    frame = pd.DataFrame(np.hstack([table.numeric, table.embedding]))
    for k in range(table.categorical.shape[1]):
        frame[f"c{k}"] = pd.Series(table.categorical[:, k]).astype("category")
    frame.columns = [str(name) for name in frame.columns]
    return frame


def default_lightgbm_score(storage: Path, name: str) -> float:
    """Test score of `LGBMRegressor()` or `LGBMClassifier()` fitted on the study's training rows."""
    study = take_up(storage, name, {})
    fold, metric = study.data.folds[0], get_metric(study.header.metric, study.header.task)
    train, test = columns(fold.train), columns(fold.test)
    for column in train.columns[train.dtypes == "category"]:
        test[column] = test[column].cat.set_categories(train[column].cat.categories)
    if study.header.task.is_classification:
        model = lgb.LGBMClassifier(verbose=-1).fit(train, fold.train.known_target)
        return metric(fold.test.known_target, np.asarray(model.predict_proba(test)))
    model = lgb.LGBMRegressor(verbose=-1).fit(train, fold.train.known_target)
    return metric(fold.test.known_target, np.asarray(model.predict(test)))


def main() -> None:
    """Print both scores and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name")
    parser.add_argument("--storage", type=Path, default=Path("studies"))
    arguments = parser.parse_args()
    header, folder = read_header(arguments.storage, arguments.name)
    store = header.open_store(folder)
    best = read_leaderboard(header, store).rows[0]
    store.close()
    default = default_lightgbm_score(arguments.storage, arguments.name)
    assert best.test is not None
    print(f"{arguments.name}: test {header.metric} of rank 1 ({best.trial}) {best.test:.5g}, "
          f"of LightGBM with its defaults {default:.5g}, ratio {best.test / default:.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
