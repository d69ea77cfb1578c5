from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.data.series.reading import of_times, read, refusal, times_of

FREQUENCIES = [
    "s",
    "15min",
    "h",
    "2h",
    "D",
    "3D",
    "B",
    "W-MON",
    "W-FRI",
    "2W-SUN",
    "MS",
    "ME",
    "2MS",
    "QS-JAN",
    "QS-FEB",
    "QE-DEC",
    "QE-NOV",
    "6ME",
    "YS-JAN",
    "YS-APR",
    "YE-DEC",
    "5YS-JAN",
]


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_frequency_is_inferred(frequency: str) -> None:
    times = pd.date_range("2019-11-05", periods=30, freq=frequency)
    reading = read(of_times(times))
    assert reading.history.frequency == frequency
    assert reading.history.times.equals(times.as_unit("us"))
    assert reading.history.rows.tolist() == [list(range(30))]
    assert reading.notes == ()


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_gaps_are_cells_without_rows(frequency: str) -> None:
    times = pd.date_range("2019-11-05", periods=40, freq=frequency)
    kept = np.delete(np.arange(40), [5, 6, 20])
    reading = read(of_times(times[kept]))
    assert reading.history.frequency == frequency
    assert reading.history.times.equals(times.as_unit("us"))
    gaps = np.flatnonzero(reading.history.rows[0] < 0)
    assert gaps.tolist() == [5, 6, 20]
    assert np.isnan(reading.history.target[0]).nonzero()[0].tolist() == [5, 6, 20]
    assert reading.notes == (
        f"3 of 40 steps of {frequency} are missing in the file: filled with the last value as inputs, "
        "not scored.",
    )


@pytest.mark.parametrize("given", ["h", "H", "60min"])
def test_frequency_may_be_given(given: str) -> None:
    times = pd.date_range("2020-01-01", periods=10, freq="2h")
    reading = read(of_times(times), frequency=given)
    assert len(reading.history.times) == 19


@pytest.mark.parametrize(
    ("given", "frequency"), [("W", "W-FRI"), ("Q", "QE-NOV"), ("QS", "QS-FEB"), ("Y", "YE-FEB"), ("M", "ME")]
)
def test_an_anchor_that_is_not_given_is_that_of_the_times(given: str, frequency: str) -> None:
    times = pd.date_range("2019-02-05", periods=12, freq=frequency)
    assert read(of_times(times), frequency=given).history.frequency == frequency


@pytest.mark.parametrize("given", ["weekly", "5", "-1D", "0h", "W-XYZ"])
def test_a_name_that_is_no_frequency(given: str) -> None:
    times = pd.date_range("2020-01-01", periods=10)
    assert refusal(of_times(times), frequency=given) == (
        f'data.frequency: {given!r} is no frequency: use one such as "h", "15min", "D", "B" (business days), '
        '"W-FRI", "MS" (month starts), "ME" (month ends), "QS", "YS".'
    )


def test_varying_days_are_month_ends() -> None:
    times = ["2019-12-31", "2020-01-31", "2020-02-28", "2020-03-31", "2020-04-29", "2020-06-30"]
    reading = read(of_times(times))
    assert reading.history.frequency == "ME"
    assert times_of(reading)[2:5] == ["2020-02-29", "2020-03-31", "2020-04-30"]
    assert reading.history.rows.tolist() == [[0, 1, 2, 3, 4, -1, 5]]
    assert reading.notes[0] == "Times are read as steps of ME: 2020-02-28 is 2020-02-29."


def test_months_on_the_fifteenth_are_month_starts() -> None:
    reading = read(of_times(["2020-01-15", "2020-02-15", "2020-03-15", "2020-04-15"]))
    assert times_of(reading) == ["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01"]


def test_every_thirty_days_is_no_month() -> None:
    reading = read(of_times(pd.date_range("2020-01-01", periods=20, freq="30D")))
    assert reading.history.frequency == "30D"


