from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from tests.data.series.reading import config, from_csv, of_times, read, refusal, times_of
from tuning.data.series import SeriesColumns, read_like
from tuning.data.series._times import TimeColumn
from tuning.errors import DataError

DAYS = pd.date_range("2020-01-25", periods=40)


@pytest.mark.parametrize(
    "stamps",
    [
        DAYS,
        DAYS.strftime("%Y-%m-%d"),
        DAYS.strftime("%d-%m-%Y"),
        DAYS.strftime("%m/%d/%Y"),
        DAYS.strftime("%d.%m.%Y 00:00"),
        DAYS.strftime(" %Y/%m/%d "),
        DAYS.strftime("%d %B %Y"),
        DAYS.strftime("%d-%m-%y"),
        DAYS.strftime("%Y%m%d"),
        DAYS.strftime("%Y%m%d").astype(int),
        [day.date() for day in DAYS],
        [datetime.datetime(day.year, day.month, day.day) for day in DAYS],
        pd.Categorical(DAYS.strftime("%Y-%m-%d")),
        (DAYS - pd.Timestamp(0)) // pd.Timedelta("1s"),
        (DAYS - pd.Timestamp(0)) // pd.Timedelta("1ms"),
        DAYS.tz_localize("UTC"),
    ],
)
def test_days_in_every_format(stamps: object) -> None:
    reading = read(of_times(stamps))
    assert reading.history.frequency == "D"
    assert reading.history.times.equals(DAYS.as_unit("us"))
    assert reading.history.target.tolist() == [of_times(DAYS)["y"].tolist()]
    assert SeriesColumns.from_json(reading.spec.to_json()) == reading.spec
    assert np.array_equal(read_like(of_times(stamps), reading.spec).rows, reading.history.rows)


@pytest.mark.parametrize(
    ("stamps", "frequency", "first", "last"),
    [
        (range(2001, 2021), "YS-JAN", "2001-01-01", "2020-01-01"),
        (map(str, range(2001, 2021)), "YS-JAN", "2001-01-01", "2020-01-01"),
        ([201010, 201011, 201012, 201101], "MS", "2010-10-01", "2011-01-01"),
        (["201011", "201012", "201101"], "MS", "2010-11-01", "2011-01-01"),
        (["Jan-10", "Feb-10", "Mar-10"], "MS", "2010-01-01", "2010-03-01"),
        (["January 2010", "February 2010", "March 2010"], "MS", "2010-01-01", "2010-03-01"),
        (["12/2010", "01/2011", "02/2011"], "MS", "2010-12-01", "2011-02-01"),
        (["2010Q4", "2011Q1", "2011Q2"], "QS-JAN", "2010-10-01", "2011-04-01"),
        (["2010-W52", "2011-W01", "2011-W02"], "W-MON", "2010-12-27", "2011-01-10"),
    ],
)
def test_years_months_quarters_and_weeks(stamps: object, frequency: str, first: str, last: str) -> None:
    reading = read(of_times(stamps))
    assert reading.history.frequency == frequency
    assert (times_of(reading)[0], times_of(reading)[-1]) == (first, last)


def test_iso_stamps_with_and_without_a_time_of_day() -> None:
    reading = read(of_times(["2020-01-01", "2020-01-01 12:00", "2020-01-02T00:00:00"]))
    assert reading.history.frequency == "12h"


@pytest.mark.parametrize(("form", "other"), [("%d/%m/%Y", "%m/%d/%Y"), ("%m/%d/%Y", "%d/%m/%Y")])
def test_day_or_month_first_by_what_is_regular(form: str, other: str) -> None:
    starts = pd.date_range("2009-11-01", periods=30, freq="MS")
    reading = read(of_times(starts.strftime(form)))
    assert reading.history.frequency == "MS"
    assert reading.notes[0] == (
        f"Times in 't' are read as {form}, which makes them regular ({other} would fit too)."
    )


