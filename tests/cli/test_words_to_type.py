"""Commands that are printed work as they are when they are typed: quoted, and with the storage folder."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

from tests.study.finished import Run, prepare, run
from tuning.cli import main
from tuning.cli._jobs import with_address
from tuning.cli._run import _exit_interrupted, _why_no_score
from tuning.errors import RecordError
from tuning.leaderboard import Leaderboard
from tuning.metrics import Direction
from tuning.storage import storage_option
from tuning.study import PreparedStudy, find_pages, load_refit, read_header
from tuning.study._bundle import load_transforms


@pytest.fixture(params=["with space", "quo'te & more", "dollar $HOME"])
def study(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PreparedStudy:
    """A study in a storage folder whose name a shell would take apart, below the working folder."""
    monkeypatch.chdir(tmp_path)
    return prepare(tmp_path, storage={"folder": str(tmp_path / request.param)})


def said(words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.argv", ["tuning", *words])
    with pytest.raises(SystemExit):
        main()
    return capsys.readouterr().err


def assert_leads_to(study: PreparedStudy, command: str) -> None:
    """A printed command's words, as a shell reads them, name the study and its place."""
    words = shlex.split(command)
    assert words[0] == "tuning"
    assert words[2] == "demo"
    place = words[words.index("--storage") + 1]
    header, folder = read_header(place, words[2])
    assert (header.created_at, folder.root) == (study.header.created_at, study.folder.root)


def test_after_an_interruption(study: PreparedStudy, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        _exit_interrupted("demo", study.folder.parent)
    assert_leads_to(study, capsys.readouterr().err.rpartition("Go on with: ")[2])


def test_before_there_is_anything_to_predict_with(study: PreparedStudy) -> None:
    for read in (lambda: load_transforms(study.folder), lambda: load_refit(study.header, study.folder)):
        with pytest.raises(RecordError) as refused:
            read()
        assert_leads_to(study, str(refused.value).partition("type ")[2].removesuffix(" first."))


def test_of_a_study_that_is_there_already(
    study: PreparedStudy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--data", "table.csv", "--target", "y", "--name", "demo", "--storage", study.folder.parent]
    told = said(["run", *options], capsys, monkeypatch)
    assert_leads_to(study, told.partition("go on with it by '")[2].rpartition("', or give another")[0])


def test_of_predictions_without_rows_and_figures_without_a_trial(
    study: PreparedStudy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = ["--storage", study.folder.parent]
    told = said(["predict", "demo", "-o", "my predictions.csv", *storage], capsys, monkeypatch)
    command = told.partition("Give a file: ")[2].strip().removesuffix(".")
    assert_leads_to(study, command)
    assert "my predictions.csv" in shlex.split(command)
    told = said(["show", "demo", "--figures", "my figures", *storage], capsys, monkeypatch)
    command = told.partition("Type ")[2].strip().removesuffix(".")
    assert_leads_to(study, command)
    assert "my figures" in shlex.split(command)


def test_of_pages(study: PreparedStudy) -> None:
    (study.folder.root / "tensorboard").mkdir()
    pages = {page.name: page for page in find_pages(study.header, study.folder, prometheus="127.0.0.1:1")}
    dashboard = pages["Ray dashboard"].hint
    assert_leads_to(study, dashboard.partition("while the study runs: ")[2].rpartition("; of a cluster")[0])
    assert_leads_to(study, pages["MLflow"].hint.partition("turn it on: ")[2])
    assert shlex.split(pages["TensorBoard"].where)[-1] == str(study.folder.root / "tensorboard")
    assert shlex.split(pages["optuna-dashboard"].where)[-1] == str(study.folder.root / "journal.log")


def test_while_it_runs(study: PreparedStudy) -> None:
    assert_leads_to(study, Run(study).session.snapshot().resume)


def test_of_a_study_without_a_score(study: PreparedStudy) -> None:
    empty = Leaderboard("demo", "regression", "rmse", Direction.MINIMIZE, ())
    sentence = _why_no_score(empty, "demo", storage_option(study.folder.parent))
    assert_leads_to(study, sentence.partition("give it more: ")[2])


@pytest.mark.parametrize("address", ["http://head:8265", "http://[::1]:8265", "http://head:8265/?a=1&b=2"])
def test_of_jobs(address: str) -> None:
    assert shlex.split(with_address("tuning stop demo", address))[-1] == address


def test_a_default_place_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = prepare(tmp_path)
    run(study)
    assert study.folder.command("resume") == "tuning resume demo"
