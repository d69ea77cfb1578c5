from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.data.series.reading import from_csv, of_times, read, refusal, times_of, values

DAYS = pd.date_range("2020-01-25", periods=12).strftime("%Y-%m-%d")


def test_series_of_several_columns() -> None:
    frame = pd.DataFrame({"t": list(DAYS) * 4, "y": values(48), "s": np.repeat([1, 1, 2, 2], 12)})
    frame["d"] = np.repeat(["x", "y", "x", " y"], 12)
    history = read(frame, series="s,d").history
    assert history.names == ("1 / x", "1 / y", "2 / x", "2 / y")
    assert history.rows.tolist() == np.arange(48).reshape(4, 12).tolist()
    assert np.array_equal(history.target, values(48).reshape(4, 12))


def test_labels_that_hold_what_joins_them_are_refused() -> None:
    frame = of_times(DAYS, s=["a"] * 12, d=["b", "b / c"] * 6)
    assert refusal(frame, series="s,d") == (
        "data.series: 'b / c' in 'd' holds ' / ', which stands between the columns in names of series: "
        "write it otherwise."
    )
    assert read(of_times(DAYS, d=["b / c"] * 12), series="d").history.names == ("b / c",)


def test_without_series_columns_there_is_one() -> None:
    assert read(of_times(DAYS)).history.names == ("",)


def test_labels_as_numbers_and_as_text_are_one_series() -> None:
    frame = of_times(DAYS, s=["a", " a"] * 6)
    assert read(frame, series="s").history.names == ("a",)


def test_a_missing_series_label() -> None:
    frame = of_times(DAYS, s=["a"] * 5 + [None] + ["a"] * 6)
    assert refusal(frame, series="s") == (
        "data.series: row 7 has no value in 's', so that its series is not known: add it, or delete the row."
    )


def test_rows_of_one_time_are_told_apart_by_a_column() -> None:
    frame = pd.DataFrame({"t": list(DAYS) * 2, "y": values(24), "x": values(24)})
    frame["Store"] = np.repeat([1, 2], 12)
    assert refusal(frame) == (
        "data.time: row 14 has the time 2020-01-25 that row 2 has, with other values: 'Store' tells such "
        "rows apart, give --series Store."
    )


def test_rows_of_one_time_are_told_apart_by_two_columns() -> None:
    frame = pd.DataFrame({"t": list(DAYS) * 4, "y": values(48), "s": np.repeat([1, 1, 2, 2], 12)})
    frame["d"] = np.repeat(["x", "y", "x", "y"], 12)
    assert "'s' and 'd' tell such rows apart, give --series s,d." in refusal(frame)
    assert "of series '1' that row 2 has" in refusal(frame, series="s")
    assert "'d' tells such rows apart, give --series s,d." in refusal(frame, series="s")


def test_rows_of_one_time_are_told_apart_by_an_hour() -> None:
    frame = pd.DataFrame({"t": np.repeat(DAYS, 2), "hr": [0, 12] * 12, "y": values(24)})
    assert "'hr' tells such rows apart, give --time t,hr." in refusal(frame)


def test_rows_of_one_time_that_nothing_tells_apart() -> None:
    frame = of_times([*DAYS, DAYS[3]])
    assert refusal(frame) == (
        "data.time: row 14 has the time 2020-01-28 that row 5 has, with other values: keep one row for each "
        "time, or add the rows of one time up first."
    )


def test_equal_rows_count_once() -> None:
    frame = of_times(DAYS, note=[["a", 1]] * 12)
    reading = read(pd.concat([frame, frame.iloc[[3, 3, 5]]], ignore_index=True))
    assert reading.history.rows.tolist() == [list(range(12))]
    assert reading.notes[0] == "Left out 3 rows that repeat another one in all columns."


def test_clocks_that_are_set_back() -> None:
    local = pd.date_range("2020-10-24", periods=48, freq="h", tz="Europe/Prague").tz_localize(None)
    assert refusal(of_times(local)) == (
        "data.time: row 29 has the time 2020-10-25 02:00:00 that row 28 has, with other values, as where "
        "clocks are set back by an hour: give the times in UTC or with their time zone."
    )


def test_newest_first() -> None:
    reading = read(of_times(DAYS[::-1]))
    assert times_of(reading) == list(DAYS)
    assert reading.history.rows.tolist() == [list(range(11, -1, -1))]
    assert reading.history.target[0].tolist() == values(12)[::-1].tolist()
    assert reading.notes == ("The newest rows come first in the file: read from the oldest on.",)


def test_rows_in_no_order() -> None:
    order = np.random.default_rng(0).permutation(12)
    reading = read(of_times(DAYS).iloc[order].reset_index(drop=True))
    assert reading.history.target[0].tolist() == values(12).tolist()
    assert order[reading.history.rows[0]].tolist() == list(range(12))
    assert reading.notes[0].startswith("Rows are not in the order of time (")


CSV = "t,y\n" + "".join(f"{day},{k}\n" for k, day in enumerate(DAYS))


