"""Folds that are cut by time: the last one, which has the longest past, is tested and predicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.study.finished import Run, open_store, run
from tests.trial.rows import PROBE
from tuning.config import validate_config
from tuning.leaderboard import LeaderboardRow
from tuning.store import TrialRecord
from tuning.study import PreparedStudy, load_predictor, set_up
from tuning.study._restore import find_family, restore_models
from tuning.trial import score_test

FOLDS = 3


def rising(rows: int = 120) -> pd.DataFrame:
    """A target that rises with the days, so that a model of older rows is further off."""
    noise = np.random.default_rng(0).normal(size=rows)
    days = pd.date_range("2023-01-01", periods=rows)
    return pd.DataFrame({"day": days, "x": noise, "y": np.arange(rows) + noise})


def study_of(folder: Path, *, split: dict[str, Any], **data: Any) -> PreparedStudy:
    """A study of the probe, which predicts the mean of its training rows."""
    rising().to_csv(folder / "table.csv", index=False)
    text = Path(PROBE).read_text().replace("frozenset({Task.REGRESSION})", "frozenset(Task)")
    (folder / "mean.py").write_text(text)
    (folder / "mean.yaml").write_text(Path(PROBE).with_suffix(".yaml").read_text())
    raw = {
        "name": "demo",
        "data": {"path": str(folder / "table.csv"), "target": "y", **data},
        "models": [str(folder / "mean.py")],
        "metric": "rmse",
        "split": {"folds": FOLDS, **split},
        "storage": {"folder": str(folder / "studies")},
        "pruning": {"max_iterations": 9},
        "search": {"trials": 1},
    }
    return set_up(validate_config(raw, "test"))


def by_time(folder: Path) -> PreparedStudy:
    return study_of(folder, split={"method": "time", "column": "day", "test": 0.2})


def series(folder: Path) -> PreparedStudy:
    return study_of(folder, split={"valid": 12, "test": 20}, time="day", horizon=3)


def at_random(folder: Path) -> PreparedStudy:
    return study_of(folder, split={"test": 0.2})


def the_trial(study: PreparedStudy) -> TrialRecord:
    with open_store(study) as store:
        return store.trial("mean", 0)


def the_row(study: PreparedStudy) -> LeaderboardRow:
    """The probe's; series have their baselines beside it."""
    return next(row for row in run(study).rows if row.model == "mean")


def rmse_of_folds(study: PreparedStudy, record: TrialRecord, first: int) -> float:
    """Of the test rows, by the mean of the models of the folds from `first` on."""
    schemas = [fold.schema for fold in study.data.folds]
    family = find_family(study.header.families, "mean")
    models = restore_models(record, study.folder.resolve(str(record.checkpoint)), family, schemas)
    return score_test(models[first:], study.data.folds[first:]).metrics["rmse"]


@pytest.mark.parametrize(("make", "first"), [(by_time, FOLDS - 1), (series, FOLDS - 1), (at_random, 0)])
def test_the_folds_that_predict_are_those_that_are_tested_and_exported(
    make: Any, first: int, tmp_path: Path
) -> None:
    study = make(tmp_path)
    row = the_row(study)
    record = the_trial(study)
    assert row.test == pytest.approx(rmse_of_folds(study, record, first))
    assert row.test is not None
    others = [rmse_of_folds(study, record, other) for other in range(FOLDS) if other != first]
    assert all(abs(row.test - other) > 0.01 for other in others)

    best = study.folder.best
    numbers = list(range(first, FOLDS))
    for part in ("model", "transforms"):
        kept = sorted(path.name for path in (best / part).glob("fold-*"))
        assert kept == [f"fold-{number}" for number in numbers]
    assert json.loads((best / "bundle.json").read_text())["folds"] == numbers
    assert len(load_predictor(study.header, study.folder, record).models) == len(numbers)


@pytest.mark.parametrize("make", [by_time, series])
def test_the_score_that_is_searched_on_stays_the_mean_over_the_folds(make: Any, tmp_path: Path) -> None:
    study = make(tmp_path)
    row = the_row(study)
    values = pd.read_parquet(study.folder.root / "trials" / row.trial / "valid_predictions.parquet")
    errors = (values["target"] - values["output_0"]) ** 2
    assert row.valid == pytest.approx(np.sqrt(errors.groupby(values["fold"]).mean()).mean())


def test_test_scores_of_an_earlier_version_are_made_anew(tmp_path: Path) -> None:
    study = by_time(tmp_path)
    this = Run(study)
    this.train()
    (row,) = this.end().rows
    record = the_trial(study)
    this.store.set_test("mean", 0, {"rmse": 99.0}, str(record.checkpoint))
    assert this.end().rows[0].test == 99.0, "scored once"

    bundle = study.folder.best / "bundle.json"
    description = json.loads(bundle.read_text())
    del description["folds"]  # as it was when the mean of the folds predicted
    bundle.write_text(json.dumps(description))
    assert this.end().rows[0].test == row.test
    assert "folds" in json.loads(bundle.read_text())


def test_what_is_tested_is_what_predicts(tmp_path: Path) -> None:
    study = by_time(tmp_path)
    row = the_row(study)
    rows = study.data.splits.query("part == 'test'")["row"]
    table = pd.read_csv(tmp_path / "table.csv").iloc[rows]
    outputs = load_predictor(study.header, study.folder, the_trial(study)).predict(table)
    error = np.sqrt(((outputs["prediction"].to_numpy() - table["y"].to_numpy()) ** 2).mean())
    assert row.test == pytest.approx(error)
