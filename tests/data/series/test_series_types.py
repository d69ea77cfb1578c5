"""Labels and types of series and covariates are learnt in training and hold for every later file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.data.tables import csv_of, from_csv
from tuning.data import DataConfig, SplitConfig, TargetConfig, prepare
from tuning.data.series import SeriesTransform

DAYS = pd.date_range("2024-01-01", periods=90).strftime("%Y-%m-%d")
HORIZON = 2


def of_shops(*names: Any, **columns: Any) -> str:
    """Lines of shops over time, each on a level of its own."""
    parts: dict[str, list[Any]] = {"day": [], "shop": [], "y": [], **{name: [] for name in columns}}
    for place, name in enumerate(names, 1):
        parts["day"] += list(DAYS)
        parts["shop"] += [name] * len(DAYS)
        parts["y"] += [place * 100 + k % 7 for k in range(len(DAYS))]
        for column, values in columns.items():
            parts[column] += [values[k % len(values)] for k in range(len(DAYS))]
    return csv_of(**parts)


def fitted(frame: pd.DataFrame, **data: Any) -> SeriesTransform:
    config = DataConfig(
        **{"path": "t.csv", "target": "y", "time": "day", "series": "shop", "horizon": HORIZON, **data}
    )
    found = prepare(frame, config, TargetConfig(), SplitConfig(), None, 0).folds[0].transform
    assert isinstance(found, SeriesTransform)
    return found


def shops_of(transform: SeriesTransform, frame: pd.DataFrame | None = None) -> list[Any]:
    """The shop of each forecast, as it comes back."""
    table = transform.apply(frame)
    labelled = transform.labels(np.zeros(len(table)), table)
    return list(dict.fromkeys(labelled["shop"].tolist()))


@pytest.mark.parametrize(
    ("names", "back"),
    [
        (("7", "007"), ["7", "007"]),
        (("0012", "0345"), ["0012", "0345"]),
        (("7", "8"), [7, 8]),
        (("12345678901234567", "12345678901234568"), [12345678901234567, 12345678901234568]),
        (
            ("12345678901234567890", "12345678901234567891"),
            ["12345678901234567890", "12345678901234567891"],
        ),
        (("NA", "None"), ["NA", "None"]),
    ],
)
def test_series_are_told_apart_and_named_as_in_the_file(
    tmp_path: Path, names: tuple[str, ...], back: list[Any]
) -> None:
    transform = fitted(from_csv(tmp_path, of_shops(*names)))
    assert transform.history.names == names
    assert shops_of(transform) == back
    later = from_csv(tmp_path, of_shops(names[1]))
    assert shops_of(transform, later) == back[1:]
    assert transform.losses(later) == ()


def test_series_that_are_strings_of_digits_come_back_as_such(tmp_path: Path) -> None:
    frame = from_csv(tmp_path, of_shops("7", "8"))
    frame.astype({"shop": "str", "y": float}).to_parquet(tmp_path / "t.parquet")
    transform = fitted(pd.read_parquet(tmp_path / "t.parquet"))
    assert shops_of(transform) == ["7", "8"]


@pytest.mark.parametrize("shops", [[7, 8], [7.0, 8.0], ["7", "8"]])
def test_series_of_a_frame_of_other_types_are_known(tmp_path: Path, shops: list[Any]) -> None:
    transform = fitted(from_csv(tmp_path, of_shops("7", "8")))
    rows = pd.DataFrame({"day": [DAYS[-1]] * 2, "shop": shops, "y": [1.0, 2.0]})
    assert transform.losses(rows) == ()
    assert shops_of(transform, rows) == [7, 8]


def test_covariates_are_read_by_the_form_of_training(tmp_path: Path) -> None:
    text = of_shops("a", "b", price=["1,5", "2,25", "1.000,5"], kind=["01", "1", "x"])
    transform = fitted(from_csv(tmp_path, text))
    columns = {column.name: column for column in transform.columns.covariates}
    later = from_csv(tmp_path, csv_of(price=["2.500", "3"], kind=["01", "1"]))
    assert columns["price"].read(later["price"])[0].tolist() == [2500.0, 3.0]
    assert columns["kind"].levels == ("01", "1", "x")
    assert [values.tolist() for values in columns["kind"].read(later["kind"])[:2]] == [[1, 0], [0, 1]]


def test_words_for_missing_values_are_told(tmp_path: Path) -> None:
    text = of_shops("NA", "b", kind=["x", "None", "?", "y"], price=["1.5", "NA", "2", "3", "5"])
    config = DataConfig(path="t.csv", target="y", time="day", series="shop", horizon=HORIZON)
    notes = prepare(from_csv(tmp_path, text), config, TargetConfig(), SplitConfig(), None, 0).notes
    assert "Read as missing, as are empty cells: '?' in 'kind'; 'NA' in 'price'." in notes
    assert any(note.startswith("Read as labels of their own: 'NA' in 'shop'; 'None' in") for note in notes)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("kind", ["RED"], "hold a value that training did not have, as 'RED'"),
        ("price", ["cheap"], "hold a value that is no number"),
        ("open", ["ja"], "hold a value that is neither true nor false"),
    ],
)
def test_what_is_lost_of_covariates_is_counted(
    tmp_path: Path, column: str, values: list[str], words: str
) -> None:
    usual = {"kind": ["red", "blue", "green"], "price": ["1,5", "2,25"], "open": ["yes", "no", "yes"]}
    transform = fitted(from_csv(tmp_path, of_shops("a", "b", **usual)))
    assert not any(loss.is_notable for loss in transform.losses(from_csv(tmp_path, of_shops("a", **usual))))
    changed = from_csv(tmp_path, of_shops("a", **{**usual, column: values}))
    (loss,) = [loss for loss in transform.losses(changed) if loss.is_notable]
    assert loss.is_fatal
    assert words in str(loss)


def test_series_that_training_did_not_have(tmp_path: Path) -> None:
    transform = fitted(from_csv(tmp_path, of_shops("0012", "0345")))
    (loss,) = transform.losses(from_csv(tmp_path, of_shops("12", "0345")))
    assert str(loss) == "column 'shop': 50% of 2 series hold a label that training did not have, as '12'"
    assert not loss.is_fatal
    many = pd.DataFrame({"day": [DAYS[0]] * 12, "shop": [str(k) for k in range(12)], "y": [1.0] * 12})
    assert transform.losses(many)[0].is_fatal


def test_times_of_whole_numbers_are_read_alike_later(tmp_path: Path) -> None:
    digits = [day.replace("-", "") for day in DAYS]
    transform = fitted(from_csv(tmp_path, csv_of(day=digits, y=range(90))), series=())
    later = from_csv(tmp_path, csv_of(day=["20240331"], y=[5]))
    table = transform.apply(later)
    assert transform.labels(np.zeros(len(table)), table)["day"].tolist() == [
        pd.Timestamp("2024-04-01"),
        pd.Timestamp("2024-04-02"),
    ]
