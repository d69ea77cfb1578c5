"""Wrong input: one sentence on stderr, exit code 2, before Ray starts, and no study left behind."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
import ray

from tests.integration.command import ABALONE, PROBE, Run, tuning, tuning_process
from tuning.cli import main
from tuning.store import DriverLock
from tuning.study import read_header, take_up, write_header


def _table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
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
    message = refused("run", "--data", ABALONE, "--target", "rings", "--models", "zzz")
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
    blocked.touch()
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
    ran = tuning_process("run", "--data", "missing.csv", "--target", "y", "--storage", tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("data: table.csv", "data.target: data is a value, not a section"),
        ("data: {path: table.csv}\nsearch:\nmetric: rsme", "rmse"),
        ("data: {path: table.csv}\nsearch: 5", "search.trials: search is a value"),
        ("data: {path: table.csv}\nmodels: mine.py", "sub/mine.py"),
        ("data: {path: nowhere.csv}\nmodels: [linear_gd, mine.py]", "sub/nowhere.csv"),
    ],
)
def test_a_study_file_that_options_do_not_mend(
    refused: Run, tmp_path: Path, content: str, words: str
) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "table.csv").write_text(ROWS, encoding="utf-8")
    (folder / "study.yaml").write_text(content, encoding="utf-8")
    assert words in refused("run", "sub/study.yaml", "--target", "y", "--trials", "3")


def test_a_study_file_with_a_path_for_its_data_section(refused: Run, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("data: table.csv", encoding="utf-8")
    assert "data: this is a section" in refused("run", "study.yaml")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--trials", "0"),
        ("--total-trials", "-1"),
        ("--cpus-per-trial", "0"),
        ("--gpus-per-trial", "half"),
        ("--address", "ray://head:10001"),
    ],
)
def test_a_refusal_names_the_option(refused: Run, option: str, value: str) -> None:
    assert refused(*_run_on(ABALONE, "--target", "rings", option, value)).startswith(f"Error: {option}: ")


def test_a_place_that_cannot_be_expanded(refused: Run) -> None:
    setting = "storage.url=postgresql://ann:${NO_SUCH_VARIABLE}@db/x"
    message = refused(*_run_on(ABALONE, "--target", "rings", "--set", setting))
    assert "NO_SUCH_VARIABLE is not set" in message


def test_doctor_of_a_folder_that_is_yet_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tuning", "doctor", "--storage", str(tmp_path / "a" / "b" / "c")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "writable" in capsys.readouterr().out


@pytest.fixture(scope="module")
def finished(ray_address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage folder with one finished study, `my-data-1`, whose name comes from the data."""
    folder = tmp_path_factory.mktemp("finished")
    data = shutil.copyfile(ABALONE, folder / "my data.csv")
    ran = tuning(
        "run", "--data", data, "--target", "rings", "--models", PROBE, "--trials", "1",
        "--storage", folder / "studies", "--address", ray_address, "--quiet",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return folder / "studies"


@pytest.fixture
def studies(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study for a test to damage."""
    return shutil.copytree(finished, tmp_path / "studies")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command about a study in this process; returns `code: output`."""

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["tuning", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return f"{ended.value.code or 0}: {printed.out}{printed.err}"

    return run


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_name_that_exists_offers_resume(studies: Path, answer: Run) -> None:
    before = sorted(os.walk(studies))
    again = answer(*_run_on(ABALONE, "--target", "rings", "--name", "my-data-1", "--storage", str(studies)))
    assert again.startswith("2: ")
    assert "tuning resume my-data-1" in again
    assert sorted(os.walk(studies)) == before, "the refused run touched the study"


@pytest.mark.parametrize("command", ["predict", "resume"])
def test_a_record_that_names_a_path_outside_the_study_is_refused(
    studies: Path, answer: Run, command: str
) -> None:
    _change(studies / "my-data-1" / "journal.log", "trials/probe-0000/best", "../../../etc")
    more = [ABALONE, "-o", studies / "out.csv"] if command == "predict" else ["--trials", "2"]
    message = answer(command, "my-data-1", *more, "--storage", studies)
    assert message.startswith("2: Error: ")
    assert "outside the study folder" in message
    assert not ray.is_initialized()


def test_a_refused_resume_leaves_the_study_as_it_was(studies: Path, answer: Run) -> None:
    file = studies / "my-data-1" / "study.yaml"
    before = file.read_bytes()
    resume = ["resume", "my-data-1", "--storage", studies]
    assert "--trials: " in answer(*resume, "--trials", "0")
    assert "--max-concurrent: " in answer(*resume, "--max-concurrent", "0")
    with DriverLock(studies / "my-data-1"):
        assert "is being run by process" in answer(*resume, "--trials", "5", "--address", "auto")
    assert file.read_bytes() == before


def test_a_resume_changes_resources_and_address(studies: Path) -> None:
    changes = {"resources": {"max_concurrent": 1, "cpus_per_trial": 0.5}, "address": "auto"}
    take_up(studies, "my-data-1", changes)
    config = read_header(studies, "my-data-1")[0].config
    assert (config.resources.max_concurrent, config.resources.cpus_per_trial) == (1, 0.5)
    assert config.resources.max_retries == 1
    assert config.address == "auto"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\nspaces:", "\nspace:", "spaces: this key is required"),
        ("type: float", "type: complex", "spaces.probe.parameters.level"),
        ("\nmetric: ", "\nmetrics: ", "metric: this key is required"),
        ("config:", "config: 5\nrest:", "config: this is a section"),
    ],
)
def test_a_damaged_study_file_is_one_sentence_and_a_row_of_the_list(
    studies: Path, answer: Run, old: str, new: str, words: str
) -> None:
    shutil.copytree(studies / "my-data-1", studies / "sound")
    _change(studies / "my-data-1" / "study.yaml", old, new)
    message = answer("leaderboard", "my-data-1", "--storage", studies)
    assert message.startswith("2: Error: ")
    assert words in message
    assert message.count("\n") == 1
    listed = answer("list", "--storage", studies)
    assert listed.startswith("0: ")
    assert "sound" in listed
    assert "cannot be read" in listed


def test_a_database_password_is_not_shown(studies: Path, answer: Run) -> None:
    file = studies / "my-data-1" / "study.yaml"
    _change(file, "url: null", "url: postgresql://nobody:secret@127.0.0.1:1/none")
    write_header(*read_header(studies, "my-data-1"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = answer("show", "my-data-1", "--storage", studies)
    assert shown.startswith("0: ")
    assert "url: postgresql://nobody:***@127.0.0.1:1/none" in shown
    assert "secret" not in shown
    listed = answer("list", "--storage", studies)
    assert "cannot be read" in listed
    assert "secret" not in listed


@pytest.mark.parametrize(("device", "words"), [("gpu", "choose from cpu, cuda"), ("cuda", "has no GPU")])
def test_predicting_on_a_device_that_there_is_not(
    studies: Path, answer: Run, device: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    output = studies / "out.csv"
    message = answer("predict", "my-data-1", ABALONE, "-o", output, "--device", device, "--storage", studies)
    assert message.startswith("2: Error: device: ")
    assert words in message
    assert not output.exists()


def test_top_is_honoured_in_every_format(studies: Path, answer: Run) -> None:
    board = ["leaderboard", "my-data-1", "--storage", studies, "--top", "1", "--format"]
    for output in ("json", "csv", "markdown", "table"):
        assert "probe-0000" in answer(*board, output)


def test_too_short_a_time_is_told_from_failure(tmp_path: Path, ray_address: str) -> None:
    arguments = [
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--time-budget", "1s",
        "--name", "short", "--storage", tmp_path, "--address", ray_address, "--quiet",
        "--set", "spaces.probe.unit_seconds=30",
    ]  # fmt: skip
    ran = tuning(*arguments)
    assert ran.returncode == 1, ran.stderr
    assert "No trial of short got a score in the time" in ran.stderr
    assert "tuning resume short --time-budget" in ran.stderr
    assert "Predict with it" not in ran.stderr
