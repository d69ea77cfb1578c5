"""A study keeps to its own folder: names, the user's files, tables given as DataFrames, what has moved."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.study.finished import Run, open_store, prepare, run
from tests.trial.rows import PROBE, small_frame
from tuning import Study
from tuning.cli import main
from tuning.cli._configure import FreeName, configure
from tuning.config import validate_config
from tuning.errors import BusyError, DataError, InputError, NameTakenError, RecordError
from tuning.session import StudyFolder, claimed
from tuning.study import PreparedStudy, audit, read_header, set_up, take_up, write_header
from tuning.study._run import one_at_a_time


def raw_study(folder: Path, **sections: Any) -> dict[str, Any]:
    small_frame().to_csv(folder / "table.csv", index=False)
    raw = {
        "name": "demo",
        "data": {"path": str(folder / "table.csv"), "target": "y"},
        "models": [PROBE],
        "metric": "rmse",
        "storage": {"folder": str(folder / "studies")},
        "pruning": {"max_iterations": 9},
        "search": {"trials": 2, "startup_trials": 3},
    }
    return raw | sections


def frame_study(storage: Path | str, name: str = "sales", **settings: Any) -> Study:
    options = {"target": "y", "models": [PROBE], "metric": "rmse", "trials": 2, "quiet": True, **settings}
    return Study(name, data=small_frame(), storage=storage, **options)


def prepared(study: Study) -> PreparedStudy:
    """The study set up as `Study.run` does it."""
    return set_up(study._config, frame=study._table())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", ["y", "misspelt"])
def test_a_data_frame_touches_no_file_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sales.parquet", "sales.csv", "data.parquet"):
        (tmp_path / name).write_text("the user's own")
    before = files(tmp_path)
    study = frame_study(".", target=target)
    if target == "y":
        prepared(study)
    else:
        with pytest.raises(DataError, match="misspelt"):
            prepared(study)
    assert before.items() <= files(tmp_path).items()
    assert {path.name for path in tmp_path.iterdir()} - set(before) <= {"sales"}


@pytest.mark.parametrize("own", ["notes.txt", "models/mine.py", "study.yaml"])
def test_a_folder_of_the_user_under_the_name_is_left_as_it_is(tmp_path: Path, own: str) -> None:
    file = tmp_path / "sales" / own
    file.parent.mkdir(parents=True)
    file.write_text("metric: mine\n")
    before = files(tmp_path)
    with pytest.raises(InputError, match=r"no study of this project.*another --name"):
        prepared(frame_study(tmp_path))
    assert files(tmp_path) == before


def test_a_data_frame_lies_in_the_study_and_moves_with_it(tmp_path: Path) -> None:
    study = prepared(frame_study(tmp_path / "here"))
    assert study.folder.data_file.is_file()
    run(study)
    shutil.move(tmp_path / "here", tmp_path / "there")
    header, folder = read_header(tmp_path / "there", "sales")
    assert audit(header, folder) == ()
    again = take_up(tmp_path / "there", "sales", {"search": {"trials": 3}})
    run(again)
    with open_store(again) as store:
        assert len(store.trials("probe")) == 3


def test_an_old_study_whose_frame_lies_beside_its_folder_still_resumes(tmp_path: Path) -> None:
    study = prepared(frame_study(tmp_path))
    beside = tmp_path / "sales.parquet"
    study.folder.data_file.rename(beside)
    content = yaml.safe_load(study.folder.study_file.read_text())
    assert content["config"]["data"]["path"] == "data.parquet"
    content["config"]["data"]["path"] = str(beside)
    study.folder.study_file.write_text(yaml.safe_dump(content))
    assert take_up(tmp_path, "sales", {}).header.config.data.path == str(beside)


def test_names_are_taken_before_anything_is_written(tmp_path: Path) -> None:
    config = validate_config(raw_study(tmp_path), "test")
    folder = StudyFolder(config.storage.folder, "demo")
    with claimed(folder):
        before = files(folder.root)
        with pytest.raises(NameTakenError, match=r"is being set up in .* by another process"):
            set_up(config)
        assert files(folder.root) == before
    set_up(config)
    with pytest.raises(NameTakenError, match="exists already"):
        set_up(config)


def test_unnamed_studies_of_one_moment_get_a_name_each(tmp_path: Path) -> None:
    raw = raw_study(tmp_path)
    options = {"data.path": raw["data"]["path"], "data.target": "y", "models": PROBE, "search.trials": 1}
    options["storage.folder"] = raw["storage"]["folder"]
    configured = []
    for _ in range(3):  # All choose before the first writes.
        free = FreeName()
        configured.append((configure(None, options, {}, [], free), free))
    assert {config.name for config, _ in configured} == {"table-1"}
    begin = threading.Barrier(3)
    studies: list[PreparedStudy] = []

    def begin_study(number: int) -> None:
        config, free = configured[number]
        begin.wait()
        studies.append(set_up(config, next_name=free.again))

    threads = [threading.Thread(target=begin_study, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(study.folder.name for study in studies) == ["table-1", "table-2", "table-3"]
    for study in studies:
        assert read_header(study.folder.storage, study.folder.name)[0].config.name == study.folder.name


def test_a_folder_that_a_kill_left_half_written_is_free(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    study.folder.study_file.unlink()
    assert prepare(tmp_path).folder.exists()


@pytest.mark.parametrize("threads", [1, 2])
def test_one_process_runs_one_study_at_a_time(threads: int, tmp_path: Path) -> None:
    refused: list[str] = []

    def try_to_run() -> None:
        try:
            frame_study(tmp_path).run()
        except BusyError as error:
            refused.append(str(error))

    with one_at_a_time("first"), one_at_a_time("first"):
        others = [threading.Thread(target=try_to_run) for _ in range(threads)]
        for other in others:
            other.start()
        for other in others:
            other.join()
    assert len(refused) == threads
    assert "sales: another thread of this process runs a study" in refused[0]
    assert not list(tmp_path.iterdir())


HOME_PATHS = [
    ("data.path", "~/table.csv"),
    ("storage.folder", "~/studies"),
    ("models", "~/one.py"),
    ("storage.url", "sqlite:///~/record.db"),
]


@pytest.mark.parametrize(("entry", "path"), HOME_PATHS)
def test_the_home_folder_is_understood_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, path: str
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    raw = raw_study(home)
    for suffix in (".py", ".yaml"):
        shutil.copy(Path(PROBE).with_suffix(suffix), home / f"one{suffix}")
    options = {"data.path": raw["data"]["path"], "data.target": "y", "models": PROBE, "search.trials": 1}
    options["storage.folder"] = raw["storage"]["folder"]
    study = set_up(configure(None, options, {}, [f"{entry}={path}"], FreeName()))
    assert not list(elsewhere.iterdir())
    again = take_up(str(study.folder.storage), study.folder.name, {})
    assert again.header.config.data.path == str(home / "table.csv")
    assert not list(elsewhere.iterdir())


def test_the_home_folder_in_a_study_file_and_on_the_command_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    raw_study(home)
    (home / "study.yaml").write_text("data: {path: ~/table.csv, target: misspelt}\nmodels: [lightgbm]\n")
    environment = {**os.environ, "HOME": str(home)}
    for words in (["run", "~/study.yaml"], ["run", "--data=~/table.csv", "--target=misspelt"]):
        ended = subprocess.run(
            [sys.executable, "-m", "tuning", *words], env=environment, cwd=tmp_path, text=True,
            capture_output=True, check=False, timeout=100,
        )  # fmt: skip
        assert ended.returncode == 2, ended.stderr
        assert "'misspelt'" in ended.stderr


def test_a_home_folder_that_nobody_has(tmp_path: Path) -> None:
    raw = raw_study(tmp_path, data={"path": "~nobody-of-that-name/x.csv", "target": "y"})
    with pytest.raises(InputError, match="no home folder of ~nobody-of-that-name"):
        set_up(validate_config(raw, "test"))


def test_moved_data_are_named(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    run(study)
    storage, new = tmp_path / "studies", tmp_path / "moved here" / "renamed.csv"
    new.parent.mkdir()
    (tmp_path / "table.csv").rename(new)
    with pytest.raises(DataError, match="say where it is now: tuning resume demo --data PATH --storage"):
        take_up(storage, "demo", {})
    other = tmp_path / "other.csv"
    small_frame(50).to_csv(other, index=False)
    with pytest.raises(DataError, match=r"changed since the study began .*other.csv"):
        take_up(storage, "demo", {}, data=other)
    with pytest.raises(DataError, match=r"no file .*missing.csv"):
        take_up(storage, "demo", {}, data=tmp_path / "missing.csv")
    assert take_up(storage, "demo", {}, data=new).header.config.data.path == str(new)
    assert take_up(storage, "demo", {}).header.config.data.path == str(new)  # It is remembered.


@pytest.mark.parametrize("verb", ["resume", "refit"])
def test_moved_data_are_named_on_the_command_line(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(prepare(tmp_path))
    (tmp_path / "table.csv").unlink()
    small_frame(50).to_csv(tmp_path / "other.csv", index=False)
    said = []
    for file in ("missing.csv", "other.csv"):
        words = [verb, "demo", "--storage", str(tmp_path / "studies"), "--data", str(tmp_path / file)]
        monkeypatch.setattr("sys.argv", ["tuning", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said.append(capsys.readouterr().err)
    assert f"--data: there is no file {tmp_path}/missing.csv" in said[0]
    assert f"changed since the study began ({tmp_path}/other.csv)" in said[1]


def test_a_relative_database_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = prepare(tmp_path, storage={"folder": "studies", "url": "sqlite:///record.db"})
    run(study)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = take_up(tmp_path / "studies", "demo", {"search": {"trials": 3}})
    with open_store(again) as store:
        assert len(store.trials("one")) == 2
    assert not list(elsewhere.iterdir())


def test_a_database_that_is_gone_or_forgets_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite+pysqlite:///"):
        with pytest.raises(InputError, match="gone with the process"):
            prepare(tmp_path, storage={"folder": "studies", "url": url})
    study = prepare(tmp_path, storage={"folder": "studies", "url": "sqlite:///record.db?timeout=5"})
    file = study.folder.study_file
    before = file.read_text().replace(f"{tmp_path}/record.db", "record.db")  # as it was written before
    file.write_text(before)
    assert take_up("studies", "demo", {}).header.config.name == "demo"
    assert f"sqlite:///{tmp_path}/record.db" in file.read_text()  # From now on it is found from everywhere.
    file.write_text(before)
    storage = tmp_path / "studies"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(RecordError, match=r"record of demo is the database .*which is not there"):
        take_up(storage, "demo", {})
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("variable", ["relative.db", "sub/relative.db"])
def test_a_variable_with_a_relative_path_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("RECORD", variable)
    with pytest.raises(InputError, match="holds the relative path"):
        prepare(tmp_path, storage={"folder": str(tmp_path), "url": "sqlite:///${RECORD}"})


@pytest.mark.parametrize("loss", ["journal", "last trials", "other database"])
def test_a_record_with_fewer_trials_than_the_folder_is_refused(tmp_path: Path, loss: str) -> None:
    url = f"sqlite:///{tmp_path}/record.db" if loss == "other database" else None
    study = prepare(tmp_path, storage={"folder": str(tmp_path / "studies"), "url": url})
    this = Run(study)
    journal = study.folder.root / "journal.log"
    early = journal.read_bytes() if journal.exists() else b""
    this.train()
    this.end()
    if loss == "journal":
        journal.unlink()
    elif loss == "last trials":
        journal.write_bytes(early)
    else:
        (tmp_path / "record.db").unlink()
        open_url = study.header.open_store(study.folder, is_new=True)
        open_url.close()
    with pytest.raises(RecordError, match="not this study's whole record"):
        take_up(tmp_path / "studies", "demo", {})


@pytest.mark.parametrize("linked", ["trials", "trials/one-0000", "models"])
def test_parts_of_a_study_may_lie_on_another_disk(tmp_path: Path, linked: str) -> None:
    study = prepare(tmp_path)
    run(study)
    place, other = study.folder.root / linked, tmp_path / "other disk"
    shutil.move(place, other)
    place.symlink_to(other)
    again = take_up(tmp_path / "studies", "demo", {"search": {"trials": 3}})
    run(again)
    assert audit(again.header, again.folder) == ()


@pytest.mark.parametrize("path", ["../other/checkpoint", "/etc", "trials/../../x"])
def test_a_record_cannot_lead_out_of_the_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(RecordError, match="outside the study folder"):
        StudyFolder(tmp_path, "demo").resolve(path)


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_password_is_never_readable_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    study = prepare(tmp_path)
    storage = study.header.config.storage.model_copy(update={"url": "postgresql://ann:secret@db/tuning"})
    header = study.header.config.model_copy(update={"storage": storage})
    modes: list[int] = []
    folder, replaced = study.folder.root, Path.replace

    def look(draft: Path, target: Path) -> Path:
        modes.append(draft.stat().st_mode & 0o077)
        return replaced(draft, target)

    monkeypatch.setattr(Path, "replace", look)
    old_draft = folder / ".study.yaml.draft"
    old_draft.write_text("left by a kill, for all to read")
    with old_draft.open() as reader:
        old = os.umask(umask)
        try:
            write_header(replace(study.header, config=header), study.folder)
        finally:
            os.umask(old)
        assert "secret" not in reader.read()
    assert modes
    assert set(modes) == {0}
    assert study.folder.study_file.stat().st_mode & 0o777 == 0o600


def test_a_commands_words_are_quoted_and_carry_the_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = StudyFolder("my studies; x", "demo").command("resume")
    assert command == f"tuning resume demo --storage '{tmp_path}/my studies; x'"
    assert StudyFolder("studies", "demo").command("resume") == "tuning resume demo"
    with pytest.raises(InputError, match=r"no study demo in .*my studies"):
        read_header(shlex.split(command)[-1], "demo")
