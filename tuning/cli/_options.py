"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuning.storage import DEFAULT_STORAGE, storage_option

__all__ = ["DEFAULT_STORAGE", "OPTION_NAMES", "storage_option"]

PLACE_PANEL = "Where and with what"

Storage = Annotated[
    str,
    typer.Option(
        "--storage",
        metavar="DIR|URI",
        help="Folder that holds the study folders, or their place in an object store (s3://BUCKET/FOLDER).",
    ),
]
StudyName = Annotated[str, typer.Argument(metavar="NAME", help="The study; 'tuning list' shows them.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]

MovedData = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="Where the study's table is now, if it was moved."),
]

Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDR",
        help="local (Ray is started here), auto (the cluster of this machine) or host:port.",
        rich_help_panel=PLACE_PANEL,
    ),
]
MaxConcurrent = Annotated[
    int | None, typer.Option(metavar="K", help="Trials at once.", rich_help_panel=PLACE_PANEL)
]
CpusPerTrial = Annotated[
    float | None, typer.Option(metavar="C", help="CPUs of a trial.", rich_help_panel=PLACE_PANEL)
]
GpusPerTrial = Annotated[
    str | None,
    typer.Option(
        metavar="F|auto", help="GPU fraction of a trial that uses one.", rich_help_panel=PLACE_PANEL
    ),
]
WorkersPerTrial = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Workers that train one trial together, each with those CPUs and GPUs; also on several nodes.",
        rich_help_panel=PLACE_PANEL,
    ),
]

MONITORING_PANEL = "Where to watch it"
TensorBoard = Annotated[
    bool | None,
    typer.Option(
        "--tensorboard/--no-tensorboard",
        help="Write TensorBoard events into the study folder.",
        rich_help_panel=MONITORING_PANEL,
        show_default=False,
    ),
]
MLflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow",
        metavar="URI|none",
        help="Log every trial to this MLflow server or database (sqlite:///mlflow.db).",
        rich_help_panel=MONITORING_PANEL,
    ),
]

OPTION_NAMES = {
    "name": "--name",
    "data.path": "--data",
    "data.target": "--target",
    "data.task": "--task",
    "data.roles": "--drop",
    "data.time": "--time",
    "data.series": "--series",
    "data.horizon": "--horizon",
    "data.season": "--season",
    "metric": "--metric",
    "models": "--models",
    "search.trials": "--trials",
    "search.total_trials": "--total-trials",
    "search.time_budget_s": "--time-budget",
    "search.seed": "--seed",
    "storage.folder": "--storage",
    "monitoring.tensorboard": "--tensorboard",
    "monitoring.mlflow": "--mlflow",
    "address": "--address",
    "resources.max_concurrent": "--max-concurrent",
    "resources.cpus_per_trial": "--cpus-per-trial",
    "resources.gpus_per_trial": "--gpus-per-trial",
    "resources.workers_per_trial": "--workers-per-trial",
}
"""Entry of a study's configuration -> the option that sets it."""


def given(entries: dict[str, Any]) -> dict[str, Any]:
    """The entries that were given on the command line."""
    return {key: value for key, value in entries.items() if value is not None}


def number_or_text(text: str | None) -> Any:
    """A number where the text is one, to be validated with the configuration otherwise."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
