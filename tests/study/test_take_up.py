"""A study that is taken up again: its columns, its limits, and what versions it knows of."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.study.finished import Run, prepare, run
from tests.trial.rows import small_frame
from tuning.config import validate_config
from tuning.data import Fold, _prepare
from tuning.data.series import _fit
from tuning.errors import DataError, RecordError
from tuning.models import Table
from tuning.study import PreparedStudy, set_up, take_up, write_header
from tuning.study._bundle import save_transforms


def series_study(folder: Path, **sections: Any) -> PreparedStudy:
    days = pd.date_range("2024-01-01", periods=120, freq="D")
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {"day": days, "shop": shop, "promo": rng.integers(0, 2, 120), "y": rng.normal(10, 1, 120)}
        )
        for shop in ("a", "b")
    ]
    pd.concat(frames).to_csv(folder / "series.csv", index=False)
    raw = {
        "name": "demo",
        "data": {
            "path": str(folder / "series.csv"), "target": "y", "time": "day", "series": "shop", "horizon": 3,
            "roles": {"promo": "known"},
        },
        "models": ["naive"],
        "storage": {"folder": str(folder / "studies")},
    }  # fmt: skip
    return set_up(validate_config(raw | sections, "test"))


def classes_study(folder: Path) -> PreparedStudy:
    data = {"path": str(folder / "table.csv"), "target": "kind"}
    small_frame().to_csv(folder / "table.csv", index=False)
    storage = {"folder": str(folder / "studies")}
    raw = {"name": "demo", "data": data, "models": ["linear_gd"], "storage": storage}
    return set_up(validate_config(raw, "test"))


def with_fewer_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another version of the project might fit: it leaves out a column of the table, one of the series."""
    fit, fit_series = _prepare.fit_transform, _fit._varying

    def other_fit(frame: pd.DataFrame, settings: Any) -> Any:
        return fit(frame.drop(columns="x1"), settings)

    monkeypatch.setattr(_prepare, "fit_transform", other_fit)
    monkeypatch.setattr(_fit, "_varying", lambda features: fit_series(features)[1:])


def tables(fold: Fold) -> tuple[Table, ...]:
    return fold.train, fold.valid, fold.test


@pytest.mark.parametrize("kind", ["table", "folds", "series"])
def test_resumed_trials_see_the_columns_that_predictions_are_made_from(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "series":
        study = series_study(tmp_path)
    else:
        study = prepare(tmp_path, split={"folds": 3} if kind == "folds" else {})
    save_transforms(study)
    with_fewer_columns(monkeypatch)
    again = take_up(study.folder.storage, "demo", {})
    for before, after in zip(study.data.folds, again.data.folds, strict=True):
        assert after.schema == before.schema
        for old, new in zip(tables(before), tables(after), strict=True):
            for name in ("numeric", "categorical", "embedding", "dense", "target", "weight"):
                np.testing.assert_array_equal(getattr(new, name), getattr(old, name), err_msg=name)


def test_without_kept_transforms_they_are_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill came before the study wrote them, so nothing was predicted either."""
    study = prepare(tmp_path)
    with_fewer_columns(monkeypatch)
    assert "x1" not in take_up(study.folder.storage, "demo", {}).data.folds[0].schema.numeric


@pytest.mark.parametrize("damage", ["a fold is missing", "of series", "other classes"])
def test_transforms_of_another_study_are_refused(damage: str, tmp_path: Path) -> None:
    study = prepare(tmp_path, split={"folds": 3})
    save_transforms(study)
    if damage == "a fold is missing":
        shutil.rmtree(study.folder.transforms / "fold-2")
    else:
        folder = tmp_path / "other"
        folder.mkdir()
        other = series_study(folder) if damage == "of series" else classes_study(folder)
        save_transforms(other)
        for number in range(3):
            shutil.rmtree(study.folder.transforms / f"fold-{number}")
            shutil.copytree(other.folder.transforms / "fold-0", study.folder.transforms / f"fold-{number}")
    with pytest.raises((DataError, RecordError), match=r"not of one study|when the study began"):
        take_up(study.folder.storage, "demo", {})


def test_the_study_file_names_the_projects_own_version(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    content = yaml.safe_load(study.folder.study_file.read_text())
    assert content["versions"]["tuning-on-ray"] == version("tuning-on-ray")
    content["versions"] = {"ray": "2.50.0"}  # As an older project wrote it.
    study.folder.study_file.write_text(yaml.safe_dump(content))
    take_up(study.folder.storage, "demo", {})
    again = yaml.safe_load(study.folder.study_file.read_text())
    assert again["versions"]["tuning-on-ray"] == version("tuning-on-ray")


def may_start_more(study: PreparedStudy) -> bool:
    session = Run(study).session
    session.set_time_budget(60)
    return not session.is_over()


@pytest.mark.parametrize("search", [{}, {"trials": 2}, {"total_trials": 4}])
def test_further_time_is_used_although_the_trials_are_used_up(search: dict[str, int], tmp_path: Path) -> None:
    study = prepare(tmp_path, search=search)
    if not search:  # The default number, for which nobody waits here.
        header = study.header
        assert header.config.search.trials
        few = header.config.search.model_copy(update={"trials": 2})
        write_header(
            type(header)(**{**vars(header), "config": header.config.model_copy(update={"search": few})}),
            study.folder,
        )
        study = take_up(study.folder.storage, "demo", {})
    run(study)
    storage = study.folder.storage
    assert not may_start_more(take_up(storage, "demo", {}))
    assert may_start_more(take_up(storage, "demo", {"search": {"time_budget_s": 60}}))
    assert may_start_more(take_up(storage, "demo", {}))  # Also after it was interrupted.


def test_a_number_of_trials_that_is_not_used_up_or_given_anew_stays(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    run(study, stop_after=4)
    storage = study.folder.storage
    assert take_up(storage, "demo", {"search": {"time_budget_s": 60}}).header.config.search.trials == 2
    run(take_up(storage, "demo", {}))
    given = take_up(storage, "demo", {"search": {"time_budget_s": 60, "trials": 3}})
    assert given.header.config.search.trials == 3
