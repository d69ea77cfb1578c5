"""Wrong options of forecasting: refused in one sentence, before Ray starts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.integration.command import Run

SERIES = ("--time", "day", "--series", "shop", "--horizon", "3")


def _run(tmp_path: Path, *options: str) -> list[str | Path]:
    """A command on two series of 60 days, with targets of 0 among others."""
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-01-01", periods=60)]
    rows = [f"{day},{shop},{k % 7 * 1.5},{k % 5}" for shop in "ab" for k, day in enumerate(days)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["day,shop,y,price", *rows]), encoding="utf-8")
    return ["run", "--data", path, "--target", "y", "--models", "linear_gd", "--trials", "1", *options]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--time", "day"), "data: time is for forecasting: give time and horizon as well"),
        (("--season", "7"), "data: season is for forecasting: give time and horizon as well"),
        (("--horizon", "3"), "data: task forecasting needs time"),
        (("--horizon", "3", "--time", " "), "data: task forecasting needs time"),
        (("--task", "forecasting"), "data: task forecasting needs horizon"),
        ((*SERIES, "--task", "regression"), "time is for task forecasting, the task is regression"),
        ((*SERIES, "--time", "dya"), "data.time: there is no column 'dya': did you mean 'day'"),
        ((*SERIES, "--series", "y"), "'y' is a column of the series as well"),
        ((*SERIES, "--horizon", "0"), "--horizon: input should be greater than or equal to 1, not 0"),
        ((*SERIES, "--horizon", "40"), "data.horizon: 40 steps ahead are too many for 60 time steps"),
        ((*SERIES, "--season", "0"), "--season: input should be greater than or equal to 1, not 0"),
        ((*SERIES, "--known", "y"), "'y' is the target, it cannot have the role known as well"),
        ((*SERIES, "--known", "price", "--drop", "price,"), "--drop: 'price' is named by --known as well"),
        ((*SERIES, "--set", "data.roles.price=numeric"), "use known, past, static or drop"),
        ((*SERIES, "--set", "split.test=1000"), "leave none of the 60 time steps to train on"),
        ((*SERIES, "--set", "split.valid=0"), "split: split.valid must be above 0"),
        ((*SERIES, "--set", "split.folds=40"), "lower the horizon, or split.folds"),
        ((*SERIES, "--set", "data.frequency=h"), "the times fit --set data.frequency=D"),
        ((*SERIES, "--metric", "accuracy"), "choose from mape, smape, wape, mae, rmse, mase"),
        ((*SERIES, "--metric", "mape"), "mape is not defined for a target of 0"),
        ((*SERIES, "--models", "cnn_lstm"), "cnn_lstm cannot do forecasting; choose from"),
        (("--models", "naive"), "naive cannot do regression; choose from"),
        (("--set", "split.test=10"), "The study: split.valid and split.test are shares below 1"),
        (("--known", "price"), "known is a role of forecasting"),
        (("--set", "search.trials=on"), "--set search.trials: this cannot be True"),
    ],
)
def test_wrong_options_of_series(refused: Run, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    assert words in refused(*_run(tmp_path, *options))
