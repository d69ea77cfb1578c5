"""Test scores on public series and sequences, beside what needs no learning.

Runs the studies of the README's table one after the other, with their budgets, on data files that are not
part of this repository (the README says what they are), and prints a line for each: the test score of rank
1, and those of the last value and the seasonal naive forecast where the task is forecasting.

    python benchmarks/series.py DATA_FOLDER [--only peyton,retail] [--budget 3m] [--storage DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tuning import Study

_BASELINES = ("naive", "seasonal_naive")


@dataclass(frozen=True)
class Case:
    """One study: its data file, its target, its budget, and what it sets besides."""

    file: str
    target: str
    budget: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def walmart(horizon: int, budget: str) -> Case:
    """Weekly sales of 45 stores; the last 22 weeks are the test part, the 22 before them validate."""
    settings = {
        "time": "Date",
        "series": "Store",
        "horizon": horizon,
        "metric": "mape",
        "split": {"valid": 22, "test": 22},
        "data.roles.Holiday_Flag": "known",
    }
    return Case("walmart_sales.csv", "Weekly_Sales", budget, settings)


FEATURES: Mapping[str, Any] = {"metric": "f1_macro", "data.roles.domain_name": "drop"}
CASES = {
    "walmart-h1": walmart(1, "15m"),
    "walmart-h8": walmart(8, "6m"),
    "electricity": Case(
        "electricity_clients.csv",
        "load_kwh",
        "7m",
        {"time": "timestamp", "series": "client", "horizon": 24},
    ),
    "peyton": Case("peyton_manning.csv", "y", "3m", {"time": "ds", "horizon": 30}),
    "retail": Case(
        "retail_sales_monthly.csv",
        "y",
        "2m",
        {"time": "ds", "horizon": 12, "split": {"valid": 36, "test": 36}},
    ),
    "exchange": Case("exchange_rate.csv", "SGD", "3m", {"time": "date", "horizon": 1}),
    "names": Case(
        "domain_names.csv",
        "label",
        "7m",
        {"metric": "f1_macro", "models": "cnn_lstm", "data.roles.domain_name": "sequence"},
    ),
    "features": Case("domain_features.parquet", "label", "3m", FEATURES),
    "features-cnn": Case(
        "domain_features.parquet",
        "label",
        "11m",
        {
            **FEATURES,
            "models": "cnn_lstm",
            "split": {"folds": 5},
            "spaces": {"cnn_lstm": {"projection_width": 64}},
        },
    ),
    "vowels": Case(
        "japanese_vowels.json",
        "label",
        "2m",
        {
            "metric": "accuracy",
            "split": {"method": "column", "column": "split", "folds": 5},
            "data.roles.id": "drop",
            "data.roles.length": "drop",
        },
    ),
}


def run_case(name: str, case: Case, data: Path, storage: Path, budget: str | None) -> str:
    """One study, as a line of the table."""
    study = Study(
        name,
        data=data / case.file,
        target=case.target,
        storage=storage,
        quiet=True,
        **{"time_budget": budget or case.budget, **case.settings},
    )
    board = study.run().leaderboard()
    best = board.iloc[0]
    baselines = " / ".join(_number(score) for model in _BASELINES for score in _test_scores(board, model))
    took = budget or case.budget
    return f"| {name} | {took} | {len(board)} | {best['trial']} | {_number(best['test'])} | {baselines} |"


def _test_scores(board: pd.DataFrame, model: str) -> list[float]:
    """The one test score of a family; none where the family is not part of the study."""
    return [float(score) for score in board.loc[board["model"] == model, "test"].dropna()]


def _number(score: float | None) -> str:
    return "none" if score is None else f"{score:.4g}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--only", default=",".join(CASES), help=f"some of {', '.join(CASES)}")
    parser.add_argument("--budget", help="wall time of each study instead of its own")
    parser.add_argument("--storage", type=Path, help="keep the studies here")
    given = parser.parse_args()
    print(
        "| study | budget | trials | rank 1 | test | last value / seasonal naive |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.only.split(","):
            storage = given.storage or Path(scratch)
            print(run_case(name, CASES[name], given.data, storage, given.budget), flush=True)


if __name__ == "__main__":
    main()
