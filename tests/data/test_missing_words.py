"""Words for missing values: one rule, told at the start, with a setting."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.data.tables import codes, csv_of, from_csv, learnt, numbers, targets, transform
from tuning.config import validate_config
from tuning.data import PreparedData, read_frame
from tuning.errors import DataError

N = 120


def repeated(*values: Any) -> list[Any]:
    return list(islice(cycle(values), N))


def trained(folder: Path, *values: Any, **data: Any) -> PreparedData:
    return learnt(from_csv(folder, csv_of(x=repeated(*values), y=targets(N))), **data)


def note(data: PreparedData, start: str) -> str:
    return next((note for note in data.notes if note.startswith(start)), "")


@pytest.mark.parametrize("words", [("NA", "Null", "Nan", "None"), ("None", "null"), ("NULL", "na")])
def test_words_that_may_be_names_are_labels_of_their_own(tmp_path: Path, words: tuple[str, ...]) -> None:
    data = trained(tmp_path, "EU", "", *words)
    assert transform(data).levels == (tuple(sorted(["EU", *words])),)
    assert codes(data, from_csv(tmp_path, csv_of(x=words))) == list(words)
    said = note(data, "Read as labels of their own")
    assert all(repr(word) in said for word in words)
    assert f"--set data.missing={','.join(sorted(words))} reads them as missing" in said


def test_marks_of_programs_are_missing_among_labels_and_told(tmp_path: Path) -> None:
    data = trained(tmp_path, "a", "b", "?", "N/A")
    assert transform(data).levels == (("a", "b"),)
    assert note(data, "Read as missing") == "Read as missing, as are empty cells: '?', 'N/A' in 'x'."


@pytest.mark.parametrize(
    ("values", "later"),
    [(("1.5", "2", "NA", "None"), "2"), (("1,5", "2,25", "null"), "2"), (("yes", "no", "NA"), "yes")],
)
def test_words_are_missing_among_numbers_and_truth_values(
    tmp_path: Path, values: tuple[str, ...], later: str
) -> None:
    data = trained(tmp_path, *values)
    assert note(data, "Read as missing")
    read = numbers(data, from_csv(tmp_path, csv_of(x=[later, "NA", "None"])))
    assert np.isnan(read).tolist() == [False, True, True]


def test_words_are_missing_among_dates(tmp_path: Path) -> None:
    data = trained(tmp_path, *(f"2024-01-{day:02d}" for day in range(1, 20)), "NA", "None")
    assert data.roles["x"] == "datetime"


def test_the_words_that_the_user_gave(tmp_path: Path) -> None:
    data = trained(tmp_path, "EU", "NA", "gone", "?", missing=["NA", "gone"])
    assert transform(data).levels == (("?", "EU"),)
    assert codes(data, from_csv(tmp_path, csv_of(x=["EU", "NA", "?"]))) == ["EU", None, "?"]
    assert transform(trained(tmp_path, "EU", "?", missing=[])).levels == (("?", "EU"),)


def test_a_number_that_stands_for_a_missing_one(tmp_path: Path) -> None:
    data = trained(tmp_path, "1.5", "-999", "3", missing=["-999"])
    assert np.isnan(numbers(data, from_csv(tmp_path, csv_of(x=["-999", "2"])))).tolist() == [True, False]
    assert np.isnan(numbers(data, pd.DataFrame({"x": [-999, 2]}))).tolist() == [True, False]


@pytest.mark.parametrize(
    ("given", "words"),
    [("NA,Null", ("NA", "Null")), ([None, -999], ("null", "-999")), (-999, ("-999",)), ([], ())],
)
def test_the_setting_as_it_is_typed(given: Any, words: tuple[str, ...]) -> None:
    raw = {"name": "s", "data": {"path": "t.csv", "target": "y", "missing": given}}
    assert validate_config(raw, "test").data.missing == words


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_class_that_may_be_missing_is_told(tmp_path: Path, kind: str) -> None:
    text = csv_of(x=np.arange(N) * 0.5, y=repeated("None", "mild", "severe"))
    frame = from_csv(tmp_path, text)
    if kind == "parquet":
        frame.astype({"x": float, "y": "str"}).to_parquet(tmp_path / "t.parquet")
        frame = read_frame(tmp_path / "t.parquet")
    data = learnt(frame)
    assert data.classes == ("None", "mild", "severe")
    assert "give --set data.missing=None" in note(data, "The target 'y' has the class 'None'")


def test_a_target_that_is_missing_by_a_word(tmp_path: Path) -> None:
    frame = from_csv(tmp_path, csv_of(x=np.arange(N) * 0.5, y=["NA", *targets(N - 1)]))
    with pytest.raises(DataError, match="missing in 1 of 120 rows"):
        learnt(frame)
    assert len(learnt(frame, drop_missing_target=True).splits) == N - 1
    frame = from_csv(tmp_path, csv_of(x=np.arange(N) * 0.5, y=["unknown", *repeated("a", "b")[1:]]))
    with pytest.raises(DataError, match="missing in 1 of 120 rows"):
        learnt(frame, missing=["unknown"])


def test_parquet_has_a_missing_value_of_its_own(tmp_path: Path) -> None:
    pd.DataFrame({"x": repeated("nan", "?", None, "EU"), "y": targets(N)}).to_parquet(tmp_path / "t.parquet")
    data = learnt(read_frame(tmp_path / "t.parquet"))
    assert transform(data).levels == (("?", "EU", "nan"),)
    assert note(data, "Read as labels of their own")
