"""Studies that an earlier version of this project wrote are still read, and predict the same.

Each archive holds a study's folder, its data, and predictions that the version which wrote it made from it.
Revision dc1cc92 wrote `table`, which a signal interrupted: its trials are completed, pruned, and interrupted
with and without a checkpoint. It wrote `series` too, which is finished.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pandas as pd
import pytest

from tests.integration.command import assert_audited, leaderboard, tuning
from tuning import Study
from tuning.data import read_frame

ARCHIVES = Path(__file__).parent


def unpacked(archive: str, folder: Path) -> Path:
    """The folder that a study's archive was unpacked into."""
    with tarfile.open(ARCHIVES / f"{archive}.tar.gz") as archived:
        archived.extractall(folder, filter="data")
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return unpacked("table", tmp_path)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return unpacked("series", tmp_path)


def test_the_leaderboard_of_an_earlier_study_is_the_same(table: Path) -> None:
    board = Study.open("table", table / "studies").leaderboard()
    kept = pd.read_csv(table / "studies" / "table" / "leaderboard.csv")
    assert list(board["trial"]) == list(kept["trial"])
    assert list(board["status"]) == list(kept["status"])
    pd.testing.assert_series_equal(board["valid"].astype(float), kept["valid"], rtol=1e-5)


@pytest.mark.parametrize("model", ["best", "lightgbm", "linear_gd", "random_forest"])
def test_an_earlier_study_of_a_table_predicts_the_same(table: Path, model: str) -> None:
    rows = read_frame(table / "rows.csv")
    predicted = Study.open("table", table / "studies").predict(rows, model)
    kept = pd.read_csv(table / f"table-{model}.csv")
    pd.testing.assert_series_equal(predicted["prediction"], kept["prediction"], rtol=1e-6)


@pytest.mark.parametrize("model", ["best", "lightgbm", "naive"])
def test_an_earlier_study_of_series_forecasts_the_same(series: Path, model: str) -> None:
    predicted = Study.open("series", series / "studies").predict(model=model)
    kept = pd.read_csv(series / f"series-{model}.csv")
    pd.testing.assert_series_equal(predicted["prediction"], kept["prediction"], rtol=1e-6)
    assert list(predicted["step"]) == list(kept["step"])


@pytest.mark.parametrize("name", ["table", "series"])
def test_an_earlier_study_is_audited(name: str, tmp_path: Path) -> None:
    unpacked(name, tmp_path)
    assert Study.open(name, tmp_path / "studies").audit() == ()


def test_an_earlier_study_goes_on_where_it_was_and_is_fitted_anew(table: Path, ray_address: str) -> None:
    storage, data = table / "studies", table / "abalone.csv"
    before = {row["trial"]: row for row in leaderboard("table", storage)}
    place = ("--storage", storage, "--address", ray_address)
    resumed = tuning("resume", "table", "--trials", "2", "--data", data, *place, "--quiet")
    assert resumed.returncode == 0, resumed.stderr

    after = {row["trial"]: row for row in leaderboard("table", storage)}
    ended = [name for name, row in before.items() if row["status"] in ("completed", "pruned")]
    assert ended
    assert {name: (after[name]["status"], after[name]["valid"]) for name in ended} == {
        name: (before[name]["status"], before[name]["valid"]) for name in ended
    }
    assert {row["status"] for row in after.values()} <= {"completed", "pruned"}
    assert_audited("table", storage)

    fitted = tuning("refit", "table", "--trial", "lightgbm", "--data", data, *place)
    assert fitted.returncode == 0, fitted.stderr
    rows = read_frame(table / "rows.csv")
    assert len(Study.open("table", storage).predict(rows, "refit")) == 20
