"""The commands, and how each ends: its exit code, and one sentence where something is wrong."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from tuning.cli import _dashboard, _jobs, _look, _predict, _refit, _run, _show, _submit
from tuning.config.explain import closest, full_stop
from tuning.errors import InputError, TuningError

_INTERRUPTED = 130

_HELP = (
    "Tune every model family that fits your data, side by side, on all of your hardware.\n\n"
    "Start with:\n\n"
    "    tuning run --data table.csv --target column --time-budget 10m"
)


# Its public name is the one of what derives from it alone; typer may have a click of its own.
_UsageError: Any = typer.BadParameter.__base__


class _Commands(TyperGroup):
    """The commands: what is wrong and a Ctrl-C end in one sentence, where typer draws a box or is silent."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        try:
            result = super().main(*args, **{"prog_name": app.info.name, **options, "standalone_mode": False})
        except _UsageError as error:
            if not error.format_message():  # No word was given at all: it shows the help.
                error.show()
                raise SystemExit(error.exit_code) from error
            _stop(_usage(error), error.exit_code)
        if standalone_mode:
            raise SystemExit(result if isinstance(result, int) else 0)
        return result

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _stop("Interrupted.", _INTERRUPTED)


def _usage(error: Any) -> str:
    """What is wrong with the words of a command, and what to type instead."""
    wrong = getattr(error, "option_name", None)
    if getattr(error, "possibilities", None) is not None and wrong is not None:
        known = [name for option in error.ctx.command.params for name in option.opts if name.startswith("--")]
        known = [name for name in known if name.startswith(wrong)] or known
        return full_stop(f"There is no option {wrong} of '{error.ctx.command_path}'{closest(wrong, known)}")
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    if message.endswith("?") or error.ctx is None:
        return full_stop(message)
    return f"{message}; see '{error.ctx.command_path} --help'."


app = typer.Typer(
    name="tuning",
    cls=_Commands,
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


def run() -> None:
    """Run the command line; wrong input is one sentence on stderr and exit code 2."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s: %(message)s")
    try:
        app()
    except InputError as error:
        _stop(str(error), 2)
    except TuningError as error:
        _stop(str(error), 1)
    except KeyboardInterrupt:
        _stop("Interrupted.", _INTERRUPTED)


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"\n{message}" if code == _INTERRUPTED else f"Error: {message}", err=True)
    raise SystemExit(code)
