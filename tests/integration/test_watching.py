"""A real study, seen through Ray's dashboard and its endpoint for Prometheus."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from tests.integration.command import ABALONE, PROBE, command
from tuning.cli import app
from tuning.execution.metrics import MetricName
from tuning.monitoring import GRAFANA_FILE
from tuning.session import DriverPlace, StudyFolder, read_place

T = TypeVar("T")

NAME = "watched"
ON_A_CARD = {MetricName.TRIAL_GPU_MEMORY}


@dataclass
class Watched:
    """A study that runs.

    Attributes:
        storage: folder of its folder.
        driver: process that runs it.
        place: where that says it is.
        token: what Ray's dashboard asks for.
    """

    storage: Path
    driver: subprocess.Popen[bytes]
    place: DriverPlace
    token: str

    def ask(self, path: str) -> Any:
        """What the dashboard's own pages read."""
        request = urllib.request.Request(
            f"{self.place.dashboard_url}{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def scrape(self) -> dict[str, Metric]:
        """What Prometheus reads from all targets that Ray names, by metric."""
        targets = Path(self.place.session_folder or "") / "prom_metrics_service_discovery.json"
        if not targets.exists():
            return {}
        urls = [
            f"http://{target}/metrics"
            for part in json.loads(targets.read_text())
            for target in part["targets"]
        ]
        families: dict[str, Metric] = {}
        for url in urls:
            with urllib.request.urlopen(url, timeout=10) as answer:
                families |= {
                    family.name: family for family in text_string_to_metric_families(answer.read().decode())
                }
        return families


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A study of trials of ten seconds, on a Ray of its own."""
    storage, token = tmp_path_factory.mktemp("studies"), secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        settings = {
            "RAY_TMPDIR": scratch,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": token,
            "RAY_metrics_report_interval_ms": "1000",
        }
        driver = subprocess.Popen(
            command(
                "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--name", NAME, "--storage",
                storage, "--max-concurrent", 2, "--trials", 100, "--set", "spaces.probe.unit_seconds=1.2",
                "--set", "pruning.pruner=none", "--tensorboard", "--quiet",
            ),
            env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            place = until(lambda: read_place(StudyFolder(storage, NAME)))
            yield Watched(storage, driver, place, token)
        finally:
            driver.send_signal(signal.SIGINT)
            driver.wait(timeout=60)


def until(find: Callable[[], T | None], within_s: float = 180.0) -> T:
    """What is found at last."""
    deadline_s = time.monotonic() + within_s
    while not (found := find()):
        assert time.monotonic() < deadline_s
        time.sleep(0.3)
    return found


def dashboard(watched: Watched) -> str:
    result = CliRunner().invoke(app, ["dashboard", NAME, "--storage", str(watched.storage), "--no-open"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_prometheus_finds_every_metric_that_the_grafana_dashboard_asks_for(watched: Watched) -> None:
    wanted = {f"ray_{name}" for name in MetricName if name not in ON_A_CARD}
    scraped = until(lambda: (found := watched.scrape()) and wanted <= set(found) and found)
    samples = {
        name: [sample for sample in scraped[name].samples if sample.labels["study"] == NAME]
        for name in wanted
    }
    assert all(samples.values())
    running = [each for each in samples["ray_tuning_trials"] if each.labels["state"] == "running"]
    assert [each.value for each in running] == [2]
    for panel in json.loads(GRAFANA_FILE.read_text("utf-8"))["panels"]:
        for by, name in re.findall(r"by \(([\w, ]+)\) \((ray_tuning_\w+)", str(panel["targets"])):
            if name in wanted:
                assert set(by.split(", ")) <= set(samples[name][0].labels), panel["title"]


def test_the_dashboard_shows_the_study_and_the_trials_by_their_names(watched: Watched) -> None:
    (job,) = [job for job in watched.ask("/api/jobs/") if job["job_id"] == watched.place.job_id]
    assert job["metadata"]["job_name"] == NAME
    assert job["status"] == "RUNNING"
    actors = watched.ask("/logical/actors")["data"]["actors"].values()
    workers = [actor for actor in actors if actor["jobId"] == watched.place.job_id]
    assert {worker["actorClass"] for worker in workers} == {"StudyTrainable"}
    assert {worker["reprName"] for worker in workers} == {
        f"{NAME}: from probe-0000",
        f"{NAME}: from probe-0001",
    }


def test_a_worker_is_called_by_the_trial_that_it_runs_now(watched: Watched) -> None:
    """With the third trial, which runs on the worker of the first or of the second."""
    actors = watched.ask("/logical/actors")["data"]["actors"].values()
    workers = [psutil.Process(actor["pid"]) for actor in actors if actor["jobId"] == watched.place.job_id]
    until(lambda: any(worker.cmdline()[0] == "ray::probe-0002" for worker in workers))
    tasks = until(lambda: tasks_of(watched, "probe-0002"))
    assert {task["func_or_class_name"] for task in tasks} <= {"StudyTrainable.train", "StudyTrainable.reset"}


def tasks_of(watched: Watched, trial: str) -> list[dict[str, Any]]:
    found = watched.ask(f"/api/v0/tasks?filter_keys=name&filter_predicates=%3D&filter_values={trial}")
    return list(found["data"]["result"]["result"])


def test_the_command_names_the_pages_while_the_study_runs_and_no_longer(watched: Watched) -> None:
    text = dashboard(watched)
    assert f"running      {watched.place.dashboard_url}/#/jobs/{watched.place.job_id}\n" in text
    assert f"{watched.place.dashboard_url}/#/actors" in text
    assert f"tensorboard --logdir {watched.storage / NAME / 'tensorboard'}" in text
    watched.driver.send_signal(signal.SIGKILL)
    watched.driver.wait()
    text = dashboard(watched)
    assert "Ray dashboard     not running  it is up while the study runs: tuning resume watched" in text
