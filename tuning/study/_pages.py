"""Where a study can be watched: which pages are up, and how to start those that are not."""

from __future__ import annotations

import importlib.util
import shlex
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, urlsplit

from tuning.config.url import mask_password
from tuning.errors import ConfigError
from tuning.monitoring import GRAFANA_FILE, GRAFANA_UID, TENSORBOARD_FOLDER
from tuning.session import DriverPlace, StudyFolder, read_place
from tuning.store import JOURNAL_NAME
from tuning.study._setup import StudyHeader

PROMETHEUS_URL = "http://localhost:9090"
GRAFANA_URL = "http://localhost:3000"

_ANSWER_S = 3.0
_TOKEN_HINT = "asks for a token: 'ray get-auth-token' prints it on the cluster's head"


class PageState(StrEnum):
    """What is known of a page."""

    UP = "running"
    DOWN = "not running"
    STARTABLE = "to start"
    OFF = "not written"
    THERE = "there"


@dataclass(frozen=True)
class Page:
    """One place to look.

    Attributes:
        name: what is shown there.
        state: whether it can be opened now.
        where: URL, path, or the command that starts it; empty where there is nothing yet.
        hint: what to know or to do, empty mostly.
        opens: a browser should show it.
    """

    name: str
    state: PageState
    where: str = ""
    hint: str = ""
    opens: bool = False


class _Answer(Enum):
    """What a server says to a request."""

    OPEN = auto()
    LOCKED = auto()
    NONE = auto()


def find_pages(
    header: StudyHeader,
    folder: StudyFolder,
    *,
    dashboard: str | None = None,
    prometheus: str = PROMETHEUS_URL,
    grafana: str = GRAFANA_URL,
) -> tuple[Page, ...]:
    """Look for everything that shows the study; each server is asked once, for three seconds at most.

    Args:
        header: the study.
        folder: its folder.
        dashboard: URL of Ray's dashboard; None: the one that the study's driver tells of.
        prometheus: URL of Prometheus.
        grafana: URL of Grafana.

    Raises:
        ConfigError: a URL is none.
    """
    place = read_place(folder)
    return (
        *_ray_pages(folder, place, dashboard),
        _prometheus_page(place, _check_url(prometheus, "--prometheus")),
        _grafana_page(header.config.name, _check_url(grafana, "--grafana")),
        _optuna_page(header, folder),
        _tensorboard_page(folder),
        _mlflow_page(header, folder),
        Page("study folder", PageState.THERE, str(folder)),
    )


def _ray_pages(folder: StudyFolder, place: DriverPlace | None, given: str | None) -> Iterator[Page]:
    told = None if place is None else place.dashboard_url
    url = told if given is None else _check_url(given, "--address")
    if url is None and place is None:
        resume = folder.command("resume")
        hint = f"it is up while the study runs: {resume}; of a cluster: --address http://HOST:8265"
        yield Page("Ray dashboard", PageState.DOWN, hint=hint)
    elif url is None:
        hint = "this Ray was started without it: ray start --head --include-dashboard=true"
        yield Page("Ray dashboard", PageState.DOWN, hint=hint)
    elif (answer := _ask(f"{url}/api/version")) is _Answer.NONE:
        yield Page("Ray dashboard", PageState.DOWN, url, _no_answer(url, place))
    else:
        hint = _TOKEN_HINT if answer is _Answer.LOCKED else ""
        job = f"/{place.job_id}" if place is not None else ""
        yield Page("Ray: job", PageState.UP, f"{url}/#/jobs{job}", hint, opens=True)
        yield Page("Ray: actors", PageState.UP, f"{url}/#/actors", opens=True)


def _no_answer(url: str, place: DriverPlace | None) -> str:
    """How to reach a dashboard that listens on its own machine only, as Ray's does by default."""
    port = urlsplit(url).port
    if place is None or port is None:
        return "no answer from here"
    tunnel = f"ssh -N -L {port}:127.0.0.1:{port} {place.host}"
    return f"no answer from here; the driver is on {place.host}: {tunnel}"


def _prometheus_page(place: DriverPlace | None, url: str) -> Page:
    if _ask(f"{url}/-/ready") is not _Answer.NONE:
        return Page("Prometheus", PageState.UP, f"{url}/graph")
    return Page("Prometheus", PageState.DOWN, url, f"start it: {_prometheus_command(place)}")


def _prometheus_command(place: DriverPlace | None) -> str:
    session = Path("/tmp/ray/session_latest" if place is None else place.session_folder or "SESSION")
    config = session / "metrics" / "prometheus" / "prometheus.yml"
    return shlex.join(["prometheus", f"--config.file={config}"])


def _grafana_page(study: str, url: str) -> Page:
    where = f"{url}/d/{GRAFANA_UID}?var-study={quote(study)}"
    if _ask(f"{url}/api/health") is not _Answer.NONE:
        return Page("Grafana", PageState.UP, where, f"once imported: {GRAFANA_FILE}", opens=True)
    return Page("Grafana", PageState.DOWN, url, f"start it, and import {GRAFANA_FILE}")


def _optuna_page(header: StudyHeader, folder: StudyFolder) -> Page:
    url = header.config.storage.url
    if url is None and folder.remote is not None:
        hint = "it reads no record in an object store; one in a database it does: run … --set storage.url=URL"
        return Page("optuna-dashboard", PageState.OFF, hint=hint)
    record = str(folder.root / JOURNAL_NAME) if url is None else mask_password(url)
    is_installed = importlib.util.find_spec("optuna_dashboard") is not None
    hint = "" if is_installed else "install it first: pip install 'tuning-on-ray[dashboard]'"
    return Page("optuna-dashboard", PageState.STARTABLE, shlex.join(["optuna-dashboard", record]), hint)


def _tensorboard_page(folder: StudyFolder) -> Page:
    events = folder.root / TENSORBOARD_FOLDER
    if events.is_dir():
        return Page("TensorBoard", PageState.STARTABLE, shlex.join(["tensorboard", "--logdir", str(events)]))
    hint = f"turn it on: {folder.command('resume', '--tensorboard')}"
    return Page("TensorBoard", PageState.OFF, hint=hint)


def _mlflow_page(header: StudyHeader, folder: StudyFolder) -> Page:
    uri = header.config.monitoring.mlflow
    if uri is None:
        hint = f"turn it on: {folder.command('resume', '--mlflow', 'URI')}"
        return Page("MLflow", PageState.OFF, hint=hint)
    shown = mask_password(uri)
    if not uri.startswith("http"):
        return Page("MLflow", PageState.STARTABLE, shlex.join(["mlflow", "ui", "--backend-store-uri", shown]))
    if _ask(f"{uri.rstrip('/')}/health") is _Answer.NONE:
        return Page("MLflow", PageState.DOWN, shown, "no answer from here")
    return Page("MLflow", PageState.UP, shown, opens=True)


def _ask(url: str) -> _Answer:
    """Whether a server answers at all; what it says does not matter, but for a locked door."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_S):
            return _Answer.OPEN
    except urllib.error.HTTPError as error:
        return _Answer.LOCKED if error.code in (401, 403) else _Answer.OPEN
    except (OSError, ValueError, HTTPException):
        return _Answer.NONE


def _check_url(text: str, option: str) -> str:
    """The URL of a server, without a slash at its end; HOST:PORT is one of http.

    Raises:
        ConfigError: it is none.
    """
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigError(f"{option}: a page's address is http://HOST:PORT or HOST:PORT, not {text!r}.")
    return url.rstrip("/")
