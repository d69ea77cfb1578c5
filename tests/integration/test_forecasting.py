"""A forecasting study, from a messy file to the continued series; and one that nothing can be learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.integration.command import leaderboard, tuning

HORIZON, WEEKS = 4, 150
SMALL = (
    "--set", "spaces.lightgbm.n_estimators=60",
    "--set", "spaces.lstm.epochs=3", "--set", "spaces.lstm.hidden_size=64",
    "--set", "spaces.lstm.num_layers=1",
    "--set", "spaces.linear_gd.epochs=10",
)  # fmt: skip


def _calendar(weeks: int) -> pd.Series:
    return pd.Series(pd.date_range("2020-01-05", periods=weeks, freq="W-SUN")).dt.strftime("%d-%m-%Y")


def _sales() -> pd.DataFrame:
    """Two shops in random order: a season of thirteen weeks, a trend, promotions known in advance."""
    rng = np.random.default_rng(5)
    week = np.arange(WEEKS)
    frames = []
    for shop, level in (("north", 100.0), ("south", 900.0)):
        promotion = (rng.random(WEEKS) < 0.2).astype(int)
        course = (1 + 0.3 * np.sin(2 * np.pi * week / 13)) * (1 + week / 400) * (1 + 0.4 * promotion)
        sales = level * course * np.exp(0.03 * rng.normal(size=WEEKS))
        columns = {"date": _calendar(WEEKS), "shop": shop, "promotion": promotion, "sales": sales}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames).sample(frac=1, random_state=1)


def _latest(sales: pd.DataFrame, promotion: int) -> pd.DataFrame:
    """The last ten weeks of every shop, and the weeks to come with their promotions."""
    dates = _calendar(WEEKS + HORIZON)
    future = [
        {"date": date, "shop": shop, "promotion": promotion}
        for shop in ("north", "south")
        for date in dates[-HORIZON:]
    ]
    return pd.concat([sales[sales["date"].isin(dates[WEEKS - 10 : WEEKS])], pd.DataFrame(future)])


def _best(rows: list[dict[str, Any]], model: str) -> dict[str, Any]:
    return next(row for row in rows if row["model"] == model and row["test"] is not None)


def test_series_are_searched_scored_and_continued(tmp_path: Path, ray_address: str) -> None:
    sales = _sales()
    sales.to_csv(tmp_path / "sales.csv", index=False)
    place = ("--storage", tmp_path)
    run = tuning(
        "run", "--data", tmp_path / "sales.csv", "--time", "date", "--series", "shop", "--target", "sales",
        "--horizon", HORIZON, "--season", 13, "--known", "promotion", "--metric", "mape", "--name", "sales",
        "--models", "lightgbm,linear_gd,lstm", "--trials", 2, "--address", ray_address, *place, *SMALL,
        "--set", "split.valid=20", "--set", "split.test=20",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    rows = leaderboard("sales", tmp_path)
    trials = pd.Series([row["model"] for row in rows]).value_counts()
    assert dict(trials) == {"lightgbm": 2, "linear_gd": 2, "lstm": 2, "naive": 1, "seasonal_naive": 1}
    assert {row["status"] for row in rows} <= {"completed", "pruned"}
    assert _best(rows, "lightgbm")["test"] < 0.7 * _best(rows, "seasonal_naive")["test"]
    assert tuning("audit", "sales", *place).returncode == 0

    forecast = _predict(tmp_path, None, place)
    assert list(forecast.columns) == ["shop", "date", "step", "prediction"]
    assert len(forecast) == 2 * HORIZON
    assert pd.to_datetime(forecast["date"]).min() == pd.Timestamp("2020-01-05") + pd.Timedelta(weeks=WEEKS)
    assert forecast[forecast["shop"] == "south"]["prediction"].min() > 500

    plain, promoted = (_predict(tmp_path, _latest(sales, promotion), place) for promotion in (0, 1))
    assert (promoted["prediction"] / plain["prediction"]).mean() > 1.15


def _predict(folder: Path, rows: pd.DataFrame | None, place: tuple[Any, ...]) -> pd.DataFrame:
    file: list[Path] = []
    if rows is not None:
        file = [folder / "latest.csv"]
        rows.to_csv(file[0], index=False)
    out = folder / "forecast.csv"
    done = tuning("predict", "sales", *file, "-o", out, "--model", "lightgbm", *place)
    assert done.returncode == 0, done.stderr
    return pd.read_csv(out)


def test_nothing_beats_the_last_value_of_a_random_walk(tmp_path: Path, ray_address: str) -> None:
    """A model that does would be looking at what it has to forecast."""
    rng = np.random.default_rng(11)
    steps = 700
    paths = [rate * np.exp(0.01 * rng.normal(size=steps).cumsum()) for rate in (1, 2, 9, 90)]
    walks = pd.DataFrame(
        {
            "day": np.tile(pd.date_range("2015-01-01", periods=steps).strftime("%Y-%m-%d"), 4),
            "currency": np.repeat(["a", "b", "c", "d"], steps),
            "rate": np.concatenate(paths),
            "other": rng.normal(size=4 * steps),
        }
    )
    walks.to_csv(tmp_path / "walks.csv", index=False)
    run = tuning(
        "run", "--data", tmp_path / "walks.csv", "--time", "day", "--series", "currency", "--target", "rate",
        "--horizon", 1, "--models", "lightgbm,linear_gd,lstm", "--trials", 3, "--name", "walks",
        "--address", ray_address, "--storage", tmp_path, *SMALL,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    scored = {row["model"]: row["test"] for row in leaderboard("walks", tmp_path) if row["test"] is not None}
    assert set(scored) == {"lightgbm", "linear_gd", "lstm", "naive", "seasonal_naive"}
    assert min(scored.values()) > 0.95 * scored["naive"]