@pytest.mark.parametrize(
    ("footer", "note"),
    [
        ("Total,\n", "row 14 at"),
        ("Total,all\nSource: the office,\n", "2 rows from row 14 on at"),
        (",\n,\n", "2 rows from row 14 on at"),
        ("t,y\n", "row 14 at"),
    ],
)
def test_a_footer_is_left_out(footer: str, note: str) -> None:
    reading = read(from_csv(CSV + footer))
    assert reading.history.target.tolist() == [list(map(float, range(12)))]
    assert reading.notes == (f"Left out {note} the end of the file, without a time or a target.",)


def test_a_footer_below_numbers_as_years() -> None:
    text = "t,y\n" + "".join(f"{year},{year % 7}\n" for year in range(2001, 2011))
    assert len(read(from_csv(text + "Source: x,\n")).history.times) == 10


def test_a_sum_at_the_end_is_no_footer() -> None:
    assert "row 14 has 'Total' in 't', which is not a time" in refusal(from_csv(CSV + "Total,66\n"))


def test_a_header_in_the_middle_is_no_footer() -> None:
    lines = CSV.splitlines(keepends=True)
    text = "".join([*lines[:6], "t,y\n", *lines[6:]])
    assert "row 7 has 't' in 't', which is not a time" in refusal(from_csv(text))


def test_targets_missing_inside_and_ahead() -> None:
    frame = of_times(DAYS)
    frame.loc[[0, 4, 10, 11], "y"] = np.nan
    reading = read(frame)
    assert np.isnan(reading.history.target[0]).nonzero()[0].tolist() == [0, 4, 10, 11]
    assert reading.history.rows.tolist() == [list(range(12))]
    assert reading.notes == (
        "2 of 12 rows have no target: filled with the last value as inputs, not scored.",
        "2 rows after the last target have none: kept as the time to forecast.",
    )


@pytest.mark.parametrize(
    ("value", "what"), [("much", "not a number"), ("zero", "not a number"), (np.inf, "infinite")]
)
def test_a_target_that_is_not_a_number(value: object, what: str) -> None:
    targets = [*values(12).tolist()]
    targets[5] = value
    assert refusal(of_times(DAYS).assign(y=targets)) == (
        f"data.target: row 7 has '{value}' in 'y', which is {what}: correct it, or leave the cell empty "
        "where the value is not known."
    )


@pytest.mark.parametrize("text", ["{:.2f}", "$ {:.2f}", "{:,.2f}"])
def test_targets_as_text(text: str) -> None:
    frame = of_times(DAYS).assign(y=[text.format(value * 1000) for value in values(12)])
    assert np.allclose(read(frame).history.target[0], values(12) * 1000)


def test_targets_with_a_decimal_comma() -> None:
    frame = of_times(DAYS).assign(y=[f"{value:.2f}".replace(".", ",") for value in values(12)])
    assert np.allclose(read(frame).history.target[0], values(12))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([3.0] * 12, "data.target: 'y' is 3 in every row: nothing can be learnt."),
        ([None] * 12, "data.target: 'y' is missing in every row: name the column to be forecast."),
        (
            pd.date_range("2020-01-01", periods=12),
            "data.target: 'y' holds dates, not numbers: name the column to be forecast.",
        ),
        (values(12) * 1e30, "data.target: 'y' has values beyond 1e+30: rescale it."),
    ],
)
def test_targets_that_cannot_be_learnt(target: object, message: str) -> None:
    assert refusal(of_times(DAYS).assign(y=target)) == message


def test_a_series_without_targets_is_left_out() -> None:
    frame = pd.DataFrame({"t": list(DAYS) * 3, "s": np.repeat(["a", "b", "c"], 12), "y": values(36)})
    frame.loc[12:23, "y"] = np.nan
    reading = read(frame, series="s")
    assert reading.history.names == ("a", "c")
    assert reading.history.rows[:, 0].tolist() == [0, 24]
    assert reading.notes == ("Left out series without any target: 'b'.",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time": "tt"}, "data.time: there is no column 'tt': choose from 't', 'y', 'x'."),
        ({"time": "date"}, "data.time: there is no column 'date': choose from 't', 'y', 'x'."),
        ({"series": "s"}, "data.series: there is no column 's': choose from 't', 'y', 'x'."),
        ({"target": "z"}, "data.target: there is no column 'z': choose from 't', 'y', 'x'."),
        ({"roles": {"w": "known"}}, "data.roles: there is no column 'w': choose from 't', 'y', 'x'."),
        ({"target": "t"}, "data.target: 't' is a column of the time as well: name another one."),
        ({"time": "t,t"}, "data.time: 't' is named twice: name it once."),
        ({"series": "t"}, "data.series: 't' is a column of the time as well: name another one."),
        ({"roles": {"y": "drop"}}, "data.roles: 'y' is the target, it cannot have the role drop as well."),
        (
            {"roles": {"x": "text"}},
            "data.roles.x: text is not a role of forecasting: use known, past, static or drop (numbers and "
            "categories are told by the values).",
        ),
    ],
)
def test_columns_that_are_not_there_or_twice(settings: dict[str, object], message: str) -> None:
    if settings == {"time": "tt"}:
        message = "data.time: there is no column 'tt': did you mean 't'?"
    assert refusal(of_times(DAYS, x=values(12)), **settings) == message
