"""`tuning dashboard`: where a study can be watched."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from tuning.cli._options import DEFAULT_STORAGE, Storage, StudyName

if TYPE_CHECKING:
    from tuning.study import Page

_NAME_WIDTH, _STATE_WIDTH = 18, 13


def dashboard(
    name: StudyName,
    storage: Storage = DEFAULT_STORAGE,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Ray's dashboard, http://HOST:8265 [where the running study's driver says it is].",
        ),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="RAY_PROMETHEUS_HOST", help="Prometheus [http://localhost:9090]."),
    ] = None,
    grafana: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="RAY_GRAFANA_HOST", help="Grafana [http://localhost:3000]."),
    ] = None,
    open_pages: Annotated[
        bool, typer.Option("--open/--no-open", help="Open what is running in a browser.")
    ] = True,
) -> None:
    """Say where a study can be watched, and open what is running.

    Ray's dashboard, Prometheus, Grafana, optuna-dashboard, TensorBoard, MLflow and the study's files; with
    the command that starts what is not running:

        tuning dashboard NAME

        tuning dashboard NAME --no-open --address http://head:8265
    """
    from tuning.study import find_pages, read_header

    header, folder = read_header(storage, name)
    given = {"dashboard": address, "prometheus": prometheus, "grafana": grafana}
    pages = find_pages(header, folder, **{key: url for key, url in given.items() if url is not None})
    for page in pages:
        _print_page(page)
    if open_pages:
        _open([page.where for page in pages if page.opens])


def _print_page(page: Page) -> None:
    where, *notes = [text for text in (page.where, page.hint) if text]
    typer.echo(f"{page.name:{_NAME_WIDTH}}{page.state:{_STATE_WIDTH}}{where}")
    for note in notes:
        typer.echo(" " * (_NAME_WIDTH + _STATE_WIDTH) + note)


def _open(urls: list[str]) -> None:
    # Each is tried, so no `all`: it would end at the first that fails.
    opened = [webbrowser.open(url) for url in urls]
    if not all(opened):
        typer.echo("There is no browser here; copy the addresses.", err=True)