def test_day_first_where_both_are_regular() -> None:
    reading = read(of_times(["01/01/2010", "01/02/2010", "01/03/2010"]))
    assert reading.history.frequency == "MS"
    assert reading.notes[0] == (
        "Times in 't' are read as %d/%m/%Y, but %m/%d/%Y would fit too: '01/02/2010' is 1 February 2010; "
        "set data.day_first=false if it is 2 January 2010."
    )


def test_day_first_as_it_was_set() -> None:
    reading = read(of_times(["01/01/2010", "01/02/2010", "01/03/2010"]), day_first=False)
    assert reading.history.frequency == "D"
    assert reading.notes[0] == "Times in 't' are read as %m/%d/%Y."


HOURS = pd.date_range("2024-03-30 22:00", periods=12, freq="h")
BERLIN = pd.date_range("2024-03-30 22:00", periods=12, freq="h", tz="Europe/Berlin")


@pytest.mark.parametrize(
    ("stamps", "form"),
    [
        (HOURS.strftime("%Y%m%d%H"), "%Y%m%d%H"),
        (HOURS.strftime("%Y%m%d%H").astype(int), "%Y%m%d%H"),
        (HOURS.strftime("%Y%m%d%H%M"), "%Y%m%d%H%M"),
        (HOURS.strftime("%Y%m%d%H%M").astype(int), "%Y%m%d%H%M"),
        (HOURS.strftime("%Y%m%d%H%M%S").astype(int), "%Y%m%d%H%M%S"),
        ((HOURS - pd.Timestamp(0)) // pd.Timedelta("1s"), "unix seconds"),
        ([str(stamp.value) for stamp in HOURS.as_unit("ns")], "unix nanoseconds"),
        (HOURS.strftime("%d/%m/%Y, %H:%M"), "%d/%m/%Y %H:%M"),
        (HOURS.strftime("%d/%m/%Y %I:%M %p"), "%d/%m/%Y %I:%M %p"),
        (HOURS.strftime("%b %d, %Y %I:%M:%S %p"), "%b %d %Y %I:%M:%S %p"),
        (HOURS.strftime("%a, %d %b %Y %H:%M:%S GMT"), "%d %b %Y %H:%M:%S"),
        (HOURS.strftime("%Y-%m-%d %H:%M UTC"), None),
    ],
)
def test_hours_in_every_format(stamps: object, form: str | None) -> None:
    frame = of_times(stamps)
    reading = read(frame)
    assert reading.history.frequency == "h"
    assert reading.history.times.equals(HOURS.as_unit("us"))
    assert form is None or reading.notes[0].startswith(f"Times in 't' are read as {form}")
    again = SeriesColumns.from_json(reading.spec.to_json())
    assert np.array_equal(read_like(frame, again).rows, reading.history.rows)


def test_names_of_time_zones_are_told_with_their_offset() -> None:
    reading = read(of_times(BERLIN.strftime("%Y-%m-%d %H:%M %Z")))  # CET, then CEST
    assert reading.history.times.equals(BERLIN.tz_convert("UTC").tz_localize(None).as_unit("us"))
    assert reading.notes[0] == (
        "Times in 't' have a time zone: read as UTC (CEST as UTC+02:00, CET as UTC+01:00)."
    )


def test_a_later_file_in_another_format_is_refused() -> None:
    reading = read(of_times(HOURS.strftime("%d.%m.%Y %H:%M")))
    with pytest.raises(DataError, match="row 2 has '2024-03-30 22:00' in 't', which is not a time like"):
        read_like(of_times(HOURS.strftime("%Y-%m-%d %H:%M")), reading.spec)


@pytest.mark.parametrize(
    ("form", "bad", "advice", "good"),
    [
        ("%d.%m.%Y %H:%M", "2024-03-30 22:00", "in the format %d.%m.%Y %H:%M,", "30.03.2024 22:00"),
        ("%Y%m%d%H", "2024-03-30 22:00", "in the format %Y%m%d%H,", "2024033022"),
        ("%Y-%m-%d %H:%MZ", "2024-03-30 22:00", "as 2014-01-31 13:00 and its time zone", "2024-03-30 22:00Z"),
        ("%Y-%m-%d %H:%M", "2024-03-30 22:00Z", "as 2014-01-31 or 2014-01-31 13:00", "2024-03-30 22:00"),
    ],
)
def test_a_time_written_as_the_refusal_says_is_read(form: str, bad: str, advice: str, good: str) -> None:
    spec = read(of_times(HOURS.strftime(form))).spec
    later = list(HOURS.strftime(form))
    with pytest.raises(DataError) as refused:
        read_like(of_times([bad, *later[1:]]), spec)
    assert advice in str(refused.value)
    assert read_like(of_times([good, *later[1:]]), spec).times[0] == HOURS[0]


def test_times_decided_before_are_read() -> None:
    before = {"name": "t", "part": "stamp", "format": "%b %d, %Y"}
    assert str(TimeColumn.from_json(before).read(pd.Series(["Jan 31, 2024"]))[0]).startswith("2024-01-31T")


@pytest.mark.parametrize("as_text", [True, False])
def test_time_zones_become_utc(as_text: bool) -> None:
    stamps = pd.date_range(
        "2020-03-28 20:00", periods=12, freq="h", tz="Europe/Prague"
    )  # an hour is left out
    frame = of_times([stamp.isoformat() for stamp in stamps] if as_text else stamps)
    reading = read(frame)
    assert reading.history.frequency == "h"
    assert reading.history.times.equals(stamps.tz_convert("UTC").tz_localize(None).as_unit("us"))
    assert reading.notes[0] == "Times in 't' have a time zone: read as UTC."


def test_date_and_hour() -> None:
    text = "dteday,hr,cnt\n" + "".join(
        f"1/{day}/2011,{hour},{day * 24 + hour}\n" for day in (30, 31) for hour in range(24)
    )
    reading = read(from_csv(text), time="dteday, hr", target="cnt")
    assert reading.history.frequency == "h"
    assert reading.history.times[-1] == pd.Timestamp("2011-01-31 23:00")
    assert reading.history.target[0, -1] == 31 * 24 + 23
    assert not reading.history.covariates


HALF_HOURS = pd.date_range("2020-02-28 22:00", periods=60, freq="30min")


@pytest.mark.parametrize(
    "columns",
    [
        {
            "minute": HALF_HOURS.minute,
            "day": HALF_HOURS.day,
            "hour": HALF_HOURS.hour,
            "yr": HALF_HOURS.year,
            "mnth": HALF_HOURS.month,
        },
        {
            "sale_year": HALF_HOURS.year,
            "SaleMonth": HALF_HOURS.month_name(),
            "Day": HALF_HOURS.day,
            "Time": HALF_HOURS.strftime("%H:%M"),
        },
        {
            "Year": HALF_HOURS.year,
            "Month": HALF_HOURS.strftime("%b"),
            "DD": HALF_HOURS.day,
            "time": HALF_HOURS.time,
        },
        {"date": HALF_HOURS.date, "clock": HALF_HOURS.strftime("%I:%M %p")},
        {
            "date": HALF_HOURS.strftime("%Y%m%d").astype(int),
            "hour": HALF_HOURS.hour * 100 + HALF_HOURS.minute,
        },
        {
            "year": HALF_HOURS.year,
            "doy": HALF_HOURS.dayofyear,
            "hour": HALF_HOURS.hour,
            "min": HALF_HOURS.minute,
        },
        {
            "a": HALF_HOURS.year,
            "b": HALF_HOURS.month,
            "c": HALF_HOURS.day,
            "d": HALF_HOURS.hour,
            "e": HALF_HOURS.minute,
        },
    ],
)
def test_parts_of_the_time_in_several_columns(columns: dict[str, object]) -> None:
    columns = {name: list(values) for name, values in columns.items()}
    if "e" in columns:  # names that say nothing
        columns = dict(zip(["p1", "p2", "p3", "p4", "p5"], columns.values(), strict=True))
    frame = pd.DataFrame({**columns, "y": np.arange(60.0)})
    reading = read(frame, time=tuple(columns))
    assert reading.history.frequency == "30min"
    assert reading.history.times.equals(HALF_HOURS.as_unit("us"))
    again = SeriesColumns.from_json(reading.spec.to_json())
    assert read_like(frame, again).times.equals(HALF_HOURS.as_unit("us"))


def test_year_and_iso_week() -> None:
    weeks = [(2020, 52), (2020, 53), (2021, 1), (2021, 2)]
    frame = pd.DataFrame(
        {"week": [week for _, week in weeks], "year": [year for year, _ in weeks], "y": range(4)}
    )
    reading = read(frame, time="year,week")
    assert times_of(reading) == ["2020-12-21", "2020-12-28", "2021-01-04", "2021-01-11"]
    frame.loc[3, "week"] = 53  # 2021 has 52
    assert "row 5 has '2021 53' in 'year' and 'week', which is not a time" in refusal(frame, time="year,week")


def test_year_and_quarter() -> None:
    frame = pd.DataFrame({"year": [2020, 2020, 2021], "quarter": [3, 4, 1], "y": [1.0, 2.0, 3.0]})
    assert times_of(read(frame, time="year,quarter")) == ["2020-07-01", "2020-10-01", "2021-01-01"]


def test_hour_24_is_the_next_midnight() -> None:
    frame = pd.DataFrame({"date": ["2020-01-01"] * 24, "hour": range(1, 25), "y": range(24)})
    assert times_of(read(frame, time="date,hour"))[-1] == "2020-01-02"


def test_a_date_that_does_not_exist() -> None:
    frame = pd.DataFrame({"year": 2021, "month": [2, 2, 2], "day": [27, 28, 29], "y": [1, 2, 3]})
    message = refusal(frame, time="year,month,day")
    assert message.startswith(
        "data.time: row 4 has '2021 2 29' in 'year' and 'month' and 'day', which is not a time"
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"hour": [1, 2, 3], "year": [2020] * 3}, "a column of the hour needs one of the day"),
        ({"month": [1, 2, 3]}, "a column of the month needs one of the year beside it"),
        ({"date": ["2020-01-01"] * 3, "day": [1, 2, 3]}, "which year, month and day repeat: leave them out"),
        ({"year": [2020] * 3, "yr": [2020] * 3}, "two of the columns are the year of the time"),
        (
            {"year": [2020] * 3, "colour": ["a", "b", "c"]},
            "what the column 'colour' is of the time cannot be told",
        ),
    ],
)
def test_parts_that_make_up_no_time(columns: dict[str, list[object]], message: str) -> None:
    frame = pd.DataFrame({**columns, "other": ["2020-01-01"] * 3, "y": [1.0, 2.0, 3.0]})
    time = tuple(columns) if len(columns) > 1 else (*columns, "hour")
    if len(columns) == 1:
        frame["hour"] = 1
    assert message in refusal(frame, time=time)


