from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tuning.data.series._calendar import calendar_fields, calendar_numbers, circle_names, circles
from tuning.data.series._season import Seasons, seasons_of


@pytest.mark.parametrize(
    ("frequency", "seasons"),
    [
        ("h", Seasons(24, 168)),
        ("6h", Seasons(4, 28)),
        ("D", Seasons(7, 365)),
        ("7D", Seasons(52)),
        ("B", Seasons(5)),
        ("W-SUN", Seasons(52)),
        ("MS", Seasons(12)),
        ("BME", Seasons(12)),
        ("QS-OCT", Seasons(4)),
        ("YE-DEC", Seasons(1)),
        ("15min", Seasons(96, 672)),
        ("30min", Seasons(48, 336)),
        ("min", Seasons(60, 1440)),
    ],
)
def test_usual_seasons(frequency: str, seasons: Seasons) -> None:
    assert seasons_of(frequency) == seasons


def test_a_given_season_keeps_a_longer_one_beside_it() -> None:
    assert seasons_of("h", 12) == Seasons(12, 168)
    assert seasons_of("D", 365) == Seasons(365)
    assert seasons_of("MS", 1) == Seasons(1, 12)


def test_fields_that_do_not_come_again_are_left_out() -> None:
    hours = pd.date_range("2024-01-01", periods=24 * 200, freq="h")
    assert calendar_fields(hours) == ("second", "minute", "hour", "day_of_week", "day")
    months = pd.date_range("2000-01-01", periods=60, freq="MS")
    assert {"month", "days_in_month"} <= set(calendar_fields(months))
    assert calendar_fields(pd.date_range("1980-01-01", periods=40, freq="YS")) == ()


def test_numbers_of_the_calendar() -> None:
    times = pd.DatetimeIndex(["2024-02-29 13:30", "2025-01-01"])
    numbers = calendar_numbers(times, ("hour", "day_of_week", "day", "week", "month", "day_of_year"))
    assert numbers.tolist() == [[13, 3, 29, 9, 2, 60], [0, 2, 1, 1, 1, 1]]


def test_circles_are_of_periods_longer_than_a_step() -> None:
    days = pd.date_range("2020-01-01", periods=1000, freq="D")
    assert circle_names(days) == tuple(
        f"{name}_{side}" for name in ("week", "month", "year") for side in ("sin", "cos")
    )
    assert circle_names(days[:400]) == circle_names(days)[:4]


def test_circles_close() -> None:
    hours = pd.date_range("2024-01-01", periods=24 * 21, freq="h")
    points = circles(hours, ("day_sin", "day_cos", "week_sin", "week_cos"))
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[:168], points[168:336], atol=1e-5)
    np.testing.assert_allclose((points**2).sum(axis=1), 2, rtol=1e-5)
    assert points[0].tolist() == [0, 1, 0, 1]
