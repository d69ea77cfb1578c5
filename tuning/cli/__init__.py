"""The command line: `tuning run`, `resume`, `leaderboard`, `predict`, `audit` and what looks around."""

from __future__ import annotations

import logging
import sys

import typer

from tuning.cli import _look, _predict, _run
from tuning.errors import InputError, TuningError

app = typer.Typer(
    name="tuning",
    help="Tune every model family that fits your data, side by side, on all of your hardware.\n\n"
    "Start with: tuning run --data table.csv --target column --time-budget 10m",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
_run.register(app)
_look.register(app)
_predict.register(app)


def main() -> None:
    """Run the command line; wrong input is one sentence on stderr and exit code 2."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s: %(message)s")
    try:
        app()
    except InputError as error:
        _stop(str(error), 2)
    except TuningError as error:
        _stop(str(error), 1)
    except KeyboardInterrupt:
        _stop("Interrupted.", 130)


def _stop(message: str, code: int) -> None:
    typer.echo(f"Error: {message}", err=True)
    raise SystemExit(code)
