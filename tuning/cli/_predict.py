"""`tuning predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuning.cli._options import DEFAULT_STORAGE, Storage, StudyName
from tuning.cli._output import check_output, write_output
from tuning.errors import InputError
from tuning.models import Task
from tuning.paths import from_home

if TYPE_CHECKING:
    import pandas as pd

    from tuning.data import Wanted


def predict(
    name: StudyName,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="Rows to predict; the target is not needed. Of series: their latest part, and what is known "
            "of the time to come; without it the training data are continued.",
        ),
    ] = None,
    *,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="OUT", help="CSV, Parquet or JSON lines (.jsonl) to write."),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="best|FAMILY|TRIAL|refit",
            help="best, the best of a family, a trial's id, or the final fit of 'tuning refit'.",
        ),
    ] = "best",
    allow_unknown: Annotated[
        bool,
        typer.Option(
            "--allow-unknown",
            help="Predict also where nearly all of a column holds values that the model does not know.",
        ),
    ] = False,
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="Where to predict.")] = "cpu",
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Predict new rows, or continue series, with a tuned model.

    OUT has a line for each row of FILE, in its order, with the columns that the model does not use in front,
    such as an identifier. The model is the best one, unless another is named:

        tuning predict NAME new_rows.csv -o predictions.csv

        tuning predict NAME -o forecast.csv --model lightgbm
    """
    from tuning.data import read_frame
    from tuning.study import check_device, open_predictor, read_header

    output, source = from_home(output), None if file is None else from_home(file)
    check_output(output, [] if source is None else [source])
    check_device(device)
    header, folder = read_header(storage, name)
    check_output(output, [Path(header.config.data.path)])
    frame = None if source is None else read_frame(source, header.config.data.delimiter)
    if frame is None and header.task is not Task.FORECASTING:
        again = folder.command("predict", "FILE", "-o", str(output))
        raise InputError(f"Which rows? Give a file: {again}.")
    trial, predictor = open_predictor(header, folder, model, device=device)
    predictions = predictor.predict(frame, allow_unknown=allow_unknown)
    if frame is not None:
        predictions = _beside_unused(predictions, frame, predictor.wanted, header.config.data.target)
    write_output(predictions, output)
    count = int(predictions["prediction"].notna().sum())
    typer.echo(f"Wrote {count} predictions of {trial} to {output}.", err=True)


def _beside_unused(
    predictions: pd.DataFrame, rows: pd.DataFrame, wanted: Wanted, target: str
) -> pd.DataFrame:
    """The predictions with the columns of their rows that the model does not use in front."""
    from tuning.data import unused_columns

    unused = unused_columns(rows, wanted, target)
    taken = [name for name in unused if name in predictions.columns]
    if taken:
        typer.echo(f"Not copied, as predictions have columns of that name: {', '.join(taken)}.", err=True)
    kept = rows[[name for name in unused if name not in taken]]
    if not predictions.index.isin(kept.index).all():
        kept = kept.convert_dtypes(convert_floating=False)  # whole numbers stay so beside empty cells
    return kept.reindex(predictions.index).join(predictions)
