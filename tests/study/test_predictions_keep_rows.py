"""Predictions stay beside the rows that they are for, whatever those were handed over as."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.study.finished import prepare, run
from tests.trial.rows import PROBE
from tuning import Study
from tuning.cli import app
from tuning.errors import DataError, InputError
from tuning.leaderboard import Leaderboard
from tuning.metrics import Direction
from tuning.study import Outcome, PreparedStudy

SMALL = {"models": ["lightgbm"], "spaces": {"lightgbm": {"n_estimators": 20}}, "search": {"trials": 1}}
HORIZON = 3


def table(rows: int = 120) -> pd.DataFrame:
    """Rows that differ in their features, each with an identifier."""
    rng = np.random.default_rng(0)
    x, kind = rng.normal(size=rows), rng.choice(["a", "b", "c"], rows)
    names = [f"row-{number:05d}" for number in rng.permutation(rows)]
    return pd.DataFrame({"name": names, " x ": x, "kind": kind, "y": 3 * x + (kind == "b")})


def days(steps: int = 200) -> pd.DataFrame:
    """Two shops over time, with what is known in advance and what is not."""
    parts = []
    for shop, level in (("north", 100.0), ("south", 900.0)):
        rng = np.random.default_rng(int(level))
        sale = (rng.random(steps) < 0.2).astype(float)
        units = level * (1 + 0.3 * np.sin(np.arange(steps) * 2 * np.pi / 7) + 0.5 * sale)
        times = pd.date_range("2024-01-01", periods=steps)
        columns = {"day": times, "shop": shop, "sale": sale, "staff": rng.normal(size=steps), "units": units}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def finished(folder: Path, frame: pd.DataFrame, **data: Any) -> Path:
    """Storage with a finished study of a table."""
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / "rows.csv", index=False)
    study = prepare(folder, data={"path": str(folder / "rows.csv"), **data}, metric="mae", **SMALL)
    run(study)
    return folder / "studies"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("table"), table(), target="y")


@pytest.fixture(scope="module")
def of_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(
        tmp_path_factory.mktemp("series"), days(),
        target="units", time="day", series="shop", horizon=HORIZON, roles={"sale": "known"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(storage: Path) -> Study:
    return Study.open("demo", storage)


@pytest.fixture(scope="module")
def expected(study: Study) -> np.ndarray:
    """The prediction of each row, by its place in the table."""
    return study.predict(table())["prediction"].to_numpy()


# -- tables ----------------------------------------------------------------------------------------

INDEXES = {
    "sampled": lambda frame: frame.sample(frac=1, random_state=3).iloc[:20],
    "sorted by a column": lambda frame: frame.sort_values("kind"),
    "times": lambda frame: frame.set_index(pd.date_range("2024-01-01", periods=len(frame))),
    "texts": lambda frame: frame.set_index(frame["name"]),
    "two levels": lambda frame: frame.set_index(["kind", "name"], drop=False),
    "repeated": lambda frame: frame.set_axis(np.arange(len(frame)) // 2),
}


@pytest.mark.parametrize("name", INDEXES)
def test_a_column_can_be_assigned(name: str, study: Study, expected: np.ndarray) -> None:
    frame = INDEXES[name](table().assign(place=np.arange(120)))
    outputs = study.predict(frame)
    assert outputs.index.equals(frame.index)
    frame["p"] = outputs["prediction"]
    np.testing.assert_array_equal(frame["p"], expected[frame["place"]])


@pytest.mark.parametrize(
    "given",
    [
        table().iloc[7],
        table().iloc[7].to_dict(),
        [table().iloc[7].to_dict()],
        table().iloc[[7]].to_dict("list"),
        {"x": table()[" x "][7], "kind": table()["kind"][7]},
        table().iloc[[7]].set_index([" x ", "kind"]),
    ],
)
def test_one_row_of_any_kind(given: Any, study: Study, expected: np.ndarray) -> None:
    assert study.predict(given)["prediction"].tolist() == [expected[7]]


def test_a_file_is_read(study: Study, expected: np.ndarray, tmp_path: Path) -> None:
    table().to_csv(tmp_path / "new.csv", index=False)
    for path in (tmp_path / "new.csv", str(tmp_path / "new.csv")):
        np.testing.assert_allclose(study.predict(path)["prediction"], expected)


def test_an_array_is_refused_with_the_way_out(study: Study) -> None:
    values = table()[[" x ", "kind"]].to_numpy()
    with pytest.raises(DataError, match=r"columns=\['x', 'kind'\]") as refused:
        study.predict(values)
    assert str(refused.value).count(": ") == 1


def test_a_column_that_is_missing_is_named_with_the_nearest(study: Study) -> None:
    with pytest.raises(DataError, match=r"lacks the column 'kind', .*\(did you mean 'Kind'\?\)"):
        study.predict(table().rename(columns={"kind": "Kind"}))


# -- series ----------------------------------------------------------------------------------------


def coming(steps: int = HORIZON) -> pd.DataFrame:
    """Rows to come, by day rather than by shop, each with an identifier."""
    times = pd.date_range("2024-07-19", periods=steps)
    rows = [{"day": day, "shop": shop, "sale": 0.0} for day in times for shop in ("south", "north")]
    return pd.DataFrame(rows).assign(id=range(3000, 3000 + 2 * steps))


INDEXES_OF_SERIES = {
    "plain": lambda frame: frame,
    "sampled": lambda frame: frame.sample(frac=1, random_state=1),
    "day and shop": lambda frame: frame.set_index(["day", "shop"]),
    "days": lambda frame: frame.set_index("day"),
    "periods": lambda frame: frame.assign(day=frame["day"].dt.to_period("D")).set_index(["shop", "day"]),
    "time zone": lambda frame: frame.assign(day=frame["day"].dt.tz_localize("Europe/Berlin")),
}


@pytest.mark.parametrize("name", INDEXES_OF_SERIES)
def test_forecasts_stand_beside_the_rows_to_come(name: str, of_series: Path) -> None:
    frame = INDEXES_OF_SERIES[name](coming())
    outputs = Study.open("demo", of_series).predict(frame)
    plain = Study.open("demo", of_series).predict(coming()).set_index(["shop", "day"])["prediction"]
    assert outputs.index.equals(frame.index)
    asked = frame.reset_index()
    times = pd.DatetimeIndex([pd.Timestamp(str(day)[:10]) for day in asked["day"]])
    wanted = plain.loc[list(zip(asked["shop"], times, strict=True))]
    np.testing.assert_array_equal(outputs["prediction"], wanted)
    assert (outputs["prediction"].to_numpy() > 500).tolist() == (asked["shop"] == "south").tolist()


def test_forecasts_without_a_row_have_labels_of_their_own(of_series: Path) -> None:
    latest = days().query("day > '2024-07-01'")
    outputs = Study.open("demo", of_series).predict(latest)
    assert not set(outputs.index) & set(latest.index)
    by_time = Study.open("demo", of_series).predict(latest.set_index(["shop", "day"]))
    assert by_time.index.tolist() == list(zip(outputs["shop"], outputs["day"], strict=True))


# -- the command -----------------------------------------------------------------------------------


def predict(storage: Path, rows: Path, out: Path) -> pd.DataFrame:
    words = ["predict", "demo", str(rows), "-o", str(out), "--storage", str(storage)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return pd.read_csv(out)


def test_the_file_keeps_identifiers_and_the_order(
    storage: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    frame = table().assign(remark="new").sample(frac=1, random_state=5)
    frame.to_csv(tmp_path / "new.csv", index=False)
    outputs = predict(storage, tmp_path / "new.csv", tmp_path / "out.csv")
    assert list(outputs.columns) == ["name", "remark", "prediction"]
    assert outputs["name"].tolist() == frame["name"].tolist()
    np.testing.assert_allclose(outputs["prediction"], expected[frame.index])


def test_rows_without_a_value_have_a_line(storage: Path, tmp_path: Path) -> None:
    frame = table().iloc[:4]
    frame.loc[1, [" x ", "kind"]] = None
    frame.to_csv(tmp_path / "new.csv", index=False)
    outputs = predict(storage, tmp_path / "new.csv", tmp_path / "out.csv")
    assert outputs["name"].tolist() == frame["name"].tolist()


def test_a_column_with_the_name_of_the_output_is_not_copied(storage: Path, tmp_path: Path) -> None:
    table().assign(prediction=0.0).to_csv(tmp_path / "new.csv", index=False)
    outputs = predict(storage, tmp_path / "new.csv", tmp_path / "out.csv")
    assert list(outputs.columns) == ["name", "prediction"]
    assert outputs["prediction"].abs().max() > 0


def test_one_json_object_is_one_row(storage: Path, expected: np.ndarray, tmp_path: Path) -> None:
    row = table().rename(columns=str.strip).iloc[7].drop("y").to_dict()
    (tmp_path / "row.json").write_text(json.dumps(row))
    outputs = predict(storage, tmp_path / "row.json", tmp_path / "out.csv")
    assert outputs["name"].tolist() == [table()["name"][7]]
    np.testing.assert_allclose(outputs["prediction"], expected[[7]])


def test_rows_to_come_keep_identifiers_also_beyond_the_horizon(of_series: Path, tmp_path: Path) -> None:
    rows = coming(HORIZON + 1)
    rows.to_csv(tmp_path / "coming.csv", index=False)
    outputs = predict(of_series, tmp_path / "coming.csv", tmp_path / "out.csv")
    assert outputs["id"].tolist() == rows["id"].tolist()
    assert outputs["day"].tolist() == rows["day"].dt.strftime("%Y-%m-%d").tolist()
    assert outputs["prediction"].isna().tolist() == [False] * 6 + [True] * 2


def test_identifiers_stay_as_they_are_where_forecasts_have_no_row(of_series: Path, tmp_path: Path) -> None:
    rows = coming(1).assign(ok=[True, False], code=["A1", "B2"])
    rows.to_csv(tmp_path / "coming.csv", index=False)
    predict(of_series, tmp_path / "coming.csv", tmp_path / "out.csv")
    lines = [line.split(",")[:3] for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert lines[0] == ["id", "ok", "code"]
    assert [line for line in lines[1:] if any(line)] == [["3000", "True", "A1"], ["3001", "False", "B2"]]
    assert len(lines) == 1 + 2 * HORIZON


@pytest.mark.parametrize("out", ["new.csv", "./x/../new.csv", "link.csv"])
def test_the_rows_are_not_written_over(out: str, storage: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    table().to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "link.csv").symlink_to(tmp_path / "new.csv")
    before = (tmp_path / "new.csv").read_bytes()
    words = ["predict", "demo", tmp_path / "new.csv", "-o", tmp_path / out, "--storage", storage]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert isinstance(result.exception, InputError)
    assert "would take the place of the rows in that file" in str(result.exception)
    assert (tmp_path / "new.csv").read_bytes() == before


def test_the_data_of_the_study_are_not_written_over(storage: Path) -> None:
    data = storage.parent / "rows.csv"
    before = data.read_bytes()
    result = CliRunner().invoke(
        app, ["predict", "demo", str(data), "-o", str(data), "--storage", str(storage)]
    )
    assert isinstance(result.exception, InputError)
    assert data.read_bytes() == before


def test_an_output_that_cannot_be_written_leaves_what_was_there(storage: Path, tmp_path: Path) -> None:
    frame = table().assign(mixed=[1, "a"] * 60)
    frame.to_json(tmp_path / "new.json", orient="records")
    (tmp_path / "out.parquet").write_text("before")
    words = ["predict", "demo", tmp_path / "new.json", "-o", tmp_path / "out.parquet", "--storage", storage]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert isinstance(result.exception, InputError)
    assert "out.csv" in str(result.exception)
    assert (tmp_path / "out.parquet").read_text() == "before"
    assert not list(tmp_path.glob(".*"))


# -- frames to train on ----------------------------------------------------------------------------


@pytest.fixture
def taken_up(monkeypatch: pytest.MonkeyPatch) -> list[PreparedStudy]:
    """Studies that would be run."""
    studies: list[PreparedStudy] = []

    def take_up(study: PreparedStudy, *_: object, **__: object) -> Outcome:
        studies.append(study)
        return Outcome(Leaderboard("demo", "regression", "rmse", Direction.MINIMIZE, ()), False)

    monkeypatch.setattr("tuning.study._study.run_study", take_up)
    return studies


@pytest.mark.parametrize("kind", ["named", "unnamed", "periods", "two levels", "time zone"])
def test_an_index_that_is_the_time_is_not_lost(
    kind: str, taken_up: list[PreparedStudy], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = days().query("shop == 'north'").drop(columns="shop").set_index("day")
    if kind == "unnamed":
        frame = frame.rename_axis(None)
    if kind == "periods":
        frame = frame.to_period("D")
    if kind == "time zone":
        frame = frame.tz_localize("Europe/Berlin")
    if kind == "two levels":
        frame = days().set_index(["shop", "day"])
    series = {"series": "shop"} if kind == "two levels" else {}
    Study(
        "demo", data=frame, target="units", time="day", horizon=HORIZON, models="naive", storage=tmp_path,
        quiet=True, **series,
    ).run()  # fmt: skip
    (study,) = taken_up
    valid = study.data.folds[0].valid.windows
    assert valid is not None
    assert pd.DatetimeIndex(valid.panel.times)[0] == pd.Timestamp("2024-01-01")
    assert "The index is read as the column 'day'" in caplog.text


def test_an_index_with_a_name_is_a_feature(
    taken_up: list[PreparedStudy], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = table().set_index("kind")
    Study("demo", data=frame, target="y", models=PROBE, storage=tmp_path, quiet=True).run()
    assert "kind" in taken_up[0].data.folds[0].schema.categorical
    assert "The index is read as the column 'kind'" in caplog.text


@pytest.mark.parametrize("target", [2, "2", " 2", np.int64(2)])
def test_the_target_may_be_a_label_of_the_frame(
    target: Any, taken_up: list[PreparedStudy], tmp_path: Path
) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)))
    Study("demo", data=frame, target=target, models=PROBE, storage=tmp_path, quiet=True).run()
    assert set(taken_up[0].data.roles) == {"0", "1"}


@pytest.mark.parametrize("name", [3, " padded ", ("a", "b")])
def test_names_of_columns_are_the_same_in_training_and_prediction(
    name: Any, taken_up: list[PreparedStudy], tmp_path: Path
) -> None:
    frame = table()[[" x ", "y"]]
    frame.columns = pd.Index([name, "y"], tupleize_cols=False)
    Study("demo", data=frame, target="y", models=PROBE, storage=tmp_path, quiet=True).run()
    transform = taken_up[0].data.folds[0].transform
    (feature,) = transform.wanted.features
    assert feature == {3: "3", " padded ": "padded"}.get(name, "a.b")
