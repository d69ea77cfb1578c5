"""`tuning leaderboard`, `list`, `models`, `audit` and `doctor`."""

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
from rich.table import Table
from rich.text import Text

from tuning.cli._console import make_console
from tuning.cli._options import DEFAULT_STORAGE, Storage, StudyName
from tuning.config.explain import closest, full_stop
from tuning.errors import ConfigError, InputError, RecordError
from tuning.leaderboard.number import format_number
from tuning.models import family_names, load_family
from tuning.session import study_names
from tuning.storage import open_place
from tuning.versions import LIBRARIES

if TYPE_CHECKING:
    from tuning.leaderboard import Leaderboard
    from tuning.session import StudyFolder
    from tuning.study import StudyHeader


class Format(StrEnum):
    """How a leaderboard is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def leaderboard(
    name: StudyName,
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The first N rows and the best of each family.")
    ] = None,
    show_all: Annotated[
        bool,
        typer.Option(
            "--all", help="Failed, diverged and running trials too; JSON and CSV have them without --top."
        ),
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Print a study's trials, ranked by the score they were searched on."""
    from tuning.study import read_header

    board = _read_board(*read_header(storage, name))
    print_leaderboard(board, top, show_all=show_all, output=output)


def print_leaderboard(
    board: Leaderboard, top: int | None, *, show_all: bool = False, output: Format = Format.TABLE
) -> None:
    """Print a leaderboard to stdout; JSON and CSV hold all of it unless `top` is given."""
    if output is Format.TABLE:
        console = make_console(140)
        console.print(board.table(top=top, show_all=show_all, width=console.width))
        return
    if output is Format.MARKDOWN:
        text = board.to_markdown(top, show_all=show_all)
    else:
        chosen = board if top is None else board.select(top, show_all=show_all)
        text = chosen.to_json() if output is Format.JSON else chosen.to_csv()
    typer.echo(text.rstrip("\n"))


def list_studies(storage: Storage = DEFAULT_STORAGE) -> None:
    """List the studies of a storage folder."""
    table = Table("study", "task", "metric", "models", "trials", "best", "state", "created")
    for name in study_names(storage):
        try:
            cells = _describe_study(storage, name)
        except InputError as error:
            cells = ("?", "?", "?", "?", "?", f"cannot be read: {error}", "?")
        table.add_row(name, *(Text(cell) for cell in cells))
    make_console(160).print(table)


def _describe_study(storage: str, name: str) -> tuple[str, ...]:
    """Task, metric, models, trials, best score, state and time of creation."""
    from tuning.study import read_header

    header, folder = read_header(storage, name)
    board = _read_board(header, folder)
    families = ", ".join(family.name for family in header.families)
    best = "-" if board.best is None else format_number(board.best.valid)
    state = "running" if folder.is_driven() else "at rest"
    return header.task, header.metric, families, str(len(board.rows)), best, state, header.created_at


def _read_board(header: StudyHeader, folder: StudyFolder) -> Leaderboard:
    from tuning.study import read_leaderboard

    with header.open_store(folder) as store:
        return read_leaderboard(header, store)


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
        make_console(140).print(table)
        return
    if model not in family_names():
        raise ConfigError(full_stop(f"There is no model {model!r}{closest(model, family_names())}"))
    typer.echo(yaml.safe_dump(load_space(model).model_dump(exclude_unset=True), sort_keys=False).rstrip("\n"))


def doctor(storage: Storage = DEFAULT_STORAGE) -> None:
    """Check the installation: libraries, CPUs, GPUs, the storage folder."""
    table = Table("what", "found")
    table.add_row("Python", platform.python_version())
    missing = []
    for library in LIBRARIES:
        try:
            table.add_row(library, version(library))
        except PackageNotFoundError:
            missing.append(library)
            table.add_row(library, "missing")
    table.add_row("CPUs", _cpus())
    table.add_row("GPUs", _gpus())
    table.add_row("storage", _describe_storage(storage))
    make_console(120).print(table)
    if missing:
        raise RecordError(f"Not installed: {', '.join(missing)}; type pip install tuning-on-ray.")


def _cpus() -> str:
    """Return the CPUs that a Ray started here has, and how many there are, where these differ."""
    from joblib import cpu_count

    usable, there = cpu_count(), os.cpu_count()
    return (
        str(usable) if usable == there else f"{usable} (this machine has {there}, not all for this process)"
    )


def _gpus() -> str:
    if importlib.util.find_spec("torch") is None:
        return "unknown: torch is missing"
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(names) or "none: networks and boosters train on the CPU"


def _describe_storage(storage: str) -> str:
    opened = open_place(storage)
    if not isinstance(opened, Path):
        return f"{opened}: {len(study_names(storage))} studies"
    whole = opened.absolute()
    place = next(path for path in (whole, *whole.parents) if path.exists())
    writable = "writable" if os.access(place, os.W_OK) else "NOT writable"
    free_gb = shutil.disk_usage(place).free / 1e9
    return f"{whole}: {writable}, {free_gb:.0f} GB free, {len(study_names(storage))} studies"
