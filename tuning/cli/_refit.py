"""`tuning refit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuning.cli._options import DEFAULT_STORAGE, Address, MovedData, Storage, StudyName, storage_option
from tuning.errors import ConfigError

if TYPE_CHECKING:
    from tuning.study import Refit


def refit(
    name: StudyName,
    trial: Annotated[
        str,
        typer.Option(metavar="best|FAMILY|TRIAL", help="best, the best of a family, or a trial's id."),
    ] = "best",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Workers, each with a GPU if there are any; N batches make one step [one a GPU].",
        ),
    ] = None,
    rows: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="train+valid|all",
            help="Rows to train on. train+valid leaves the test rows, which score it; all leaves none.",
        ),
    ] = "train+valid",
    address: Address = None,
    data: MovedData = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Train the best configuration once more, on more rows and all GPUs, to predict with.

    For as long as its best state was trained; the test rows stay untouched, unless all rows are asked for:

        tuning refit NAME

        tuning refit NAME --trial lightgbm --on all

        tuning predict NAME new_rows.csv -o predictions.csv --model refit
    """
    from tuning.data import FinalRows
    from tuning.study import refit as run_refit

    if rows not in set(FinalRows):
        raise ConfigError(f"--on: there is no {rows!r}; choose from {', '.join(FinalRows)}.")
    result = run_refit(
        storage,
        name,
        trial,
        workers=workers,
        rows=FinalRows(rows),
        address=address,
        data=data,
        tell=lambda line: typer.echo(line, err=True),
    )
    _tell(result, name, storage)


def _tell(result: Refit, name: str, storage: str) -> None:
    """What was trained, where it is, and how it does on rows that it has not seen."""
    count = "1 worker" if result.workers == 1 else f"{result.workers} workers"
    lines = [
        f"{result.trial} trained on {result.rows:,} rows ({result.trained_on}) for {result.units} units "
        f"in {result.seconds:.1f} s by {count}; it is in {result.place}",
        *_test_lines(result),
        f"Predict with it: tuning predict {name} FILE -o predictions.csv --model refit"
        f"{storage_option(storage)}",
    ]
    for line in ([result.note] if result.note else []) + lines:
        typer.echo(line, err=True)


def _test_lines(result: Refit) -> list[str]:
    if not result.test:
        return ["It has no score: no row is left that it was not trained on."]
    return [
        f"Test {metric}: {value:.4g}"
        + (f" (the trial itself: {result.trial_test[metric]:.4g})" if metric in result.trial_test else "")
        for metric, value in result.test.items()
    ]
