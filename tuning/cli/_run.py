"""`tuning run` and `tuning resume`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuning.cli._options import DEFAULT_STORAGE, Quiet, Storage, StudyName
from tuning.config import StudyConfig, apply_settings, read_study_file, validate_config
from tuning.errors import ConfigError, StudyFailedError
from tuning.session import study_names

if TYPE_CHECKING:
    from tuning.study import Outcome

_DATA, _SEARCH, _PLACE = "What to learn", "How much to search", "Where and with what"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("run")(run)
    app.command("resume")(resume)


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
            help="regression or classification; inferred from the target if not given.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="M",
            help="Regression: rmse, mae, mape, smape, r2, rmsle. "
            "Classification: log_loss, roc_auc, accuracy, balanced_accuracy, f1_macro.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Columns to leave out.", rich_help_panel=_DATA),
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
        str | None, typer.Option(metavar="NAME", help="Name of the study.", rich_help_panel=_PLACE)
    ] = None,
    storage: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the studies [studies].", rich_help_panel=_PLACE),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR",
            help="local, auto (a running cluster), host:port or ray://...",
            rich_help_panel=_PLACE,
        ),
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option(metavar="K", help="Trials at once.", rich_help_panel=_PLACE)
    ] = None,
    cpus_per_trial: Annotated[
        float | None, typer.Option(metavar="C", help="CPUs of a trial.", rich_help_panel=_PLACE)
    ] = None,
    gpus_per_trial: Annotated[
        str | None,
        typer.Option(metavar="F|auto", help="GPU fraction of a trial that uses one.", rich_help_panel=_PLACE),
    ] = None,
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
    """
    options = {
        "data.path": None if data is None else str(data.absolute()),
        "data.target": target,
        "data.task": task,
        "metric": metric,
        "models": models,
        "search.trials": trials,
        "search.total_trials": total_trials,
        "search.time_budget_s": time_budget,
        "search.seed": seed,
        "name": name,
        "storage.folder": None if storage is None else str(storage),
        "address": address,
        "resources.max_concurrent": max_concurrent,
        "resources.cpus_per_trial": cpus_per_trial,
        "resources.gpus_per_trial": _number(gpus_per_trial),
    }
    config = _configure(study_file, options, _drops(drop), settings or [])
    from tuning.progress import make_view
    from tuning.study import run_study, set_up

    _conclude(run_study(set_up(config), make_view(quiet=quiet)), config.name, Path(config.storage.folder))


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
    storage: Storage = DEFAULT_STORAGE,
    quiet: Quiet = False,
) -> None:
    """Go on with an interrupted study, or extend a finished one.

    Unfinished trials go on from their own last checkpoint; nothing that finished runs again:

        tuning resume NAME

        tuning resume NAME --trials 100 --models catboost
    """
    from tuning.progress import make_view
    from tuning.study import run_study, search_changes, take_up

    added = [part.strip() for part in models.split(",")] if models else []
    study = take_up(storage, name, search_changes(trials, time_budget, total_trials), added)
    outcome = run_study(study, make_view(quiet=quiet), new_time_budget=time_budget is not None)
    _conclude(outcome, name, storage)


def _configure(
    file: Path | None, options: Mapping[str, Any], roles: Mapping[str, str], settings: list[str]
) -> StudyConfig:
    raw = {} if file is None else read_study_file(file)
    if file is not None:
        _resolve_data_path(raw, file.absolute().parent)
    _apply(raw, options)
    if roles:
        data = raw.setdefault("data", {})
        data["roles"] = {**data.get("roles", {}), **roles}
    raw = apply_settings(raw, settings)
    _require_data(raw)
    raw.setdefault("name", _free_name(raw))
    return validate_config(raw, str(file) if file else "the command line")


def _apply(raw: dict[str, Any], options: Mapping[str, Any]) -> None:
    for key, value in options.items():
        if value is not None:
            *path, last = key.split(".")
            section = raw
            for part in path:
                section = section.setdefault(part, {})
            section[last] = value


def _resolve_data_path(raw: dict[str, Any], folder: Path) -> None:
    """A data path in a study file is relative to that file."""
    data = raw.get("data")
    if isinstance(data, dict) and isinstance(data.get("path"), str):
        data["path"] = str(folder / data["path"])


def _require_data(raw: Mapping[str, Any]) -> None:
    data = raw.get("data") or {}
    for key, option in (("path", "--data FILE"), ("target", "--target COL")):
        if isinstance(data, dict) and key not in data:
            raise ConfigError(f"Which {key}? Give {option}, or a study file with data.{key}.")


def _free_name(raw: Mapping[str, Any]) -> str:
    """`abalone-1`, or the first number that is free."""
    stem = Path(str(raw["data"]["path"])).name.split(".")[0]
    folder = Path(str((raw.get("storage") or {}).get("folder", DEFAULT_STORAGE)))
    taken = set(study_names(folder))
    return next(name for number in range(1, 10**6) if (name := f"{stem}-{number}") not in taken)


def _drops(columns: str | None) -> dict[str, str]:
    return {column.strip(): "drop" for column in columns.split(",")} if columns else {}


def _number(text: str | None) -> Any:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _conclude(outcome: Outcome, name: str, storage: Path) -> None:
    """Print the leaderboard and what to type next; end with the exit code that fits."""
    from tuning.cli._look import print_leaderboard
    from tuning.study import all_failed

    print_leaderboard(outcome.leaderboard, top=10)
    place = "" if storage.resolve() == DEFAULT_STORAGE.resolve() else f" --storage {storage}"
    if outcome.interrupted:
        typer.echo(f"\nInterrupted; nothing is lost. Go on with: tuning resume {name}{place}", err=True)
        raise typer.Exit(130)
    if all_failed(outcome.leaderboard):
        raise StudyFailedError(
            f"Every trial of {name} failed or diverged; see why: tuning leaderboard {name} --all{place}"
        )
    typer.echo(f"\nPredict with it: tuning predict {name} FILE -o predictions.csv{place}", err=True)
