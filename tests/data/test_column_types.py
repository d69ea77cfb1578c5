"""Types are learnt in training and hold for every later file, frame and row."""

from __future__ import annotations

import json
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.data.tables import codes, csv_of, from_csv, learnt, numbers, targets, transform
from tuning.data import PreparedData, TableTransform, read_frame

N = 120


def repeated(*values: Any) -> list[Any]:
    return list(islice(cycle(values), N))


def trained(folder: Path, *values: Any, **data: Any) -> PreparedData:
    """Data with a column x of such values, repeated."""
    return learnt(from_csv(folder, csv_of(x=repeated(*values), y=targets(N))), **data)


@pytest.mark.parametrize(
    ("levels", "later"),
    [
        (("0012", "0345", "A7"), ("0012", "0345")),  # without A7 a column of whole numbers
        (("1.10", "1.2", "beta"), ("1.10", "1.2")),
        (("01", "02", "03"), ("01", "03")),
        (("TRUE", "FALSE", "maybe"), ("TRUE", "FALSE")),
        (("2024-01-01", "2024-02-01", "never"), ("2024-01-01",)),
        (("12345678901234567", "12345678901234568", "12345678901234569"), ("12345678901234568",)),
        (("12345678901234567890", "12345678901234567891", "98765432109876543210"), ("12345678901234567891",)),
    ],
)
def test_labels_of_a_file_that_lacks_some(
    tmp_path: Path, levels: tuple[str, ...], later: tuple[str, ...]
) -> None:
    data = trained(tmp_path, *levels)
    assert transform(data).levels == (tuple(sorted(levels)),)
    assert codes(data, from_csv(tmp_path, csv_of(x=later))) == list(later)
    assert codes(data, pd.DataFrame({"x": list(later)})) == list(later)


def test_a_code_is_not_the_number_that_it_looks_like(tmp_path: Path) -> None:
    data = trained(tmp_path, "0012", "12", "A7")
    rows = from_csv(tmp_path, csv_of(x=["0012", "12", "012"]))
    assert codes(data, rows) == ["0012", "12", None]


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"x": [12, 7]}),
        pd.DataFrame({"x": [12.0, 7.0]}),
        pd.DataFrame({"x": ["12", "7.0"]}),
        pd.DataFrame({"x": pd.array([12, 7], dtype="Int64")}),
        pd.DataFrame({"x": pd.Categorical([12, 7])}),
        pd.DataFrame({"x": [12, "7"]}, dtype=object),
    ],
)
def test_labels_learnt_as_whole_numbers_are_one_however_they_come(tmp_path: Path, rows: pd.DataFrame) -> None:
    data = trained(tmp_path, 12, 7, 30, roles={"x": "categorical"})
    assert codes(data, rows) == ["12", "7"]


def test_labels_of_a_parquet_file_are_read_from_a_csv_file(tmp_path: Path) -> None:
    pd.DataFrame({"x": repeated(True, False), "y": targets(N)}).to_parquet(tmp_path / "t.parquet")
    data = learnt(read_frame(tmp_path / "t.parquet"), roles={"x": "categorical"})
    assert codes(data, from_csv(tmp_path, "x\ntrue\nFALSE\n")) == ["True", "False"]


def test_truth_values_of_a_file_are_read_from_a_frame(tmp_path: Path) -> None:
    data = trained(tmp_path, "TRUE", "FALSE", roles={"x": "categorical"})
    assert codes(data, pd.DataFrame({"x": [True, False]})) == ["TRUE", "FALSE"]


@pytest.mark.parametrize(
    ("values", "later", "wanted"),
    [
        (("1.234,5", "0,5", "2,25"), ("2.500", "3"), [2500.0, 3.0]),
        (("1.5", "2500.25", "-3"), ("2.500", "3"), [2.5, 3.0]),
        (("1", "2", "30"), ("007", "3.0"), [7.0, 3.0]),
        (("TRUE", "FALSE"), ("FALSE", "TRUE"), [0.0, 1.0]),
        (("yes", "no"), ("no", "no"), [0.0, 0.0]),
    ],
)
def test_numbers_are_read_by_the_form_of_training(
    tmp_path: Path, values: tuple[str, ...], later: tuple[str, ...], wanted: list[float]
) -> None:
    data = trained(tmp_path, *values)
    assert numbers(data, from_csv(tmp_path, csv_of(x=later))) == wanted


