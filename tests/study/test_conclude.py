"""The end of a run: what it writes, and that a damaged trial costs no more than its own part."""

from __future__ import annotations

import json
import logging
import math
import shutil
from pathlib import Path

import pytest

from tests.study.finished import Run, open_store, prepare, run
from tuning.errors import RecordError
from tuning.leaderboard import Leaderboard
from tuning.models.errors import DivergedError
from tuning.store import Status
from tuning.study import PreparedStudy, _conclude
from tuning.study._restore import find_family, score_on_test
from tuning.trial import Score


def written(study: PreparedStudy) -> Leaderboard:
    return Leaderboard.from_json(study.folder.leaderboard_json.read_text())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_best_of_each_family_is_scored_and_the_first_exported(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    leaderboard = run(study)
    assert written(study) == leaderboard
    assert {row.model for row in leaderboard.rows if row.test is not None} == {"one", "two"}
    bundle = json.loads((study.folder.best / "bundle.json").read_text())
    assert bundle["trial"] == leaderboard.rows[0].trial
    assert bundle["test"]["rmse"] == leaderboard.rows[0].test


def test_a_damaged_checkpoint_costs_its_own_test_score_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = prepare(tmp_path)
    this = Run(study)
    this.train()
    best = _conclude.read_leaderboard(study.header, this.store).rows[0]
    shutil.rmtree(study.folder.resolve(str(best.checkpoint)))
    leaderboard = this.end()
    scored = [row for row in leaderboard.rows if row.test is not None]
    assert len(scored) == 1
    assert scored[0].model != best.model
    assert written(study) == leaderboard
    assert not study.folder.best.exists()
    assert [best.trial in warning for warning in warnings(caplog)] == [True, True]


@pytest.mark.parametrize("trouble", ["diverged", "nan"])
def test_predictions_that_are_not_finite_leave_the_test_score_out(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(study: PreparedStudy, record: object) -> Score:
        if trouble == "diverged":
            raise DivergedError("the predictions are not finite.")
        return Score({"rmse": math.nan, "mae": 1.5}, {})

    monkeypatch.setattr(_conclude, "score_on_test", score)
    study = prepare(tmp_path)
    leaderboard = run(study)
    assert all(row.test is None for row in leaderboard.rows)
    mae = leaderboard.rows[0].metrics["test"].get("mae")
    assert mae == (1.5 if trouble == "nan" else None)
    assert (study.folder.best / "bundle.json").exists()


def test_an_interrupted_trial_without_a_checkpoint_is_not_ranked(tmp_path: Path) -> None:
    study = prepare(tmp_path, pruning={"pruner": "median", "max_iterations": 9, "warmup_iterations": 8})
    this = Run(study)
    spec = this.session.next_trial()
    assert spec is not None
    this.store.report(spec.model, spec.number, 2, 0.1)
    leaderboard = this.end()
    (row,) = leaderboard.rows
    assert (row.status, row.rank, row.valid) == (Status.INTERRUPTED, None, None)
    assert written(study) == leaderboard


def test_a_trial_is_scored_again_when_it_has_gone_on(tmp_path: Path) -> None:
    study = prepare(tmp_path, search={"trials": 1}, models=[str(tmp_path / "one.py")])
    (before,) = run(study, stop_after=4).rows
    assert (before.status, before.best_of_family) == (Status.INTERRUPTED, True)
    (after,) = run(study).rows
    assert (after.trial, after.status) == (before.trial, Status.COMPLETED)
    with open_store(study) as store:
        fresh = score_on_test(study, store.trial(after.model, after.number))
    assert after.test == fresh.metrics["rmse"]
    assert after.test != before.test


def test_a_bundle_that_cannot_be_written_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = prepare(tmp_path)
    this = Run(study)
    this.train()
    shutil.rmtree(study.folder.transforms)
    leaderboard = this.end()
    assert leaderboard.best is not None
    assert any("could not be exported" in warning for warning in warnings(caplog))


def test_a_new_bundle_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    run(study)
    (study.folder.best / "old").touch()
    run(study)
    assert (study.folder.best / "bundle.json").exists()
    assert not (study.folder.best / "old").exists()
    assert not list(study.folder.root.glob(".best*"))


def test_a_family_that_the_study_does_not_know(tmp_path: Path) -> None:
    families = prepare(tmp_path).header.families
    assert find_family(families, "two") is families[1]
    with pytest.raises(
        RecordError, match="trials of three, which the study file does not know; it has one, two"
    ):
        find_family(families, "three")
