"""A study that keeps the models of its best trials alone is whole, and tells what to name for the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.command import tuning
from tests.study.finished import prepare, run
from tests.trial.rows import small_frame
from tuning import Study
from tuning.errors import ConfigError
from tuning.store import Status


def test_a_study_without_the_models_of_beaten_trials_is_whole(tmp_path: Path) -> None:
    storage = {"folder": str(tmp_path / "studies"), "keep_trials": 1}
    study = prepare(tmp_path, storage=storage, search={"trials": 4, "startup_trials": 3})
    board = run(study)
    kept = [row.trial for row in board.rows if row.is_kept]
    assert kept == [row.trial for row in board.rows if row.best_of_family]
    assert len(board.rows) == 8
    assert all(row.valid is not None for row in board.rows), "the record stays"
    opened = Study.open("demo", tmp_path / "studies", quiet=True)
    assert opened.audit() == ()
    rows = small_frame(5).drop(columns="y")
    for name in ("best", "one", "two", *kept):
        assert len(opened.predict(rows, name)) == 5
    rows.to_csv(tmp_path / "rows.csv", index=False)
    gone = next(row.trial for row in board.rows if not row.is_kept and row.status is not Status.FAILED)
    for command in (
        ("predict", "demo", tmp_path / "rows.csv", "-o", tmp_path / "out.csv", "--model", gone),
        ("refit", "demo", "--trial", gone),
    ):
        refused = tuning(*command, "--storage", tmp_path / "studies")
        assert refused.returncode == 2
        assert f"{gone} has only its record: storage.keep_trials" in refused.stderr
        assert f"name best, or {gone.split('-')[0]} for" in refused.stderr
    assert (
        "6 of these have no model" in tuning("leaderboard", "demo", "--storage", tmp_path / "studies").stdout
    )
    assert "not kept" in tuning("show", "demo", gone, "--storage", tmp_path / "studies").stdout


@pytest.mark.parametrize("keep", [3, "all"])
def test_the_limit_is_a_setting_of_the_python_api(keep: object, abalone: Path, tmp_path: Path) -> None:
    study = Study("demo", data=abalone, target="rings", storage=tmp_path, keep_trials=keep)
    assert study._config.storage.keep_trials == keep
    assert study._config.storage.folder == str(tmp_path)
    with pytest.raises(ConfigError, match="keep_trials"):
        Study("demo", data=abalone, target="rings", storage=tmp_path, keep_trials=0)
