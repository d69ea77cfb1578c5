"""What of new rows is not understood is counted against training, said, and refused where all is lost."""

from __future__ import annotations

import logging
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.data.tables import csv_of, from_csv, learnt, targets, transform
from tuning.data import PreparedData, TableTransform, check_losses
from tuning.errors import DataError

N = 200
DAYS = [f"{day:02d}/{month:02d}/2024" for month in range(1, 8) for day in range(1, 29)]


def repeated(*values: Any, n: int = N) -> list[Any]:
    return list(islice(cycle(values), n))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    columns = {
        "colour": repeated("red", "green", "blue"),
        "price": repeated("1,5", "2,25", "1.000,5"),
        "day": repeated(*DAYS),
        "sold": repeated("yes", "no"),
        "size": repeated(1.5, "", 2.5, 3.5),
        "y": targets(N),
    }
    return learnt(from_csv(tmp_path_factory.mktemp("losses"), csv_of(**columns)))


def rows(folder: Path, n: int = 40, **changed: list[Any]) -> pd.DataFrame:
    columns = {
        "colour": repeated("red", "green", n=n),
        "price": repeated("1,5", "2,25", n=n),
        "day": repeated(*DAYS, n=n),
        "sold": repeated("yes", "no", n=n),
        "size": repeated(1.5, "", 2.5, 3.5, n=n),
    }
    return from_csv(folder, csv_of(**{**columns, **changed}))


def said(caplog: pytest.LogCaptureFixture, data: PreparedData, frame: pd.DataFrame) -> list[str]:
    """The warnings on rows that are not refused."""
    with caplog.at_level(logging.WARNING):
        check_losses(transform(data).losses(frame), allow_unknown=False)
    return [record.getMessage() for record in caplog.records]


def test_rows_like_those_of_training_are_read_without_a_word(
    tmp_path: Path, data: PreparedData, caplog: pytest.LogCaptureFixture
) -> None:
    assert said(caplog, data, rows(tmp_path)) == []


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("colour", repeated("RED", n=40), "hold a value that training did not have, as 'RED'"),
        ("price", repeated("1.50 EUR/kg", n=40), "is no number of the form that training had"),
        ("day", repeated("2024-01-31", n=40), "is no date of the form that training had, as '2024-01-31'"),
        ("sold", repeated("ja", n=40), "is neither true nor false, as 'ja'"),
        ("size", repeated("", n=40), "100% of 40 rows have no value (26% in training)"),
    ],
)
def test_a_column_that_is_lost_is_refused(
    tmp_path: Path, data: PreparedData, caplog: pytest.LogCaptureFixture, column: str, values: Any, words: str
) -> None:
    frame = rows(tmp_path, **{column: values})
    losses = transform(data).losses(frame)
    with pytest.raises(DataError) as refused:
        check_losses(losses, allow_unknown=False)
    message = str(refused.value)
    assert f"column {column!r}: 100% of 40 rows" in message
    assert words in message
    assert "--allow-unknown (allow_unknown=True in Python)" in message

    with caplog.at_level(logging.WARNING):
        check_losses(losses, allow_unknown=True)
    assert [
        record.getMessage().startswith(f"Not understood: column {column!r}") for record in caplog.records
    ] == [True]


@pytest.mark.parametrize(
    ("column", "values", "shown"),
    [
        ("colour", repeated("red", "red", "Red", n=40), "32% of 40 rows hold a value that training did not"),
        ("price", repeated("1,5", "-", "2,5", "x", n=40), "25% of 40 rows hold a value that is no number"),
        ("size", repeated("", "2.5", n=40), "50% of 40 rows have no value (26% in training)"),
    ],
)
def test_a_tenth_more_than_in_training_is_said(
    tmp_path: Path,
    data: PreparedData,
    caplog: pytest.LogCaptureFixture,
    column: str,
    values: Any,
    shown: str,
) -> None:
    (line,) = said(caplog, data, rows(tmp_path, **{column: values}))
    assert shown in line


def test_few_rows_are_not_refused_and_their_gaps_are_not_said(
    tmp_path: Path, data: PreparedData, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = said(caplog, data, rows(tmp_path, n=1, colour=["RED"], size=[""]))
    assert line.startswith("Not understood: column 'colour': 100% of 1 rows")


def test_new_labels_are_expected_where_training_held_many_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rare = [f"shop {k}" if k % 2 else "main" for k in range(N)]
    text = csv_of(shop=rare, y=targets(N))
    few = learnt(from_csv(tmp_path, text), roles={"shop": "categorical"})
    new = from_csv(tmp_path, csv_of(shop=[f"new {k}" if k % 2 else "main" for k in range(40)]))
    assert said(caplog, few, new) == []


def test_what_training_lost_is_kept(tmp_path: Path, data: PreparedData) -> None:
    transform(data).save(tmp_path / "kept")
    again = TableTransform.load(tmp_path / "kept")
    frame = rows(tmp_path, size=repeated("", "2.5", n=40))
    assert again.losses(frame) == transform(data).losses(frame)


def test_validation_and_test_rows_are_noted_not_refused(tmp_path: Path) -> None:
    parts = repeated(*["train"] * 6, *["valid"] * 2, *["test"] * 2)
    kind = [
        "old" if part == "train" and k % 3 else "older" if part == "train" else "new"
        for k, part in enumerate(parts)
    ]
    frame = from_csv(tmp_path, csv_of(kind=kind, part=parts, x=np.arange(N) * 0.5, y=targets(N)))
    from tuning.data import DataConfig, SplitConfig, SplitMethod, TargetConfig, prepare

    split = SplitConfig(method=SplitMethod.COLUMN, column="part")
    prepared = prepare(frame, DataConfig(path="t.csv", target="y"), TargetConfig(), split, None, 0)
    notes = [note for note in prepared.notes if note.startswith("Rows that ")]
    assert notes == [
        f"Rows that {part}: not understood: column 'kind': 100% of 40 rows hold a value that training did "
        "not have, as 'new'."
        for part in ("validate", "test")
    ]
