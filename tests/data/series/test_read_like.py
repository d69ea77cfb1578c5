from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tests.data.series.reading import covariate, of_times, read
from tuning.data.series import SeriesColumns, SeriesReading, read_like
from tuning.errors import DataError

N = 12
DAYS = pd.date_range("2020-01-25", periods=N)


def training_frame() -> pd.DataFrame:
    kinds = ["sun", "rain", "fog"] * 4
    wave = [f"{value:.2f}".replace(".", ",") for value in np.sin(np.arange(N))]
    return of_times(DAYS.strftime("%d-%m-%Y"), w=kinds, x=wave, s="a")


def trained() -> SeriesReading:
    return read(training_frame(), series="s", roles={"w": "known"})


def refused(frame: pd.DataFrame) -> str:
    with pytest.raises(DataError) as error:
        read_like(frame, trained().spec)
    return str(error.value)


def test_the_spec_is_plain_values() -> None:
    spec = trained().spec
    assert SeriesColumns.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_future_rows_have_no_target() -> None:
    days = pd.date_range("2020-03-01", periods=5).strftime("%d-%m-%Y")  # day and month may be exchanged here
    frame = pd.DataFrame(
        {
            "t": days,
            "w": ["rain", "hail", "sun", None, "sun"],
            "x": ["0,5", "1,5", None, None, None],
            "s": "new",
        }
    )
    frame["y"] = [3.0, 4.0, 5.0, None, None]
    history = read_like(frame, trained().spec)
    assert history.names == ("new",)
    assert history.times.equals(pd.date_range("2020-03-01", periods=5).as_unit("us"))
    assert np.array_equal(history.target, [[3, 4, 5, np.nan, np.nan]], equal_nan=True)
    assert [one.name for one in history.covariates] == ["w=fog", "w=rain", "w=sun", "x"]
    assert np.array_equal(covariate(history, "w=sun").values, [[0, 0, 1, np.nan, 1]], equal_nan=True)
    assert np.array_equal(covariate(history, "w=rain").values, [[1, 0, 0, np.nan, 0]], equal_nan=True)
    assert np.array_equal(
        covariate(history, "x").values, [[0.5, 1.5, np.nan, np.nan, np.nan]], equal_nan=True
    )


def test_a_few_rows_are_enough() -> None:
    assert read_like(training_frame().iloc[[3]], trained().spec).target.shape == (1, 1)
    same = training_frame().assign(y=7.0)
    assert (read_like(same, trained().spec).target == 7).all()


@pytest.mark.parametrize("name", ["t", "s", "w", "x"])
def test_a_column_that_is_missing(name: str) -> None:
    message = refused(training_frame().drop(columns=name))
    assert message == f"The table lacks the column {name!r}, which the model was trained on."


def test_columns_not_seen_in_training_do_not_count() -> None:
    history = read_like(training_frame().assign(extra=1.0), trained().spec)
    assert len(history.covariates) == 4


def test_a_table_without_any_target_is_the_time_to_forecast() -> None:
    history = read_like(training_frame().assign(y=None), trained().spec)
    assert np.isnan(history.target).all()
    assert (history.rows >= 0).any()


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            pd.date_range("2020-01-01", periods=N, freq="W-FRI"),
            "data.time: the times of this file are W-FRI apart, the model was trained on steps of D: give "
            "a row for each of them.",
        ),
        (
            pd.date_range("2020-01-01", periods=N, freq="h"),
            "data.time: row 3 (2020-01-01 01:00:00) is off the steps of D that the model was trained on: "
            "give the rows at those times.",
        ),
    ],
)
def test_another_frequency(times: pd.DatetimeIndex, message: str) -> None:
    assert refused(training_frame().assign(t=times)) == message


def test_a_time_in_another_format() -> None:
    message = refused(training_frame().assign(t=DAYS.strftime("%Y/%m/%d")))
    assert "row 2 has '2020/01/25' in 't', which is not a time" in message


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [0, 1, 1]])
def test_no_empty_line_is_told_of_a_later_file(order: list[int], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        read_like(training_frame().iloc[order], trained().spec)
    assert all(record.getMessage() for record in caplog.records)
