"""`tuning run` and `tuning resume`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tuning.cli._configure import FreeName, configure, names, roles_of
from tuning.cli._loading import interruptible
from tuning.cli._options import (
    DEFAULT_STORAGE,
    OPTION_NAMES,
    PLACE_PANEL,
    Address,
    CpusPerTrial,
    GpusPerTrial,
    MaxConcurrent,
    MLflow,
    MovedData,
    Quiet,
    Storage,
    StudyName,
    TensorBoard,
    WorkersPerTrial,
    given,
    number_or_text,
    storage_option,
)
from tuning.config import set_entry
from tuning.errors import StudyFailedError
from tuning.models import Task
from tuning.paths import from_home
from tuning.session import StudyFolder
from tuning.store import Status

if TYPE_CHECKING:
    from tuning.leaderboard import Leaderboard
    from tuning.study import Outcome

_DATA, _SERIES, _SEARCH = "What to learn", "Forecasting", "How much to search"


def run(
    study_file: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.yaml]", help="Study file; options override its entries.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV, Parquet, JSON or JSON lines.", rich_help_panel=_DATA),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COL", help="Column to predict.", rich_help_panel=_DATA)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="regression, classification or forecasting; inferred if not given.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="M",
            help="Regression: rmse, mae, mape, smape, r2, rmsle. "
            "Classification: log_loss, roc_auc, accuracy, balanced_accuracy, f1_macro. "
            "Forecasting: mase, mape, smape, wape, mae, rmse.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Columns to leave out.", rich_help_panel=_DATA),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COL", help="Column of the time stamps, or its parts: date,hour.", rich_help_panel=_SERIES
        ),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column that tells the series apart.", rich_help_panel=_SERIES),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="N", help="Steps to forecast.", rich_help_panel=_SERIES)
    ] = None,
    season: Annotated[
        int | None,
        typer.Option(metavar="M", help="Steps of a season [by the frequency].", rich_help_panel=_SERIES),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Columns known for the time to come; the others only up to a forecast's origin.",
            rich_help_panel=_SERIES,
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="A,B|all",
            help="Families ('tuning models' lists them) or paths of your own model files.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trials per family.", rich_help_panel=_SEARCH)
    ] = None,
    total_trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trials over all families.", rich_help_panel=_SEARCH)
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(metavar="10m", help="Wall time.", rich_help_panel=_SEARCH)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="0", help="Seed of everything.", rich_help_panel=_SEARCH)
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the study.", rich_help_panel=PLACE_PANEL)
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URI",
            help="Folder of the studies, or their place in an object store: s3://BUCKET/FOLDER [studies].",
            rich_help_panel=PLACE_PANEL,
        ),
    ] = None,
    address: Address = None,
    max_concurrent: MaxConcurrent = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    workers_per_trial: WorkersPerTrial = None,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY.PATH=VALUE",
            help="Any entry of a study file, e.g. pruning.pruner=median or spaces.lightgbm.num_leaves=31.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Tune on your data and print the leaderboard.

    One family or all, for a number of trials or a time:

        tuning run --data table.csv --target price --metric smape --time-budget 10m

        tuning run study.yaml --set search.sampler=gp --trials 50

    Series are continued, and scored on their last part, when a time and a horizon are given:

        tuning run --data sales.csv --time date --series store --target sales --horizon 4
    """
    options = given(
        {
            "data.path": data and str(from_home(data).absolute()),
            "data.target": target,
            "data.task": task,
            "data.time": time,
            "data.series": series,
            "data.horizon": horizon,
            "data.season": season,
            "metric": metric,
            "models": models,
            "search.trials": trials,
            "search.total_trials": total_trials,
            "search.time_budget_s": time_budget,
            "search.seed": seed,
            "name": name,
            "storage.folder": storage,
            "address": address,
            "resources.max_concurrent": max_concurrent,
            "resources.cpus_per_trial": cpus_per_trial,
            "resources.gpus_per_trial": number_or_text(gpus_per_trial),
            "resources.workers_per_trial": workers_per_trial,
            "monitoring.tensorboard": tensorboard,
            "monitoring.mlflow": mlflow,
        }
    )
    free_name = FreeName()
    roles = roles_of(names(drop), names(known))
    config = configure(study_file and from_home(study_file), options, roles, settings or [], free_name)
    with interruptible():
        from tuning.progress import make_view
        from tuning.study import run_study, set_up

    storage_folder = config.storage.folder
    with _resume_line(config.name, storage_folder):
        study = set_up(config, next_name=free_name.again)
        name = study.folder.name
        with _resume_line(name, storage_folder):
            outcome = run_study(study, make_view(quiet=quiet))
    _conclude(outcome, name, storage_folder)


