"""What the audit finds, and that it finds nothing where all is well."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.study.finished import Run, open_store, prepare, run
from tuning.store import Result, Status, Store
from tuning.study import PreparedStudy, audit


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


def test_data_that_changed_since_are_not_compared_with_the_splits(finished: PreparedStudy) -> None:
    data = Path(finished.header.config.data.path)
    data.write_text(data.read_text() + "0,0,a,1\n")
    assert findings(finished) == []
    data.unlink()
    assert findings(finished) == []
