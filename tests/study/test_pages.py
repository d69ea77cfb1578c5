"""Where a study can be watched: servers that answer, that lock their door, and that are not there."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.storage.object_store import ObjectStore
from tests.study.finished import prepare
from tuning.cli import app
from tuning.errors import ConfigError
from tuning.monitoring import GRAFANA_FILE
from tuning.session import DriverPlace, StudyFolder, read_place, told_place
from tuning.store import DriverLock
from tuning.study import Page, PageState, PreparedStudy, find_pages

NOWHERE = "http://127.0.0.1:9"
ELSEWHERE = {"prometheus": NOWHERE, "grafana": NOWHERE}
Serve = Callable[[int], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that answers everything with one status; its URL."""
    servers: list[HTTPServer] = []

    def start(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def study(tmp_path: Path) -> PreparedStudy:
    return prepare(tmp_path)


@pytest.fixture
def driven(study: PreparedStudy) -> Iterator[PreparedStudy]:
    """A study that this process runs."""
    with DriverLock(study.folder.root):
        yield study


def place(dashboard_url: str | None) -> DriverPlace:
    return DriverPlace("10.0.0.7", "10.0.0.7:6379", "02000000", dashboard_url, "/tmp/ray/session_1")


def pages(study: PreparedStudy, **urls: str) -> dict[str, Page]:
    return {page.name: page for page in find_pages(study.header, study.folder, **(ELSEWHERE | urls))}


def test_a_running_study_leads_to_its_job_and_its_actors(driven: PreparedStudy, serve: Serve) -> None:
    url = serve(200)
    with told_place(driven.folder, place(url)):
        found = pages(driven)
    assert found["Ray: job"] == Page("Ray: job", PageState.UP, f"{url}/#/jobs/02000000", hint="", opens=True)
    assert found["Ray: actors"].where == f"{url}/#/actors"
    assert found["Prometheus"].state is PageState.DOWN
    config = "/tmp/ray/session_1/metrics/prometheus/prometheus.yml"
    assert found["Prometheus"].hint == f"start it: prometheus --config.file={config}"


def test_a_locked_dashboard_is_up_and_asks_for_a_token(driven: PreparedStudy, serve: Serve) -> None:
    with told_place(driven.folder, place(serve(401))):
        job = pages(driven)["Ray: job"]
    assert job.state is PageState.UP
    assert "ray get-auth-token" in job.hint


def test_a_dashboard_out_of_reach_comes_with_a_tunnel(driven: PreparedStudy) -> None:
    with told_place(driven.folder, place(NOWHERE)):
        page = pages(driven)["Ray dashboard"]
    assert page.state is PageState.DOWN
    assert page.hint.endswith("the driver is on 10.0.0.7: ssh -N -L 9:127.0.0.1:9 10.0.0.7")


def test_a_cluster_without_a_dashboard_says_how_to_get_one(driven: PreparedStudy) -> None:
    with told_place(driven.folder, place(None)):
        page = pages(driven)["Ray dashboard"]
    assert (page.state, page.opens) == (PageState.DOWN, False)
    assert "--include-dashboard=true" in page.hint


def test_what_a_killed_driver_left_behind_is_not_believed(study: PreparedStudy, serve: Serve) -> None:
    study.folder.driver_file.write_text('{"host": "10.0.0.7"}')
    assert read_place(study.folder) is None
    with DriverLock(study.folder.root), told_place(study.folder, place(serve(200))):
        assert read_place(study.folder) is not None
    assert not study.folder.driver_file.exists()
    assert "tuning resume demo" in pages(study)["Ray dashboard"].hint


def test_a_dashboard_can_be_named_by_hand(study: PreparedStudy, serve: Serve) -> None:
    url = serve(200)
    found = pages(study, dashboard=url.removeprefix("http://") + "/")
    assert found["Ray: job"].where == f"{url}/#/jobs", "which job is not known"


def test_prometheus_and_grafana_that_answer_are_up(study: PreparedStudy, serve: Serve) -> None:
    found = pages(study, prometheus=serve(200), grafana=serve(401))
    assert found["Prometheus"].state is found["Grafana"].state is PageState.UP
    assert found["Grafana"].where.endswith("/d/tuning-studies?var-study=demo")
    assert str(GRAFANA_FILE) in found["Grafana"].hint


def test_monitors_that_the_study_has_come_with_the_way_to_them(study: PreparedStudy) -> None:
    assert pages(study)["MLflow"].state is pages(study)["TensorBoard"].state is PageState.OFF
    (study.folder.root / "tensorboard").mkdir()
    found = pages(with_mlflow(study, "sqlite:////tmp/mlflow.db"))
    assert found["TensorBoard"].where == f"tensorboard --logdir {study.folder.root / 'tensorboard'}"
    assert found["MLflow"].where == "mlflow ui --backend-store-uri sqlite:////tmp/mlflow.db"
    assert found["optuna-dashboard"].where == f"optuna-dashboard {study.folder.root / 'journal.log'}"


def test_a_study_in_an_object_store_has_no_record_that_optuna_dashboard_reads(
    study: PreparedStudy, object_store: ObjectStore
) -> None:
    folder = StudyFolder(object_store.uri("watched"), "demo")
    found = {page.name: page for page in find_pages(study.header, folder, **ELSEWHERE)}
    assert found["optuna-dashboard"].state is PageState.OFF
    assert "storage.url" in found["optuna-dashboard"].hint
    assert found["study folder"].where == "s3://studies/watched/demo"


def test_an_mlflow_server_is_asked_and_its_password_not_shown(study: PreparedStudy, serve: Serve) -> None:
    assert pages(with_mlflow(study, serve(200)))["MLflow"].opens
    gone = pages(with_mlflow(study, "http://ann:secret@127.0.0.1:9"))["MLflow"]
    assert (gone.state, gone.where) == (PageState.DOWN, "http://ann:***@127.0.0.1:9")


def with_mlflow(study: PreparedStudy, uri: str) -> PreparedStudy:
    monitoring = study.header.config.monitoring.model_copy(update={"mlflow": uri})
    config = study.header.config.model_copy(update={"monitoring": monitoring})
    return replace(study, header=replace(study.header, config=config))


@pytest.mark.parametrize("wrong", ["ftp://head:8265", "http://", "http://head:none"])
def test_an_address_that_is_none_is_refused(study: PreparedStudy, wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"^--grafana: a page's address is http://HOST:PORT"):
        pages(study, grafana=wrong)


def test_the_command_prints_every_page_and_opens_those_that_are_up(
    study: PreparedStudy, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or len(opened) > 1)
    url = serve(200)
    words = ["dashboard", "demo", "--storage", str(study.folder.root.parent), "--address", url]
    words += ["--prometheus", NOWHERE, "--grafana", NOWHERE]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert opened == [f"{url}/#/jobs", f"{url}/#/actors"]
    assert result.stderr == "There is no browser here; copy the addresses.\n", "the first did not open"
    lines = result.stdout.splitlines()
    assert f"Ray: actors       running      {url}/#/actors" in lines
    assert f"study folder      there        {study.folder.root}" in lines
    opened.clear()
    assert CliRunner().invoke(app, [*words, "--no-open"]).stdout == result.stdout
    assert opened == []
