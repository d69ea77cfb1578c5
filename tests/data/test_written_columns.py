"""Columns of text that are numbers or dates, in tables and series: what is read, told, and read later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.data.series import reading
from tuning.data import ColumnRole, DataConfig, PreparedData, SplitConfig, TargetConfig, prepare
from tuning.data._columns import ColumnSpec
from tuning.data.series import SeriesColumns, read_like
from tuning.errors import DataError

N = 120
AMOUNTS = np.arange(N) * 12.5 + 1000


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def prepared(column: Any, *, split: dict[str, Any] | None = None, **data: Any) -> PreparedData:
    """Prepare a table of one plain feature, the column under test, and a target."""
    frame = pd.DataFrame({"plain": np.arange(N) % 7 + 0.5, "x": list(column), "y": np.arange(N) * 1.5})
    config = DataConfig.model_validate({"path": "t.csv", "target": "y", **data})
    return prepare(frame, config, TargetConfig(), SplitConfig.model_validate(split or {}), None, seed=0)


def read_later(data: PreparedData, values: list[Any]) -> list[float]:
    """The first number that the column under test becomes in a later file."""
    fold = data.folds[0]
    table = fold.transform.apply(pd.DataFrame({"plain": 0.5, "x": values}))
    place = next(k for k, name in enumerate(fold.schema.numeric) if name.split(".")[0] == "x")
    return [float(value) for value in table.numeric[:, place]]


def note_of(data: PreparedData, name: str = "'x'") -> str:
    return next((note for note in data.notes if name in note), "")


@pytest.mark.parametrize(
    ("write", "later", "number"),
    [
        (german, "2.500", 2500),
        (lambda value: f"{value:.1f} kg".replace(".", ","), "1.250,5 kg", 1250.5),
        (lambda value: f"({value:,.0f})", "(2,500)", -2500),
        (lambda value: f"\u2212{value}", "\u22127", -7),
        (lambda value: f"\u20ac {value:,.2f}", "\u20ac 2,500.00", 2500),
        (lambda value: f"{value / 100:.1f} %", "7 %", 7),
    ],
)
def test_numbers_keep_the_form_of_training(write: Any, later: str, number: float) -> None:
    data = prepared(map(write, AMOUNTS))
    assert data.roles["x"] is ColumnRole.NUMERIC
    assert "read as numbers from text" in note_of(data)
    assert read_later(data, [later, "?", "2,5 lb"]) == pytest.approx([number, np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize("given", [True, False])
def test_the_decimal_sign_that_is_set_is_the_one_that_is_read(given: bool) -> None:
    doubtful = [f"{k % 9 + 1},{k:03d}" for k in range(N)]
    assert "set data.decimal_comma=true" in note_of(prepared(doubtful))
    assert read_later(prepared(doubtful, decimal_comma=given), ["1,500"]) == [1.5 if given else 1500]


@pytest.mark.parametrize(("day_first", "month"), [(None, 2.0), (True, 2.0), (False, 1.0)])
def test_the_order_of_day_and_month_that_is_set_is_the_one_that_is_read(
    day_first: bool | None, month: float
) -> None:
    doubtful = [f"{k % 12 + 1:02}/{k % 11 + 1:02}/{2000 + k}" for k in range(N)]
    data = prepared(doubtful, day_first=day_first)
    asks = "set data.day_first=false if it is" in note_of(data)
    assert asks is (day_first is None)
    frame = pd.DataFrame({"plain": 0.5, "x": ["01/02/2024"]})
    names = data.folds[0].schema.numeric
    assert data.folds[0].transform.apply(frame).numeric[0, names.index("x.month")] == month


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["5 kg", "300 g"] * 60, "its numbers have several units ('kg', 'g')"),
        (["5", "7", "about 8"] * 40, "% of its values are numbers, as 'about 8' is not a number"),
        (["1 000", "12", "<5"] * 40, "as '<5' is not a number"),
        (["10K", "700"] * 60, "is not a number"),
        (["2024-01-31", "2024-02-01", "in spring"] * 40, "% of its values are dates, as 'in spring' is no"),
    ],
)
def test_a_column_that_is_nearly_numbers_or_dates_is_named(column: list[str], words: str) -> None:
    data = prepared(column)
    assert words in note_of(data)
    assert "--set data.roles.x=categorical" in note_of(data)

    told = prepared(column, roles={"x": "categorical"})
    assert note_of(told) == ""


@pytest.mark.parametrize(
    "column",
    [
        ["red", "blue"] * 60,
        ["A7", "B8", "12"] * 40,
        ["1.2.10", "3.4"] * 60,
        ["7 UP", "3M", "Fanta", "Nestea", "Sprite"] * 24,
    ],
)
def test_a_column_of_labels_is_not(column: list[str]) -> None:
    assert "though" not in note_of(prepared(column))


def test_what_is_no_number_is_counted_with_an_example() -> None:
    column = [german(value) for value in AMOUNTS]
    column[5::40] = ["on request"] * len(column[5::40])
    note = note_of(prepared(column))
    assert "as missing ('on request')" in note
    assert "with decimal commas" in note


@pytest.mark.parametrize("unit", ["kg", "\u20ac", "%"])
def test_a_target_with_a_unit_is_one_of_numbers(unit: str) -> None:
    frame = pd.DataFrame({"x": np.arange(N) % 7 + 0.5, "y": [f"{german(value)} {unit}" for value in AMOUNTS]})
    config = DataConfig(path="t.csv", target="y")
    data = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0)
    assert data.task == "regression"
    target = np.asarray(data.folds[0].train.target)
    assert set(target) <= set(AMOUNTS)


def test_several_units_are_refused_under_the_role_numeric() -> None:
    with pytest.raises(DataError, match="is not a number, as its numbers have several units"):
        prepared(["5 kg", "300 g"] * 60, roles={"x": "numeric"})


@pytest.mark.parametrize(("day_first", "months"), [(True, {"10"}), (False, {"11", "12"})])
def test_a_split_by_time_keeps_to_the_order_that_is_set(day_first: bool, months: set[str]) -> None:
    column = [f"{k % 12 + 1:02}/{k // 12 + 1:02}/2024" for k in range(N)]  # both orders fit
    data = prepared(column, split={"method": "time", "column": "x", "test": 0.1}, day_first=day_first)
    tests = data.splits.query("part == 'test'")["row"].to_numpy()
    assert {column[row].split("/")[1 if day_first else 0] for row in tests} == months


def test_a_column_of_a_study_of_before_is_read() -> None:
    before = {**ColumnSpec("x", ColumnRole.NUMERIC).to_json(), "decimal_comma": True, "format": "%d/%m/%Y"}
    del before["number"], before["date"]
    spec = ColumnSpec.from_json(before)
    assert spec.numbers(pd.Series(["1,5"])).tolist() == [[1.5]]
    assert str(spec.date.read(pd.Series(["31/01/2024"]))[0]).startswith("2024-01-31")
    assert ColumnSpec.from_json(spec.to_json()) == spec


# -- series ----------------------------------------------------------------------------------------

DAYS = pd.date_range("2024-01-01", periods=40)


def test_targets_and_covariates_of_series_keep_their_form() -> None:
    amounts = AMOUNTS[:40]
    frame = pd.DataFrame({"t": DAYS, "y": map(german, amounts), "w": [f"{value} kg" for value in amounts]})
    found = reading.read(frame)
    assert found.history.target[0].tolist() == amounts.tolist()
    assert "The target 'y' is read as numbers with decimal commas ('1.000,00' is 1000)." in found.notes
    assert any("read as numbers in 'kg'" in note for note in found.notes)

    again = SeriesColumns.from_json(found.spec.to_json())
    later = read_like(frame.assign(y="2.500", w="7 kg").iloc[-3:], again)
    assert (later.target == 2500).all()
    assert (reading.covariate(later, "w").values == 7).all()


def test_a_covariate_of_several_units_is_named() -> None:
    frame = pd.DataFrame({"t": DAYS, "y": AMOUNTS[:40], "w": ["5 kg", "300 g"] * 20})
    notes = reading.read(frame).notes
    assert any("though 50% are numbers, as its numbers have several units" in note for note in notes)


def test_series_of_a_study_of_before_are_read() -> None:
    frame = pd.DataFrame({"t": DAYS, "y": map(german, AMOUNTS[:40])})
    state = reading.read(frame).spec.to_json()
    state["decimal_comma"] = state.pop("number")["decimal_comma"]
    assert (read_like(frame, SeriesColumns.from_json(state)).target[0] == AMOUNTS[:40]).all()