def test_dates_are_read_by_the_form_of_training(tmp_path: Path) -> None:
    data = trained(tmp_path, *(f"{day:02d}/02/2024" for day in range(1, 29)))
    fitted = transform(data)
    days = fitted.columns[0].parts.index("day")
    rows = from_csv(tmp_path, csv_of(x=["03/02/2024", "05/02/2024"]))
    assert fitted.columns[0].numbers(rows["x"])[:, days].tolist() == [3.0, 5.0]


def test_decimal_commas_that_the_user_gave_hold_where_all_could_be_points(tmp_path: Path) -> None:
    data = trained(tmp_path, "1.234", "2.500", "7.125", decimal_comma=True)
    assert numbers(data, from_csv(tmp_path, csv_of(x=["2.500"]))) == [2500.0]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("0012", "7"), ("0012", "7")),
        (("1", "2"), (1, 2)),
        (("TRUE", "FALSE"), ("FALSE", "TRUE")),
        (("True", "False"), (False, True)),
        (("12345678901234567", "12345678901234568"), (12345678901234567, 12345678901234568)),
        (
            ("12345678901234567890", "12345678901234567891"),
            ("12345678901234567890", "12345678901234567891"),
        ),
    ],
)
def test_classes_come_back_as_they_were_written(
    tmp_path: Path, labels: tuple[str, ...], classes: tuple[Any, ...]
) -> None:
    data = learnt(from_csv(tmp_path, csv_of(x=np.arange(N) * 0.5, y=repeated(*labels))))
    assert data.classes == classes
    labelled = transform(data).labels(np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert labelled["prediction"].tolist() == list(classes)


def test_groups_of_long_codes_are_not_rounded_together(tmp_path: Path) -> None:
    groups = [str(12345678901234560 + k % 10) for k in range(N)]
    frame = from_csv(tmp_path, csv_of(g=groups, x=np.arange(N) * 0.5, y=targets(N)))
    data = learnt(frame, roles={"g": "group"})
    parts = data.splits.assign(g=frame["g"].to_numpy()).groupby("g")["part"].nunique()
    assert len(parts) == 10
    assert (parts == 1).all()


def test_whole_numbers_of_records_stay_exact_beside_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 12345678901234567}\n{"id": null}\n{"id": 12345678901234568}\n')
    assert read_frame(path)["id"].dropna().tolist() == [12345678901234567, 12345678901234568]
    path.write_text('{"id": 12345678901234567890}\n{"id": null}\n{"id": 98765432109876543210}\n')
    assert read_frame(path)["id"].dropna().tolist() == [12345678901234567890, 98765432109876543210]


def test_a_transform_kept_before_forms_were_is_read(tmp_path: Path) -> None:
    data = trained(tmp_path, 12, 7, 30, roles={"x": "categorical"})
    transform(data).save(tmp_path / "kept")
    state = tmp_path / "kept" / "transform.json"
    old = json.loads(state.read_text())
    del old["missing"]
    for column in old["columns"]:
        for name in ("labels", "lost", "missing"):
            del column[name]
    state.write_text(json.dumps(old))
    again = TableTransform.load(tmp_path / "kept")
    rows = from_csv(tmp_path, "x\n12.0\n7\n31\n")
    assert again.apply(rows).categorical[:, 0].tolist() == [0, 2, -1]


def test_what_was_learnt_is_kept(tmp_path: Path) -> None:
    data = trained(tmp_path, "0012", "0345", "A7", missing=["A9"])
    transform(data).save(tmp_path / "kept")
    again = TableTransform.load(tmp_path / "kept")
    assert again.columns == transform(data).columns
    assert again.missing == ("A9",)


def test_a_file_with_quotes_after_spaces_and_uneven_rows(tmp_path: Path) -> None:
    frame = from_csv(tmp_path, 'a, b\n1, "x, y"\n2\n 3 ,"z ""q"""\n')
    assert frame["a"].tolist() == ["1", "2", "3"]
    assert frame["b"].dropna().tolist() == ["x, y", 'z "q"']


@pytest.mark.parametrize("other", ["1E5", "A7", "7E3"])
def test_codes_stay_codes_beside_few_others(tmp_path: Path, other: str) -> None:
    """Nearly all values would be numbers, or all of them, which the zeros before some are not."""
    values = [*repeated("01067", "80331", "10115")[:-2], other, other]
    data = learnt(from_csv(tmp_path, csv_of(x=values, y=targets(N))))
    assert transform(data).levels == (tuple(sorted({"01067", "80331", "10115", other})),)
    assert codes(data, from_csv(tmp_path, csv_of(x=["80331", "01067"]))) == ["80331", "01067"]
    assert codes(data, pd.DataFrame({"x": [80331, 10115]})) == ["80331", "10115"]
