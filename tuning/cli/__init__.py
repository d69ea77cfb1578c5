"""The command line: `tuning run`, `resume`, `leaderboard`, `predict`, `audit` and what looks around."""

from __future__ import annotations

import errno
import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from tuning.cli import _dashboard, _jobs, _look, _predict, _refit, _run, _show, _submit
from tuning.errors import InputError, TuningError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_HELP = (
    "Tune every model family that fits your data, side by side, on all of your hardware.\n\n"
    "Start with:\n\n"
    "    tuning run --data table.csv --target column --time-budget 10m"
)

app = typer.Typer(
    name="tuning",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("run")(_run.run)
app.command("resume")(_run.resume)
app.command("leaderboard")(_look.leaderboard)
app.command("predict")(_predict.predict)
app.command("refit")(_refit.refit)
app.command("audit")(_look.audit_study)
app.command("show")(_show.show)
app.command("submit")(_submit.submit)
app.command("jobs")(_jobs.jobs)
app.command("logs")(_jobs.logs)
app.command("stop")(_jobs.stop)
app.command("await")(_jobs.await_gpus)
app.command("dashboard")(_dashboard.dashboard)
app.command("list")(_look.list_studies)
app.command("models")(_look.models)
app.command("doctor")(_look.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuning {version('tuning-on-ray')}")
        raise typer.Exit


@app.callback(help=_HELP)
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Run the command line; wrong input is one sentence on stderr and exit code 2."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s: %(message)s")
    try:
        app()
    except InputError as error:
        _stop(str(error), 2)
    except TuningError as error:
        _stop(str(error), 1)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _stop(f"{error.filename or 'the disk'}: {error.strerror}; free some room and type it again.", 1)
    except KeyboardInterrupt:
        _stop("Interrupted.", 130)


def _stop(message: str, code: int) -> None:
    typer.echo(f"Error: {message}", err=True)
    raise SystemExit(code)
