"""The Python API: the same job, with pandas objects in and out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ray

from tests.integration.command import ABALONE, PROBE, tuning
from tuning import InputError, RecordError, Study
from tuning.errors import ConfigError, DataError
from tuning.leaderboard import Leaderboard
from tuning.metrics import Direction
from tuning.study import Outcome, PreparedStudy


@pytest.fixture
def cluster(ray_address: str) -> Iterator[str]:
    yield ray_address
    ray.shutdown()


def _rows(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.normal(size=n)
    kind = rng.choice(["red", "green", "blue"], n)
    label = np.where(x + (kind == "red") + 0.1 * rng.normal(size=n) > 0.3, "yes", "no")
    return pd.DataFrame({"x": x, "kind": kind, "label": label})


def test_a_study_in_a_notebook(tmp_path: Path, cluster: str) -> None:
    rows = _rows()
    study = Study(
        "colours", data=rows, target="label", models=["lightgbm", "linear_gd"], trials=2, storage=tmp_path,
        quiet=True, address=cluster, split={"folds": 3},
        spaces={"lightgbm": {"n_estimators": 40}, "linear_gd": {"epochs": 10}},
    )  # fmt: skip
    board = study.run().leaderboard()
    assert isinstance(board, pd.DataFrame)
    assert set(board["model"]) == {"lightgbm", "linear_gd"}
    assert study.best()["valid"] > 0.9
    assert not study.audit()

    outputs = study.predict(rows.drop(columns="label"))
    assert list(outputs.columns) == ["prediction", "probability_no", "probability_yes"]
    assert (outputs["prediction"] == rows["label"]).mean() > 0.9
    np.testing.assert_allclose(outputs[["probability_no", "probability_yes"]].sum(axis=1), 1, atol=1e-6)

    again = Study.open("colours", tmp_path, quiet=True).resume(trials=3)
    assert len(again.leaderboard()) == 6
    with pytest.raises(InputError, match="tuning resume colours"):
        Study("colours", data=rows, target="label", storage=tmp_path).run()
    with pytest.raises(RecordError, match="no trial 'catboost'"):
        study.predict(rows, "catboost")


def test_a_refused_data_frame_leaves_nothing_behind(tmp_path: Path) -> None:
    rows = _rows()
    mixed = rows.assign(mixed=pd.Series([1, "a"] * (len(rows) // 2), dtype=object))
    with pytest.raises(ConfigError, match="trials"):
        Study("colours", data=rows, target="label", storage=tmp_path, trials=0)
    with pytest.raises(DataError, match="column mixed"):
        Study("colours", data=mixed, target="label", storage=tmp_path).run()
    with pytest.raises(DataError, match="did you mean 'label'"):
        Study("colours", data=rows, target="lable", storage=tmp_path).run()
    with pytest.raises(DataError, match="no rows"):
        Study("colours", data=rows.head(0), target="label", storage=tmp_path).run()
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken_up: list[int | None] = []

    def interrupted(study: PreparedStudy, *_: object, **__: object) -> Outcome:
        taken_up.append(study.header.config.search.total_trials)
        return Outcome(Leaderboard("colours", "regression", "rmse", Direction.MINIMIZE, ()), True)

    monkeypatch.setattr("tuning.study._study.run_study", interrupted)
    study = Study("colours", data=_rows(), target="x", models=str(PROBE), storage=tmp_path, quiet=True)
    study.run().resume(total_trials=7)
    assert taken_up == [None, 7]
    assert f"Study.open('colours', '{tmp_path}').resume()" in caplog.text


def test_gradient_descent_at_a_learning_rate_of_nine_tenths_diverges(
    tmp_path: Path, ray_address: str
) -> None:
    ran = tuning(
        "run", "--data", ABALONE, "--target", "rings", "--models", "linear_gd", "--trials", "2",
        "--name", "steep", "--storage", tmp_path, "--address", ray_address, "--quiet",
        "--set", "spaces.linear_gd.optimizer=sgd", "--set", "spaces.linear_gd.learning_rate=0.9",
        "--set", "pruning.pruner=none",
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    assert "Every trial of steep failed or diverged" in ran.stderr
    board = Study.open("steep", tmp_path).leaderboard()
    assert list(board["status"]) == ["diverged", "diverged"]
    assert board["rank"].isna().all()


@pytest.mark.parametrize("sampler", ["gp", "cmaes", "qmc", "random"])
def test_every_sampler_and_the_median_rule_run(sampler: str, tmp_path: Path, cluster: str) -> None:
    study = Study(
        "samplers", data=ABALONE, target="rings", models=[str(PROBE)], trials=8, storage=tmp_path, quiet=True,
        address=cluster, sampler=sampler, pruner="median", search={"startup_trials": 3},
        resources={"max_concurrent": 1},
    )  # fmt: skip
    board = study.run().leaderboard()
    assert len(board) == 8
    assert board["params.level"].nunique() >= 6, "a sampler may try the best bound twice, not more"
    assert not study.audit()
