"""`tuning show`: how a study is configured, or all that is known of one of its trials."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from tuning.cli._console import make_console
from tuning.cli._options import DEFAULT_STORAGE, Storage, StudyName, storage_option
from tuning.cli._trial import trial_json, trial_tables
from tuning.config.url import mask_password
from tuning.errors import ConfigError
from tuning.models.errors import CheckpointError
from tuning.paths import from_home

if TYPE_CHECKING:
    from tuning.session import StudyFolder
    from tuning.store import TrialRecord
    from tuning.study import StudyHeader

_WIDTH = 140


class ShowFormat(StrEnum):
    """How it is printed."""

    TEXT = "text"
    JSON = "json"


def show(
    name: StudyName,
    trial: Annotated[
        str | None,
        typer.Argument(metavar="[TRIAL|best|FAMILY]", help="A trial's id, best, or a family: its best."),
    ] = None,
    output: Annotated[ShowFormat, typer.Option("--format", help="How to print it.")] = ShowFormat.TEXT,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pictures of the trial (PNG) into this folder.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Print how a study is configured, or what is known of one of its trials.

        tuning show NAME

        tuning show NAME best --figures pictures

    Metrics of classes, steps ahead and series are of the trial's best state. Passwords are not shown.
    """
    if trial is not None:
        _show_trial(name, storage, trial, output, figures)
    elif figures is not None:
        again = shlex.join(["tuning", "show", name, "best", "--figures", str(figures)])
        raise ConfigError(f"--figures: of which trial? Type {again}{storage_option(storage)}.")
    else:
        _show_study(name, storage, output)


def _show_study(name: str, storage: str, output: ShowFormat) -> None:
    from tuning.session import StudyFolder
    from tuning.study import StudyFile

    content = StudyFile.read(StudyFolder(storage, name)).model_dump(mode="json")
    for section, key in (("storage", "url"), ("monitoring", "mlflow")):
        place = content["config"][section]
        if place[key] is not None:
            place[key] = mask_password(place[key])
    is_json = output is ShowFormat.JSON
    typer.echo(
        json.dumps(content, indent=2) if is_json else yaml.safe_dump(content, sort_keys=False).rstrip()
    )


def _show_trial(name: str, storage: str, trial: str, output: ShowFormat, figures: Path | None) -> None:
    from tuning.study import choose_trial, read_header, read_leaderboard

    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        record = store.trial(*choose_trial(read_leaderboard(header, store), trial))
    labels = _labels(header, folder, record)
    if output is ShowFormat.JSON:
        content = trial_json(name, header.metric, header.direction, record, labels)
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
    else:
        console = make_console(_WIDTH)
        for table in trial_tables(name, header.metric, header.direction, record, labels):
            console.print(table, "")
    if figures is not None:
        _draw(header, folder, record, labels, from_home(figures))


def _labels(header: StudyHeader, folder: StudyFolder, record: TrialRecord) -> Sequence[Any]:
    """The label of each class code; the codes themselves when a kill came before labels were kept."""
    from tuning.data import read_classes

    if not header.task.is_classification:
        return ()
    try:
        with folder.mirror.reading(folder.transforms) as transforms:
            return read_classes(transforms / "fold-0")
    except CheckpointError:
        classes = [len(part["classes"]["f1"]) for part in record.details.values()]
        return range(max(classes, default=0))


def _draw(
    header: StudyHeader, folder: StudyFolder, record: TrialRecord, labels: Sequence[Any], figures: Path
) -> None:
    from tuning.figures import TrialPictures, draw_trial
    from tuning.trial import PREDICTIONS_NAME

    predictions = folder.trial(record.id) / PREDICTIONS_NAME
    folder.mirror.pull(predictions)
    pictures = TrialPictures(record, header.metric, header.direction, labels, predictions)
    for path in draw_trial(pictures, figures):
        typer.echo(f"Wrote {path}", err=True)