def resume(
    name: StudyName,
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trials per family in all, finished ones included.")
    ] = None,
    total_trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trials over all families, finished ones included.")
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(metavar="10m", help="Further wall time from now.")
    ] = None,
    models: Annotated[str | None, typer.Option(metavar="A,B", help="Families to add.")] = None,
    data: MovedData = None,
    address: Address = None,
    max_concurrent: MaxConcurrent = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    workers_per_trial: WorkersPerTrial = None,
    tensorboard: TensorBoard = None,
    mlflow: MLflow = None,
    storage: Storage = DEFAULT_STORAGE,
    quiet: Quiet = False,
) -> None:
    """Go on with an interrupted study, or extend a finished one.

    Unfinished trials go on from their own last checkpoint; nothing that finished runs again:

        tuning resume NAME

        tuning resume NAME --trials 100 --models catboost
    """
    options = given(
        {
            "search.trials": trials,
            "search.total_trials": total_trials,
            "search.time_budget_s": time_budget,
            "address": address,
            "resources.max_concurrent": max_concurrent,
            "resources.cpus_per_trial": cpus_per_trial,
            "resources.gpus_per_trial": number_or_text(gpus_per_trial),
            "resources.workers_per_trial": workers_per_trial,
            "monitoring.tensorboard": tensorboard,
            "monitoring.mlflow": mlflow,
        }
    )
    changes: dict[str, Any] = {}
    for key, value in options.items():
        set_entry(changes, key, value)
    with interruptible():
        from tuning.progress import make_view
        from tuning.study import run_study, take_up

    with _resume_line(name, storage):
        outcome = run_study(
            take_up(storage, name, changes, names(models), data=data, given_by=OPTION_NAMES),
            make_view(quiet=quiet),
            new_time_budget=time_budget is not None,
            new_trials=trials is not None or total_trials is not None,
        )
    _conclude(outcome, name, storage)


@contextmanager
def _resume_line(name: str, storage: str) -> Iterator[None]:
    """Name the way back also where a signal comes while nothing trains: at the start, at the end, twice."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        # Ray puts a handler of its own in place, which turns SIGTERM into an exit with that code.
        by_signal = isinstance(error, KeyboardInterrupt) or error.code == signal.SIGTERM
        if not by_signal:
            raise
        if not StudyFolder(storage, name).exists():
            typer.echo(f"\nInterrupted before the study {name} was set up; nothing has run.", err=True)
            raise typer.Exit(130) from error
        _exit_interrupted(name, storage)
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _exit_interrupted(name: str, storage: str) -> NoReturn:
    line = f"tuning resume {name}{storage_option(storage)}"
    typer.echo(f"\nInterrupted; nothing is lost. Go on with: {line}", err=True)
    raise typer.Exit(130)


def _conclude(outcome: Outcome, name: str, storage: str) -> None:
    """Print the leaderboard and what to type next; end with the exit code that fits."""
    from tuning.cli._look import print_leaderboard

    print_leaderboard(outcome.leaderboard, top=10)
    if outcome.notice is not None:
        typer.echo(f"\n{name}: {outcome.notice}", err=True)
    place = storage_option(storage)
    if outcome.interrupted:
        _exit_interrupted(name, storage)
    if not outcome.leaderboard.ranked:
        raise StudyFailedError(_why_no_score(outcome.leaderboard, name, place))
    files = "-o forecast.csv" if outcome.leaderboard.task == Task.FORECASTING else "FILE -o predictions.csv"
    typer.echo(f"\nPredict with it: tuning predict {name} {files}{place}", err=True)


def _why_no_score(leaderboard: Leaderboard, name: str, place: str) -> str:
    """Why a study that ran to its end ranks nothing, and what to type."""
    failed = [row for row in leaderboard.rows if row.status in (Status.FAILED, Status.DIVERGED)]
    if not failed:
        return (
            f"No trial of {name} got a score in the time; "
            f"give it more: tuning resume {name} --time-budget 10m{place}"
        )
    is_every = len(failed) == len(leaderboard.rows)
    what = f"Every trial of {name} failed or diverged" if is_every else f"No trial of {name} got a score"
    return f"{what}; see why: tuning leaderboard {name} --all{place}"
