"""Dates as people write them: the form is learnt over a column, and later text is read by it alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.data._dates import DateFormat, infer_dates


def read(values: list[Any], **settings: Any) -> list[str]:
    column = pd.Series(values)
    guess = infer_dates(column, **settings)
    assert guess is not None
    return shown(guess.format.read(column))


def shown(stamps: Any) -> list[str]:
    return [str(stamp).removesuffix(".000000").removesuffix("T00:00:00") for stamp in stamps]


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (["20240131", "20240201"], ["2024-01-31", "2024-02-01"]),
        ([20240131, 20240201], ["2024-01-31", "2024-02-01"]),
        (["2024013113", "2024020100"], ["2024-01-31T13:00:00", "2024-02-01"]),
        (["202401311330"], ["2024-01-31T13:30:00"]),
        (["20240131133005"], ["2024-01-31T13:30:05"]),
        (["20240131133005250"], ["2024-01-31T13:30:05.250000"]),
        (["31012024", "01022024"], ["2024-01-31", "2024-02-01"]),
        (["240131", "240228"], ["2024-01-31", "2024-02-28"]),
        (["1706659200"], ["2024-01-31"]),
        ([1706659200.0, np.nan], ["2024-01-31", "NaT"]),
        (["1706659200250"], ["2024-01-31T00:00:00.250000"]),
        (["1706659200250001"], ["2024-01-31T00:00:00.250001"]),
        (["1706659200250001000"], ["2024-01-31T00:00:00.250001"]),
    ],
)
def test_stamps_as_whole_digits(values: list[Any], times: list[str]) -> None:
    assert read(values) == times


@pytest.mark.parametrize("digits", ["99", "4711", "123456789", "5551234567", "20241399"])
def test_digits_that_are_no_likely_time_are_none(digits: str) -> None:
    guess = infer_dates(pd.Series([digits]))
    assert guess is None or guess.format.form == "%Y"


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2024-01-31 13:00 CET", "2024-01-31T12:00:00"),
        ("2024-07-01 13:00 CEST", "2024-07-01T11:00:00"),
        ("2024-01-31 13:00:00 UTC", "2024-01-31T13:00:00"),
        ("2024-01-31 13:00 +0100", "2024-01-31T12:00:00"),
        ("2024-01-31T13:00:00.5-05:30", "2024-01-31T18:30:00.500000"),
        ("2024-01-31T13:00+01:00[Europe/Berlin]", "2024-01-31T12:00:00"),
        ("2024-07-01 13:00 Europe/Berlin", "2024-07-01T11:00:00"),
        ("31.01.2024 13:00 UTC+1", "2024-01-31T12:00:00"),
        ("20240131T1300Z", "2024-01-31T13:00:00"),
        ("Wed, 31 Jan 2024 13:00:00 GMT", "2024-01-31T13:00:00"),
        ("Wed, 31 Jan 2024 13:00:00 EST", "2024-01-31T18:00:00"),
        ("Wed Jan 31 13:00:00 UTC 2024", "2024-01-31T13:00:00"),
        ("Wed Jan 31 2024 13:00:00 GMT+0100 (Central European Standard Time)", "2024-01-31T12:00:00"),
        ("31/Jan/2024:13:00:00 +0000", "2024-01-31T13:00:00"),
    ],
)
def test_time_zones_behind_a_stamp(value: str, time: str) -> None:
    assert read([value]) == [time]


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("31/01/2024 1:05 PM", "2024-01-31T13:05:00"),
        ("31/01/2024 12:05:09 a.m.", "2024-01-31T00:05:09"),
        ("Jan 31, 2024 3pm", "2024-01-31T15:00:00"),
        ("31/01/2024, 13:00", "2024-01-31T13:00:00"),
        ("Jan 31, 2024", "2024-01-31"),
        ("Wednesday, January 31, 2024 1:00:00 PM", "2024-01-31T13:00:00"),
        ("31st of January 2024", "2024-01-31"),
        ("31. Jan. 2024", "2024-01-31"),
        ("Sept. 30 2024", "2024-09-30"),
        ("31.12.24 13:00", "2024-12-31T13:00:00"),
        ("2024/1/31 7:05", "2024-01-31T07:05:00"),
        ("2024:01:31 13:00:00", "2024-01-31T13:00:00"),
        ("2024 January 31", "2024-01-31"),
        ("2024-01-31 24:00", "2024-02-01"),
        ("2024-01-31 13:00:00,250", "2024-01-31T13:00:00.250000"),
        ("13:00 31/01/2024", "2024-01-31T13:00:00"),
    ],
)
def test_forms_of_days_and_of_times_of_the_day(value: str, time: str) -> None:
    assert read([value]) == [time]


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (["01/02/2024"] * 50 + ["13/02/2024"], "2024-02-01"),
        (["01/02/2024"] * 50 + ["02/13/2024"], "2024-01-02"),
        (["01-02-24 10:00"] * 50 + ["02-28-24 10:00"], "2024-01-02T10:00:00"),
    ],
)
def test_a_day_above_12_decides_for_the_column(values: list[Any], times: str) -> None:
    assert read(values)[0] == times


@pytest.mark.parametrize("value", ["01/02/2024", "01-02-2024 10:00", "1.2.2024 1:00 PM"])
def test_days_and_months_in_doubt_are_told_with_a_setting_that_works(value: str) -> None:
    column = pd.Series([value])
    guess = infer_dates(column)
    assert guess is not None
    assert f"{value!r} is 1 February 2024; set data.day_first=false if it is 2 January 2024" in guess.note

    other = infer_dates(column, day_first=False)
    assert other is not None
    assert shown(other.format.read(column))[0].startswith("2024-01-02")
    assert "would fit too" not in other.note


def test_a_year_of_two_digits_stands_where_times_are_closest() -> None:
    values = ["24-01-31", "24-02-28", "24-03-05"]
    assert read(values) == ["2024-01-31", "2024-02-28", "2024-03-05"]
    assert read(values, day_first=True)[0] == "2031-01-24"


@pytest.mark.parametrize(
    ("trained_on", "later", "times"),
    [
        (["31/01/2024"], ["01/02/2024", "01/13/2024", "2024-02-01"], ["2024-02-01", "NaT", "NaT"]),
        (["2024-01-31"], ["31/01/2024", "2024-02-01"], ["NaT", "2024-02-01"]),
        (["20240131"], ["2024-01-31", "1706659200", "20240201"], ["NaT", "NaT", "2024-02-01"]),
        (["2024-01-31T00:00Z"], ["2024-01-31 00:00", "2024-01-31T01:00+01:00"], ["NaT", "2024-01-31"]),
        (["2024-01-31 10:00"], ["2024-01-31T10:00Z", "2024-01-31"], ["NaT", "2024-01-31"]),
        (["31/01/2024 1:00 PM"], ["31/01/2024 10:00", "31/01/2024"], ["NaT", "2024-01-31"]),
        (["31/01/2024 13:00"], ["31/01/2024 1:00 PM", "31/01/2024"], ["NaT", "2024-01-31"]),
    ],
)
def test_later_text_is_read_by_the_learnt_form_alone(
    trained_on: list[Any], later: list[Any], times: list[str]
) -> None:
    guess = infer_dates(pd.Series(trained_on))
    assert guess is not None
    form = DateFormat.from_json(guess.format.to_json())
    assert shown(form.read(pd.Series(later))) == times


def test_dates_that_are_no_text_are_taken_as_they_are() -> None:
    form = DateFormat("%d/%m/%Y", is_zoned=False)
    values = [date(2024, 1, 31), datetime(2024, 1, 31, 1, tzinfo=UTC), np.datetime64("2024-01-31"), None]
    assert shown(form.read(pd.Series(values, dtype=object))) == [
        "2024-01-31",
        "2024-01-31T01:00:00",
        "2024-01-31",
        "NaT",
    ]
    zoned = pd.Series(pd.to_datetime(["2024-01-31"])).dt.tz_localize("Europe/Berlin")
    assert shown(form.read(zoned)) == ["2024-01-30T23:00:00"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["2024-01-01 10:00 CET", "2024-07-01 10:00 CEST"], "in UTC (CEST as UTC+02:00, CET as UTC+01:00)"),
        (["2024-01-01 10:00", "2024-01-01 10:00Z"], "those that name no time zone too"),
        (["2024-01-01 10:00+01:00", "2024-01-01 10:00Z"], "with their time zones, in UTC"),
        (["1706659200", "1706659300"], "in the format unix seconds"),
        (["2024010112", "2024010113"], "not unix seconds, which would fit too"),
    ],
)
def test_what_was_decided_is_told(values: list[Any], words: str) -> None:
    guess = infer_dates(pd.Series(values))
    assert guess is not None
    assert words in guess.note


def test_zones_of_a_column_that_changes_to_summer_time_are_one_hour_apart() -> None:
    winter, summer = "2024-03-31 01:30 Europe/Berlin", "2024-03-31 03:30 Europe/Berlin"
    assert read([winter, summer]) == ["2024-03-31T00:30:00", "2024-03-31T01:30:00"]


@pytest.mark.parametrize("behind", ["%z", " %Z"])
def test_midnights_of_a_time_zone_are_days(behind: str) -> None:
    days = pd.date_range("2024-03-30", periods=4, tz="Europe/Berlin")  # summer time begins on the 31st
    column = pd.Series(days.strftime("%Y-%m-%dT%H:%M" + behind))
    guess = infer_dates(column)
    assert guess is not None
    assert shown(guess.format.read(column)) == ["2024-03-30", "2024-03-31", "2024-04-01", "2024-04-02"]
    assert "as days of their own time zone" in guess.note

    later = pd.Series(["2024-05-01T02:00+02:00", "2024-05-01T00:00Z"])
    assert shown(guess.format.read(later)) == ["NaT", "2024-05-01"]


@pytest.mark.parametrize("value", ["1.2.10", "12.5", "hello 5", "A 1-2", "2024-02-30", "10:00", "1/2"])
def test_versions_numbers_and_codes_are_no_dates(value: str) -> None:
    assert infer_dates(pd.Series([value])) is None


@pytest.mark.parametrize(("value", "time"), [("2024-W05", "2024-01-29"), ("2024 Q2", "2024-04-01")])
def test_periods_are_dates_where_they_are_asked_for(value: str, time: str) -> None:
    assert infer_dates(pd.Series([value])) is None
    assert read([value], periods=True) == [time]


@pytest.mark.parametrize(
    ("form", "value", "time"),
    [
        ("%b %d, %Y", "Jan 31, 2024", "2024-01-31"),
        ("%d/%m/%Y %H:%M", "31/01/2024 13:00", "2024-01-31T13:00:00"),
        ("%m/%d/%y %I:%M:%S %p", "01/31/24 01:00:00 PM", "2024-01-31T13:00:00"),
        ("ISO8601", "2024-01-31T13:00:00+01:00", "2024-01-31T12:00:00"),
    ],
)
def test_formats_of_before_are_read(form: str, value: str, time: str) -> None:
    assert shown(DateFormat.from_json({"form": form}).read(pd.Series([value]))) == [time]


def test_a_value_that_is_none_is_the_example() -> None:
    guess = infer_dates(pd.Series(["2024-01-31", "2024-02-01", "soon", None]), least=0.5)
    assert guess is not None
    assert (guess.example, round(guess.share, 2)) == ("soon", 0.67)
