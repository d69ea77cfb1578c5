"""What the audit finds, and that it finds nothing where all is well."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.study.finished import Run, open_store, prepare, run
from tuning.errors import InputError
from tuning.store import Result, Status, Store
from tuning.study import PreparedStudy, audit, read_header, take_up, write_header


def findings(study: PreparedStudy) -> list[str]:
    return [str(finding) for finding in audit(study.header, study.folder)]


@pytest.fixture
def finished(tmp_path: Path) -> PreparedStudy:
    study = prepare(tmp_path)
    run(study)
    return study


def test_nothing_is_wrong_after_a_run_a_stop_or_a_kill(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    run(study, stop_after=4)
    assert findings(study) == []
    killed = Run(study)
    killed.train(stop_after=7)  # Leaderboard and bundle are of the run before.
    assert findings(study) == []
    run(study)
    assert findings(study) == []


def swap_ranks(study: PreparedStudy) -> str:
    file = study.folder.leaderboard_json
    content = json.loads(file.read_text())
    first, second = content["rows"][:2]
    first["rank"], second["rank"] = 2, 1
    file.write_text(json.dumps(content))
    return "leaderboard.json: does not follow from the record, first at"


def break_leaderboard(study: PreparedStudy) -> str:
    study.folder.leaderboard_json.write_text("{")
    return "leaderboard.json: cannot be read"


def drop_a_row_of_the_leaderboard(study: PreparedStudy) -> str:
    file = study.folder.leaderboard_json
    content = json.loads(file.read_text())
    last = content["rows"].pop()
    file.write_text(json.dumps(content))
    return f"leaderboard.json: does not follow from the record, first at {last['trial']}"


def export_another(study: PreparedStudy) -> str:
    return _bundle_of(study, "two-0001" if _first(study) != "two-0001" else "one-0001", "is ranked first")


def export_a_stranger(study: PreparedStudy) -> str:
    return _bundle_of(study, "two-0099", "")


def _first(study: PreparedStudy) -> str:
    return str(json.loads(study.folder.leaderboard_json.read_text())["rows"][0]["trial"])


def _bundle_of(study: PreparedStudy, trial: str, words: str) -> str:
    file = study.folder.best / "bundle.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "trial": trial}))
    return f"best: holds {trial}, but {_first(study)} {words}" if words else f"best: holds {trial}, which"


def break_bundle(study: PreparedStudy) -> str:
    (study.folder.best / "bundle.json").unlink()
    return "best: has no readable bundle.json"


def lose_bundle(study: PreparedStudy) -> str:
    shutil.rmtree(study.folder.best)
    return f"best: is missing; {_first(study)} is ranked first"


def break_splits(study: PreparedStudy) -> str:
    study.folder.splits_file.write_bytes(b"PAR1")
    return "splits.parquet: cannot be read"


def lose_a_row(study: PreparedStudy) -> str:
    splits = pd.read_parquet(study.folder.splits_file)
    splits.iloc[:-1].to_parquet(study.folder.splits_file)
    return "splits.parquet: The recorded splits do not fit the data"


def repeat_a_row(study: PreparedStudy) -> str:
    splits = pd.read_parquet(study.folder.splits_file)
    pd.concat([splits, splits.iloc[:1]]).to_parquet(study.folder.splits_file)
    return "splits.parquet: has rows twice"


def lose_a_column(study: PreparedStudy) -> str:
    pd.read_parquet(study.folder.splits_file).drop(columns="part").to_parquet(study.folder.splits_file)
    return "splits.parquet: has no column part"


@pytest.mark.parametrize(
    "damage",
    [
        swap_ranks,
        break_leaderboard,
        drop_a_row_of_the_leaderboard,
        export_another,
        export_a_stranger,
        break_bundle,
        lose_bundle,
        break_splits,
        lose_a_row,
        repeat_a_row,
        lose_a_column,
    ],
)
def test_damage_is_found(damage: Callable[[PreparedStudy], str], finished: PreparedStudy) -> None:
    words = damage(finished)
    assert any(words in finding for finding in findings(finished)), findings(finished)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_the_time_zone_does_not_matter(
    zone: str, finished: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert findings(finished) == []
        words = swap_ranks(finished)
        assert any(words in finding for finding in findings(finished))
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_trial_left_running_after_a_run_that_ended(
    finished: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(finished) as store:
        frozen = store.frozen_trials("one")[0]
        number = store.create("one", frozen.params, frozen.distributions, {}, {})
        with monkeypatch.context() as patch:
            patch.setattr(Store, "_close", lambda *args: None)
            store.finish("one", number, Result(Status.FAILED, error="x"))
    assert "one-0002: its end was recorded, but it is left running" in findings(finished)


def test_data_that_changed_since_are_told_and_not_compared_with_the_splits(finished: PreparedStudy) -> None:
    data = Path(finished.header.config.data.path)
    data.write_text(data.read_text() + "0,0,a,1\n")
    assert findings(finished) == [f"{data}: changed since the study began"]
    data.unlink()  # Elsewhere, perhaps: the folder is enough to predict.
    assert findings(finished) == []


def keep_in_folder(study: PreparedStudy, change: Callable[[Path], object]) -> list[str]:
    """What is found of a study that keeps its table itself."""
    data = Path(study.header.config.data.path)
    kept = study.folder.root / "data.csv"
    kept.write_bytes(data.read_bytes())
    place = study.header.config.data.model_copy(update={"path": str(kept)})
    header = replace(study.header, config=study.header.config.model_copy(update={"data": place}))
    write_header(header, study.folder)
    change(kept)
    return [str(finding) for finding in audit(*read_header(study.folder.storage, study.folder.name))]


def test_a_table_that_the_study_keeps_has_to_be_there(finished: PreparedStudy) -> None:
    assert keep_in_folder(finished, lambda kept: None) == []
    assert keep_in_folder(finished, lambda kept: kept.write_text("x")) == [
        "data.csv: changed since the study began"
    ]
    missing = "data.csv: is missing, in which the study keeps its data"
    assert keep_in_folder(finished, lambda kept: kept.unlink()) == [missing]


def another_family(study: PreparedStudy) -> str:
    change_study(study, lambda content: content["spaces"].pop("two"))
    return "study.yaml: has no family two, of which the record has trials"


def another_space(study: PreparedStudy) -> str:
    def change(content: dict[str, Any]) -> None:
        parameters = content["spaces"]["one"]["parameters"]
        parameters["renamed"] = parameters.pop(next(iter(parameters)))

    change_study(study, change)
    return "one-0000: has level, which the study file does not search"


def another_study_of_the_second(study: PreparedStudy) -> str:
    change_study(study, lambda content: content.update(created_at="2020-01-01T00:00:00+00:00"))
    return "study.yaml: has the created_at 2020-01-01T00:00:00+00:00, but the record is of a study with"


def other_data(study: PreparedStudy) -> str:
    change_study(study, lambda content: content.update(data_sha256="0" * 64))
    return f"study.yaml: has the data_sha256 {'0' * 64}, but the record is of a study with"


def change_study(study: PreparedStudy, change: Callable[[dict[str, Any]], object]) -> None:
    content = yaml.safe_load(study.folder.study_file.read_text())
    change(content)
    study.folder.study_file.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("change", [another_family, another_space, another_study_of_the_second, other_data])
def test_a_study_file_of_another_study_is_found(
    change: Callable[[PreparedStudy], str], finished: PreparedStudy
) -> None:
    words = change(finished)
    header, folder = read_header(finished.folder.storage, finished.folder.name)
    found = [str(finding) for finding in audit(header, folder)]
    assert any(words in finding for finding in found), found


@pytest.mark.parametrize("change", [another_study_of_the_second, other_data])
def test_the_record_of_another_study_is_not_gone_on_with(
    change: Callable[[PreparedStudy], str], finished: PreparedStudy
) -> None:
    change(finished)
    with pytest.raises(InputError):
        take_up(finished.folder.storage, finished.folder.name, {})


def test_a_record_that_does_not_tell_whose_it_is(finished: PreparedStudy) -> None:
    """As those of before are."""
    with open_store(finished) as store:
        store.set_study({})
    assert findings(finished) == []
    take_up(finished.folder.storage, finished.folder.name, {})