def test_a_time_off_the_steps_is_named() -> None:
    times = list(pd.date_range("2020-01-01", periods=20, freq="h"))
    times[7] += pd.Timedelta("13min")
    assert refusal(of_times(times)) == (
        "data.time: row 9 (2020-01-01 07:13:00) is off the steps of h that most rows keep: correct it, "
        "give the step by --set data.frequency=..., or aggregate the rows to regular steps first."
    )


def test_a_given_frequency_that_the_times_do_not_have() -> None:
    hours = pd.date_range("2020-01-01", periods=20, freq="h")
    assert refusal(of_times(hours), frequency="D") == (
        "data.frequency: row 3 (2020-01-01 01:00:00) is off the steps of D, as are 18 more of 20: the "
        "times fit h, use --set data.frequency=h."
    )
    days = pd.date_range("2020-01-01", periods=20)
    assert refusal(of_times(days), frequency="h") == (
        "data.frequency: 437 of 457 steps of h have no row: the times fit --set data.frequency=D."
    )
    assert refusal(of_times(days), frequency="MS") == (
        "data.frequency: row 2 (2020-01-01) and row 3 (2020-01-02) fall into one step of MS: give a finer "
        "frequency, or aggregate the rows to that step first."
    )


def test_rare_rows_are_to_be_aggregated() -> None:
    bursts = [f"2020-{month:02d}-01 00:0{minute}" for month in range(1, 13) for minute in range(3)]
    message = refusal(of_times(bursts))
    assert "steps of min have no row: aggregate the rows to a coarser step first, such as MS" in message


def test_too_few_times() -> None:
    assert "has 2 distinct times, at least 3 are needed" in refusal(of_times(["2020-01-01", "2020-01-02"]))


def test_more_cells_than_memory() -> None:
    frame = pd.DataFrame(
        {
            "t": ["2000-01-01 00:00:00", "2000-01-01 00:00:01", "2019-01-01", "2019-01-01 00:00:01"],
            "id": ["a", "a", "b", "b"],
            "y": [1.0, 2.0, 3.0, 4.0],
        }
    )
    message = refusal(frame, series="id")
    assert message == (
        "data.time: 2 series of 599,616,002 steps of s are more than the 200,000,000 values that fit in "
        "memory: take fewer series, a shorter time or a coarser step."
    )


def test_series_share_one_grid() -> None:
    times = pd.date_range("2020-01-03", periods=6, freq="W-FRI")
    frame = pd.concat(
        [of_times(times[:4]).assign(s="b"), of_times(times[2:]).assign(s="a")], ignore_index=True
    )
    history = read(frame, series="s").history
    assert history.names == ("b", "a")
    assert history.rows.tolist() == [[0, 1, 2, 3, -1, -1], [-1, -1, 4, 5, 6, 7]]
    assert read(frame, series="s").notes == ()  # steps before and after a series are no gaps


def test_a_time_far_from_all_others_is_named() -> None:
    times = [*pd.date_range("2020-01-01", periods=9), pd.Timestamp("2200-01-10")]
    message = refusal(of_times(times))
    assert message.endswith("row 11 (2200-01-10) lies far from all others, correct or delete it.")


def test_local_days_with_a_time_zone() -> None:
    days = pd.date_range("2020-03-20", periods=20, tz="Europe/Prague")
    assert read(of_times([day.isoformat() for day in days])).history.times[-1] == pd.Timestamp("2020-04-08")

    message = refusal(of_times(days.tz_convert("UTC").strftime("%Y-%m-%dT%H:%MZ")))
    assert "by an hour" in message
    assert message.endswith("as local days are in UTC: give the dates without a time zone.")


def test_days_at_one_time_of_the_day() -> None:
    times = pd.date_range("2020-01-03 09:00", periods=20, freq="B")
    assert read(of_times(times)).history.times.equals(times.as_unit("us"))