@pytest.mark.parametrize("column", [["red", "blue", "red"], [1, 2, 3], [True, False, True], [[1], [2], [3]]])
def test_a_column_that_holds_no_times(column: list[object]) -> None:
    message = refusal(of_times(column))
    assert message.startswith(
        f"data.time: the column 't' holds no times, as {str(column[0])!r} in row 2 is none: "
    )


def test_an_empty_column_holds_no_times() -> None:
    assert "the column 't' is empty" in refusal(of_times([None, None, None]))


def test_a_time_that_cannot_be_read_is_named() -> None:
    times = [str(day.date()) for day in DAYS]
    times[7] = "2020-13-45"
    assert refusal(of_times(times)) == (
        "data.time: row 9 has '2020-13-45' in 't', which is not a time like those of the other rows: "
        "write it as 2014-01-31 or 2014-01-31 13:00, or delete the row."
    )
    times[7] = None
    assert refusal(of_times(times)) == "data.time: row 9 has no time in 't': add it, or delete the row."


def test_the_frame_is_not_changed() -> None:
    frame = of_times(DAYS.strftime("%d-%m-%Y"), x=range(40))
    before = frame.copy(deep=True)
    read_like(frame, read(frame).spec)
    pd.testing.assert_frame_equal(frame, before)
    assert config().time == ("t",)
