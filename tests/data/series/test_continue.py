"""Series that people have: rows to come, series that ended, new ones, short ones, rows of other times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shops import HORIZON, prepared, shops

from tuning.data.series import SeriesTransform
from tuning.errors import DataError

LAST = pd.Timestamp("2024-05-19")
LONG = 1300  # steps: more than a transform keeps


def transform_of(frame: pd.DataFrame | None = None, **changes: object) -> SeriesTransform:
    found = prepared(frame, **changes).folds[0].transform  # type: ignore[arg-type]
    assert isinstance(found, SeriesTransform)
    return found


@pytest.fixture(scope="module")
def transform() -> SeriesTransform:
    return transform_of()


def forecast(transform: SeriesTransform, frame: pd.DataFrame | None) -> pd.DataFrame:
    """Numbers 0, 1, ... as forecasts of a table, so that each can be told."""
    table = transform.apply(frame)
    assert np.isfinite(table.dense).all()
    assert table.windows is not None
    assert np.isfinite(table.windows.location).all()
    labelled = transform.labels(np.arange(len(table), dtype=np.float64), table)
    return labelled if frame is None else transform.placed(labelled, frame)


def coming(days: int, *shops_: int, first: pd.Timestamp = LAST) -> pd.DataFrame:
    """Rows of the time to come, which have neither the target nor what is known up to it alone."""
    times = pd.date_range(first + pd.Timedelta(days=1), periods=days, freq="D")
    frames = [pd.DataFrame({"shop": shop, "day": times, "promotion": 1.0}) for shop in shops_ or (1, 2)]
    return pd.concat(frames, ignore_index=True)


def ending(*ends: int) -> pd.DataFrame:
    """Daily series `s0`, `s1`, ... from 2020 on, of so many steps each."""
    parts = []
    for number, steps in enumerate(ends):
        noise = np.random.default_rng(number).normal(size=steps)
        sales = 100 + 10 * np.sin(2 * np.pi * np.arange(steps) / 7) + noise
        days = pd.date_range("2020-01-01", periods=steps)
        parts.append(pd.DataFrame({"shop": f"s{number}", "day": days, "sales": sales}))
    return pd.concat(parts, ignore_index=True)


# -- rows to come ----------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [(), ("sales",), ("sales", "traffic", "size")])
def test_rows_to_come_need_only_what_is_known_of_them(
    transform: SeriesTransform, empty: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    found = forecast(transform, coming(HORIZON).assign(**dict.fromkeys(empty, np.nan)))
    assert found["day"].tolist() == coming(HORIZON)["day"].tolist()
    assert found["step"].tolist() == [1, 2, 3] * 2
    assert not caplog.records


def test_what_is_known_in_advance_is_needed(transform: SeriesTransform) -> None:
    with pytest.raises(DataError, match="lacks the column 'promotion'"):
        transform.apply(coming(HORIZON).drop(columns="promotion"))


@pytest.mark.parametrize("name", ["traffic", "promotion", "day", "shop"])
def test_where_targets_are_given_so_is_the_rest(transform: SeriesTransform, name: str) -> None:
    with pytest.raises(DataError, match=f"lacks the column '{name}'"):
        transform.apply(shops().drop(columns=name))


@pytest.mark.parametrize("name", ["Sales", "sales ", "SALES"])
def test_a_target_under_another_name_is_not_left_out_in_silence(
    transform: SeriesTransform, name: str
) -> None:
    with pytest.raises(DataError, match=f"no column 'sales', but '{name}': rename it"):
        transform.apply(shops().rename(columns={"sales": name}))


def test_a_covariate_whose_name_is_like_the_target_is_none(caplog: pytest.LogCaptureFixture) -> None:
    frame = shops().rename(columns={"promotion": "Sales"})
    transform = transform_of(frame, roles={"Sales": "known"})
    found = forecast(transform, coming(HORIZON).rename(columns={"promotion": "Sales"}))
    assert len(found) == 2 * HORIZON
    assert not caplog.records


def test_rows_to_come_of_some_series(transform: SeriesTransform, caplog: pytest.LogCaptureFixture) -> None:
    known = shops().query("day > '2024-05-01'")
    found = forecast(transform, pd.concat([known, coming(HORIZON, 2)], ignore_index=True))
    assert found.groupby("shop")["prediction"].count().tolist() == [HORIZON] * 3
    assert "promotion: not given for all 3 steps to forecast of '1', '3'" in caplog.text


def test_fewer_rows_than_steps(transform: SeriesTransform) -> None:
    rows = coming(1)
    found = forecast(transform, rows)
    assert found["prediction"].tolist() == [0, 1, 2, 3, 4, 5]
    rows["p"] = found["prediction"]
    assert rows["p"].tolist() == [0, 3]


def test_rows_beyond_the_horizon_have_no_prediction(
    transform: SeriesTransform, caplog: pytest.LogCaptureFixture
) -> None:
    rows = coming(HORIZON + 2, 1).sample(frac=1, random_state=2)
    found = forecast(transform, rows)
    assert found.index.tolist() == rows.index.tolist()
    assert found["day"].tolist() == rows["day"].tolist()
    by_day = found.sort_values("day")
    np.testing.assert_array_equal(by_day["prediction"], [0, 1, 2, np.nan, np.nan])
    assert by_day["step"].isna().tolist() == [False] * 3 + [True] * 2
    assert "2 of 5 rows to forecast are left empty, the first of them '1' at 2024-05-2" in caplog.text


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        (LAST + pd.Timedelta(days=30), "2024-06-19 to 2024-06-21"),
        (LAST + pd.Timedelta(days=365 * 5), "2029-05-19 to 2029-05-21"),
        (LAST - pd.Timedelta(days=20), "2024-04-30 to 2024-05-02"),
    ],
)
def test_rows_that_no_forecast_reaches_are_refused(
    transform: SeriesTransform, first: pd.Timestamp, asked: str
) -> None:
    sentence = f"the rows to forecast are of {asked}, but 3 steps .* reach 2024-05-20 to 2024-05-22 alone"
    with pytest.raises(DataError, match=sentence):
        transform.apply(coming(HORIZON, first=first))


@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_time_between_the_steps_is_named(transform: SeriesTransform, row: int) -> None:
    rows = coming(HORIZON, 1)
    rows.loc[row, "day"] += pd.Timedelta(hours=7)
    with pytest.raises(DataError, match=rf"row {row + 2} \(2024-05-2{row} 07:00:00\) is off the steps of D"):
        transform.apply(rows)


# -- series that ended, new ones, short ones -------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((LONG, LONG, 90), ["'s2' (ended 2020-03-30)"]),
        ((LONG, 1, 3), ["'s1' (ended 2020-01-01)", "'s2' (ended 2020-01-03)"]),
    ],
)
def test_a_series_that_ended_long_ago_is_left_out_with_its_end(
    ends: tuple[int, ...], told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    transform = transform_of(ending(*ends), roles={})
    found = forecast(transform, None)
    assert found["shop"].unique().tolist() == [f"s{k}" for k, steps in enumerate(ends) if steps == LONG]
    (message,) = [record.getMessage() for record in caplog.records]
    assert all(text in message for text in told)


def test_the_ends_are_kept_with_the_transform(tmp_path: object, caplog: pytest.LogCaptureFixture) -> None:
    transform = transform_of(ending(LONG, 90), roles={})
    transform.save(tmp_path)  # type: ignore[arg-type]
    again = SeriesTransform.load(tmp_path)  # type: ignore[arg-type]
    forecast(again, None)
    assert "'s1' (ended 2020-03-30)" in caplog.text


def test_rows_to_come_of_a_series_that_ended_are_left_empty(caplog: pytest.LogCaptureFixture) -> None:
    transform = transform_of(ending(LONG, 90), roles={})
    rows = coming(HORIZON, first=pd.Timestamp("2023-07-23")).drop(columns="promotion")
    rows["shop"] = rows["shop"].map({1: "s1", 2: "s0"})
    found = forecast(transform, rows)
    assert found["shop"].tolist() == rows["shop"].tolist()
    np.testing.assert_array_equal(found["prediction"], [np.nan] * 3 + [0, 1, 2])
    assert "3 of 6 rows to forecast are left empty, the first of them 's1' at 2023-07-24" in caplog.text


@pytest.mark.parametrize("steps", [LONG - 5, LONG - 400])
def test_a_forecast_of_the_past_is_warned_of(steps: int, caplog: pytest.LogCaptureFixture) -> None:
    found = forecast(transform_of(ending(LONG, steps), roles={}), None)
    end = pd.Timestamp("2019-12-31") + pd.Timedelta(days=steps)
    assert found.query("shop == 's1'")["day"].min() == end + pd.Timedelta(days=1)
    assert f"known up to 2023-07-23: they go on from 's1' at {end.date()}" in caplog.text


def test_rows_of_the_past_are_warned_of(transform: SeriesTransform, caplog: pytest.LogCaptureFixture) -> None:
    forecast(transform, shops().query("day < '2024-03-01' and shop == 1"))
    assert "known up to 2024-05-19: they go on from '1' at 2024-02-29" in caplog.text


def test_a_series_that_ends_a_little_earlier_is_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    found = forecast(transform_of(ending(300, 300 - HORIZON + 1), roles={}), None)
    assert len(found) == 2 * HORIZON
    assert not caplog.records


@pytest.mark.parametrize("days", [1, 2, 5])
def test_a_new_series_of_few_rows_is_forecast_from_them(transform: SeriesTransform, days: int) -> None:
    new = shops(seed=4, steps=days, n_shops=1).assign(shop=77)
    found = forecast(transform, new)
    assert found["shop"].tolist() == [77] * HORIZON
    assert found["day"].min() == pd.Timestamp("2024-01-01") + pd.Timedelta(days=days)


def test_a_new_series_without_a_target_does_not_keep_the_others_back(
    transform: SeriesTransform, caplog: pytest.LogCaptureFixture
) -> None:
    found = forecast(transform, coming(2, 99, 1))
    assert found.query("shop == 99")["prediction"].isna().all()
    assert found.query("shop == 1")["prediction"].tolist() == [0, 1, 2]
    assert "no target is known from 2024-01-01 on: '99'" in caplog.text


def test_a_new_series_without_what_never_changes_is_told_of(
    transform: SeriesTransform, caplog: pytest.LogCaptureFixture
) -> None:
    forecast(transform, shops(seed=4, n_shops=1).assign(shop=77).drop(columns="size"))
    assert "size: not given for '77', which training did not have" in caplog.text


def test_short_series_in_training_are_no_matter() -> None:
    found = forecast(transform_of(ending(300, 1, 300, 2), roles={}), None)
    assert set(found["shop"]) == {"s0", "s1", "s2", "s3"}


# -- times in a zone -------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC"])
def test_days_of_a_time_zone_are_days(zone: str) -> None:
    frame = ending(300, 300)
    plain, zoned = transform_of(frame, roles={}), frame.assign(day=frame["day"].dt.tz_localize(zone))
    local = transform_of(zoned, roles={})
    assert forecast(local, None).equals(forecast(plain, None))
    assert forecast(local, zoned.iloc[100:]).equals(forecast(plain, frame.iloc[100:]))
    assert forecast(plain, zoned.iloc[100:]).equals(forecast(plain, frame.iloc[100:]))


def test_hours_of_a_time_zone_are_read_as_utc() -> None:
    hours = pd.date_range("2024-03-25", periods=300, freq="h", tz="Europe/Berlin")  # clocks go on in there
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"day": hours, "sales": rng.normal(size=300), "shop": "a"})
    found = forecast(transform_of(frame, roles={}), None)
    assert found["day"].iloc[0] == hours[-1].tz_convert(None) + pd.Timedelta(hours=1)


# -- every row has a line --------------------------------------------------------------------------


def test_rows_that_are_given_twice_have_a_forecast_each(transform: SeriesTransform) -> None:
    rows = coming(HORIZON, 1)
    twice = pd.concat([rows, rows.assign(id=range(3))])
    found = forecast(transform, twice)
    assert found.index.tolist() == [0, 1, 2, 0, 1, 2]
    assert found["prediction"].tolist() == [0, 1, 2, 0, 1, 2]


def test_rows_of_one_time_that_differ_are_refused_without_advice_for_training(
    transform: SeriesTransform,
) -> None:
    rows = pd.concat([coming(HORIZON, 1), coming(1, 1).assign(promotion=0.0)])
    with pytest.raises(
        DataError, match="row 5 has the time 2024-05-20 of series '1' that row 2 has"
    ) as refused:
        transform.apply(rows)
    assert "--series" not in str(refused.value)


@pytest.mark.parametrize("footers", [1, 2])
def test_a_row_without_a_time_at_the_end_has_no_prediction(
    transform: SeriesTransform, footers: int, caplog: pytest.LogCaptureFixture
) -> None:
    last = pd.DataFrame({"shop": 1, "day": [pd.NaT] * footers, "promotion": 0.0})
    rows = pd.concat([coming(HORIZON, 1), last], ignore_index=True)
    found = forecast(transform, rows)
    assert found.index.tolist() == list(range(HORIZON + footers))
    assert found["prediction"].isna().tolist() == [False] * HORIZON + [True] * footers
    assert caplog.text.count("at the end of the file, without a time") == 1
