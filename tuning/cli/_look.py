"""`tuning leaderboard`, `list`, `show`, `models`, `audit` and `doctor`."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table

from models import family_names, load_family
from tuning.cli._options import DEFAULT_STORAGE, Storage, StudyName
from tuning.errors import ConfigError, RecordError
from tuning.session import study_names

if TYPE_CHECKING:
    from tuning.leaderboard import Leaderboard


class Format(StrEnum):
    """How a leaderboard is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("leaderboard")(leaderboard)
    app.command("list")(list_studies)
    app.command("show")(show)
    app.command("audit")(audit_study)
    app.command("models")(models)
    app.command("doctor")(doctor)


def leaderboard(
    name: StudyName,
    top: Annotated[int | None, typer.Option(metavar="N", help="Only the first N rows.")] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Failed, diverged and running trials too.")] = False,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Print a study's trials, ranked by the score they were searched on."""
    from tuning.study import read_header, read_leaderboard

    header, folder = read_header(storage, name)
    store = header.open_store(folder)
    board = read_leaderboard(header, store)
    store.close()
    print_leaderboard(board, top, show_all=show_all, output=output)


def print_leaderboard(
    board: Leaderboard, top: int | None, *, show_all: bool = False, output: Format = Format.TABLE
) -> None:
    """Print a leaderboard to stdout."""
    if output is Format.TABLE:
        console = Console()
        width = console.width if console.is_terminal else max(console.width, 140)
        Console(width=width).print(board.table(top=top, show_all=show_all))
        return
    if output is Format.MARKDOWN:
        text = board.to_markdown(top, show_all=show_all)
    else:
        text = board.to_json() if output is Format.JSON else board.to_csv()
    typer.echo(text.rstrip("\n"))


def list_studies(storage: Storage = DEFAULT_STORAGE) -> None:
    """List the studies of a storage folder."""
    from tuning.store import is_driven
    from tuning.study import read_header, read_leaderboard

    table = Table("study", "task", "metric", "models", "trials", "best", "state", "created")
    for name in study_names(storage):
        header, folder = read_header(storage, name)
        store = header.open_store(folder)
        rows = read_leaderboard(header, store).rows
        store.close()
        best = rows[0].valid if rows and rows[0].rank == 1 else None
        state = "running" if is_driven(folder.root) else "at rest"
        families = ", ".join(family.name for family in header.families)
        score = "-" if best is None else f"{best:.5g}"
        table.add_row(
            name, header.task, header.metric, families, str(len(rows)), score, state, header.created_at
        )
    Console(width=None if Console().is_terminal else 160).print(table)


def show(name: StudyName, storage: Storage = DEFAULT_STORAGE) -> None:
    """Print how a study is configured."""
    from tuning.session import StudyFolder

    typer.echo(yaml.safe_dump(StudyFolder(storage, name).read_study(), sort_keys=False).rstrip("\n"))


def audit_study(name: StudyName, storage: Storage = DEFAULT_STORAGE) -> None:
    """Check that a study's record and its folder agree; exit code 1 when they do not."""
    from tuning.study import audit, read_header

    header, folder = read_header(storage, name)
    findings = audit(header, folder)
    for finding in findings:
        typer.echo(str(finding))
    if findings:
        typer.echo(f"{len(findings)} disagreements between the record and the folder of {name}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"The record and the folder of {name} agree.")


def models(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Show this family's space.")] = None,
) -> None:
    """List the model families, or show what is searched of one."""
    from tuning.space import load_space

    if model is None:
        table = Table("model", "tasks", "GPU", "what it is")
        for name in family_names():
            family = load_family(name)
            tasks = ", ".join(sorted(task.value for task in family.tasks))
            table.add_row(name, tasks, "yes" if family.uses_gpu else "no", load_space(name).description)
        Console(width=None if Console().is_terminal else 140).print(table)
        return
    if model not in family_names():
        raise ConfigError(f"There is no model {model!r}: choose from {', '.join(family_names())}.")
    typer.echo(yaml.safe_dump(load_space(model).model_dump(exclude_unset=True), sort_keys=False).rstrip("\n"))


_LIBRARIES = ("ray", "optuna", "torch", "lightgbm", "xgboost", "catboost", "scikit-learn", "numpy", "pandas")


def doctor(storage: Storage = DEFAULT_STORAGE) -> None:
    """Check the installation: libraries, CPUs, GPUs, the storage folder."""
    table = Table("what", "found")
    table.add_row("Python", platform.python_version())
    missing = []
    for library in _LIBRARIES:
        try:
            table.add_row(library, version(library))
        except PackageNotFoundError:
            missing.append(library)
            table.add_row(library, "missing")
    table.add_row("CPUs", str(os.cpu_count()))
    table.add_row("GPUs", _gpus())
    table.add_row("storage", _describe_storage(storage))
    Console(width=None if Console().is_terminal else 120).print(table)
    if missing:
        raise RecordError(f"Not installed: {', '.join(missing)}; type pip install tuning-on-ray.")


def _gpus() -> str:
    if importlib.util.find_spec("torch") is None:
        return "unknown: torch is missing"
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(names) or "none: networks and boosters train on the CPU"


def _describe_storage(storage: Path) -> str:
    place = storage if storage.exists() else storage.absolute().parent
    writable = "writable" if os.access(place, os.W_OK) else "NOT writable"
    free_gb = shutil.disk_usage(place).free / 1e9
    return f"{storage.absolute()}: {writable}, {free_gb:.0f} GB free, {len(study_names(storage))} studies"
