"""Wrong input: one sentence on stderr, exit code 2, before Ray starts, and no study left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from tests.integration.command import ABALONE, PROBE, tuning
from tuning.cli import main

Run = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that must be refused; returns its one sentence."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["tuning", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert not ray.is_initialized()
        message = capsys.readouterr().err.strip()
        assert message.startswith("Error: ")
        assert message.count("\n") == 0
        assert "Traceback" not in message
        assert not list(tmp_path.glob("studies/*/study.yaml"))
        return message

    return run


def _table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def _run_on(path: Path, *more: str) -> list[str | Path]:
    return ["run", "--data", path, "--target", "y", "--models", "linear_gd", "--trials", "1", *more]


ROWS = "x,y\n" + "\n".join(f"{k},{k * k}" for k in range(40)) + "\n"


def test_no_such_file(refused: Run) -> None:
    assert "missing.csv" in refused("run", "--data", "missing.csv", "--target", "y")


def test_empty_file(refused: Run, tmp_path: Path) -> None:
    assert "table.csv" in refused(*_run_on(_table(tmp_path, "")))


def test_no_such_target_offers_the_closest(refused: Run) -> None:
    assert "rings" in refused("run", "--data", ABALONE, "--target", "ring")


def test_no_target_at_all(refused: Run) -> None:
    assert "--target" in refused("run", "--data", ABALONE)


def test_constant_target(refused: Run, tmp_path: Path) -> None:
    rows = "x,y\n" + "\n".join(f"{k},7.5" for k in range(40))
    assert "y" in refused(*_run_on(_table(tmp_path, rows), "--task", "regression"))


def test_target_with_missing_values(refused: Run, tmp_path: Path) -> None:
    message = refused(*_run_on(_table(tmp_path, ROWS + "3,\n")))
    assert "1 " in message
    assert "drop_missing_target" in message


def test_single_class(refused: Run, tmp_path: Path) -> None:
    rows = "x,y\n" + "\n".join(f"{k},cat" for k in range(40))
    assert "cat" in refused(*_run_on(_table(tmp_path, rows), "--task", "classification"))


def test_fewer_rows_than_folds(refused: Run, tmp_path: Path) -> None:
    assert "50" in refused(*_run_on(_table(tmp_path, ROWS), "--set", "split.folds=50"))


def test_unknown_model_lists_them(refused: Run) -> None:
    message = refused("run", "--data", ABALONE, "--target", "rings", "--models", "lightgmb")
    assert "did you mean lightgbm" in message
    assert "random_forest" in message


def test_missing_model_file(refused: Run) -> None:
    assert "mine.py" in refused("run", "--data", ABALONE, "--target", "rings", "--models", "mine.py")


def test_misspelt_hyperparameter_has_its_place(refused: Run) -> None:
    message = refused(*_run_on(ABALONE, "--target", "rings", "--set", "spaces.linear_gd.learning_rte=1"))
    assert "spaces.linear_gd.learning_rte" in message
    assert "learning_rate" in message


def test_space_of_a_model_that_is_not_tuned(refused: Run) -> None:
    assert "spaces.xgboost" in refused(
        *_run_on(ABALONE, "--target", "rings", "--set", "spaces.xgboost.max_depth=3")
    )


def test_misspelt_key_has_its_place(refused: Run) -> None:
    message = refused(*_run_on(ABALONE, "--target", "rings", "--set", "search.trails=3"))
    assert "search.trails" in message
    assert "trials" in message


def test_unknown_choice_lists_them(refused: Run) -> None:
    message = refused(*_run_on(ABALONE, "--target", "rings", "--set", "search.sampler=bayes"))
    assert "search.sampler" in message
    assert "tpe" in message


def test_unknown_metric_lists_them(refused: Run) -> None:
    assert "rmse" in refused(*_run_on(ABALONE, "--target", "rings", "--metric", "rsme"))


def test_low_above_high(refused: Run) -> None:
    setting = "spaces.linear_gd.learning_rate={low: 5.0, high: 0.1}"
    message = refused(*_run_on(ABALONE, "--target", "rings", "--set", setting))
    assert "spaces.linear_gd" in message
    assert "low" in message


def test_log_range_from_zero(refused: Run) -> None:
    setting = "spaces.linear_gd.learning_rate={low: 0.0, log: true}"
    message = refused(*_run_on(ABALONE, "--target", "rings", "--set", setting))
    assert "log" in message


def test_unwritable_folder(refused: Run, tmp_path: Path) -> None:
    # A file where a folder is wanted refuses everybody, root included.
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    message = refused(*_run_on(ABALONE, "--target", "rings", "--storage", str(blocked)))
    assert "blocked" in message


def test_bad_time_budget(refused: Run) -> None:
    assert "10m" in refused(*_run_on(ABALONE, "--target", "rings", "--time-budget", "soon"))


def test_no_such_study(refused: Run) -> None:
    assert "nowhere" in refused("resume", "nowhere")
    assert "nowhere" in refused("leaderboard", "nowhere")


def test_name_with_a_slash(refused: Run) -> None:
    assert "name" in refused(*_run_on(ABALONE, "--target", "rings", "--name", "../elsewhere"))


def test_unreachable_database(refused: Run) -> None:
    url = "postgresql://nobody:secret@127.0.0.1:1/none"
    message = refused(*_run_on(ABALONE, "--target", "rings", "--set", f"storage.url={url}"))
    assert "storage.url" in message
    assert "secret" not in message


def test_exit_code_of_the_process_itself(tmp_path: Path) -> None:
    ran = tuning("run", "--data", "missing.csv", "--target", "y", "--storage", tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("Error: ")


def test_a_name_that_exists_offers_resume_and_a_path_outside_is_refused(
    tmp_path: Path, ray_address: str
) -> None:
    arguments = [
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--trials", "1", "--name", "taken",
        "--storage", tmp_path, "--address", ray_address, "--quiet",
    ]  # fmt: skip
    assert tuning(*arguments).returncode == 0
    before = sorted(os.walk(tmp_path / "taken"))
    again = tuning(*arguments)
    assert again.returncode == 2
    assert "tuning resume taken" in again.stderr
    assert sorted(os.walk(tmp_path / "taken")) == before, "the refused run touched the study"

    journal = tmp_path / "taken" / "journal.log"
    journal.write_text(journal.read_text().replace("trials/probe-0000/best", "../../../etc"))
    outside = tuning("predict", "taken", ABALONE, "-o", tmp_path / "out.csv", "--storage", tmp_path)
    assert outside.returncode == 2
    assert "outside the study folder" in outside.stderr
