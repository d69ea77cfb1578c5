"""Studies as jobs of a cluster: submitted, followed, stopped and resumed through the head's dashboard."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.desk.terminal import Terminal
from tests.integration.command import ABALONE, PROBE, Run, command, tuning
from tuning.execution import jobs


def _statuses(name: str, storage: Path) -> list[str]:
    """The states of a study's trials, after an audit that finds nothing."""
    assert tuning("audit", name, "--storage", storage).returncode == 0
    shown = tuning("leaderboard", name, "--format", "json", "--storage", storage)
    return [row["status"] for row in json.loads(shown.stdout)["rows"]]


@dataclass(frozen=True)
class Head:
    """A Ray head with a dashboard: URL of the dashboard, and address of the cluster."""

    url: str
    cluster: str


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A head with two CPUs and two GPUs that Ray is told of, started in this environment."""
    port, agent_port = _free_port(), _free_port()
    binaries = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        log = Path(scratch) / "head.log"
        command = [
            str(binaries / "ray"), "start", "--head", "--block", "--port=0", "--num-cpus=2", "--num-gpus=2",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={port}",
            f"--dashboard-agent-listen-port={agent_port}", "--disable-usage-stats", f"--temp-dir={scratch}",
        ]  # fmt: skip
        environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
        with log.open("w") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=file, start_new_session=True, env=environment
            )
        try:
            yield Head(f"http://127.0.0.1:{port}", _wait_until_ready(log, process, port))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait_until_ready(log: Path, process: subprocess.Popen[bytes], port: int) -> str:
    for _ in range(900):
        found = re.search(r"--address='([\d.]+:\d+)'", log.read_text())
        with socket.socket() as probe:
            if found and probe.connect_ex(("127.0.0.1", port)) == 0:
                return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"Ray and its dashboard did not start in 90 s: {log.read_text()}")


def _study_file(folder: Path, **entries: str) -> Path:
    """A study file with its data and its model beside it, all by relative paths."""
    (folder / "abalone.csv").write_bytes(ABALONE.read_bytes())
    for suffix in (".py", ".yaml"):
        (folder / f"probe{suffix}").write_bytes(PROBE.with_suffix(suffix).read_bytes())
    lines = [
        "data: {path: abalone.csv, target: rings}", "models: [probe.py]", "search: {trials: 3}",
        "pruning: {pruner: none}", *(f"{key}: {value}" for key, value in entries.items()),
    ]  # fmt: skip
    file = folder / "study.yaml"
    file.write_text("\n".join(lines))
    return file


def _wait_for_reports(storage: Path, name: str, count: int) -> None:
    journal = storage / name / "journal.log"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_text().count('"intermediate_value"') >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} reported nothing in 90 s")


def test_a_study_is_sent_with_its_data_and_model_and_followed_to_its_end(tmp_path: Path, head: Head) -> None:
    home, storage = tmp_path / "home", tmp_path / "kept"
    home.mkdir()
    file = _study_file(home)
    sent = tuning(
        "submit", file, "--name", "sent", "--storage", storage, "--address", head.url, "--gpus", "2",
        "--trials", "2", "--follow",
    )  # fmt: skip
    assert sent.returncode == 0, sent
    assert sent.stdout.startswith("sent.1\n")
    assert "probe-0001" in sent.stdout
    assert _statuses("sent", storage) == ["completed"] * 2
    assert (storage / "sent" / "models" / "probe.py").is_file()
    (kept,) = (storage / ".inputs").glob("*/*")
    assert kept.read_bytes() == ABALONE.read_bytes()
    assert "probe-0001" in tuning("logs", "sent", "--address", head.url).stdout
    listed = tuning("jobs", "--address", head.url).stdout
    assert re.search(r"sent +│ sent.1 +│ succeeded", listed)


def test_a_study_is_sent_and_followed_in_a_narrow_terminal(tmp_path: Path, head: Head) -> None:
    file = _study_file(tmp_path)
    words = command(
        "submit", file, "--name", "watched", "--storage", tmp_path, "--address", head.url, "--follow"
    )
    with Terminal(words, tmp_path, columns=60) as terminal:
        assert terminal.wait(200) == 0, terminal.text
    text = terminal.text
    assert "Traceback" not in text
    assert "watched.1" in text
    assert "probe-0002" in text.replace("\n", "")
    # What a job writes goes through a file: it has lines, and no moves of a cursor.
    assert b"\x1b[?25l" not in terminal.raw
    assert _statuses("watched", tmp_path) == ["completed"] * 3


def test_a_stopped_study_writes_its_checkpoints_and_goes_on(tmp_path: Path, head: Head) -> None:
    file = _study_file(tmp_path, spaces="{probe: {unit_seconds: 0.4}}")
    there = ("--address", head.url)
    begun = tuning("submit", file, "--name", "halted", "--storage", tmp_path, *there)
    assert begun.returncode == 0, begun
    assert f"tuning stop halted --address {head.url}" in begun.stderr
    _wait_for_reports(tmp_path, "halted", 4)
    twice = tuning("submit", "--resume", "halted", *there)
    assert twice.returncode == 2
    assert "The study halted is running as job halted.1" in twice.stderr

    stopped = tuning("stop", "halted", *there)
    assert stopped.returncode == 0, stopped
    assert f"tuning submit --resume halted --address {head.url}" in stopped.stderr
    assert "Interrupted; nothing is lost" in tuning("logs", "halted", *there).stdout
    assert "interrupted" in _statuses("halted", tmp_path)
    assert list((tmp_path / "halted" / "trials").glob("*/checkpoint"))

    # What the job worked in is gone with it; going on takes the folder of the studies alone.
    resumed = tuning("submit", "--resume", "halted", "--trials", "4", "--follow", *there)
    assert resumed.returncode == 0, resumed
    assert resumed.stdout.startswith("halted.2\n")
    assert _statuses("halted", tmp_path) == ["completed"] * 4


def test_following_ends_with_the_exit_code_of_the_study(tmp_path: Path, head: Head) -> None:
    lost = tuning("submit", "--resume", "lost", "--storage", tmp_path, "--address", head.url, "--follow")
    assert lost.returncode == 2, lost
    assert "There is no study lost" in lost.stdout
    assert re.search(r"lost +│ lost.1 +│ failed", tuning("jobs", "--address", head.url).stdout)


def test_gpus_that_do_not_come_end_the_wait(head: Head) -> None:
    waited = tuning("await", "--gpus", "3", "--within", "1s", "--address", head.cluster)
    assert waited.returncode == 2
    assert "after 1.0s the cluster has not 3 free GPUs; it has 2 in all" in waited.stderr


@pytest.mark.parametrize(
    "command", [("logs", "nobody"), ("stop", "nobody"), ("submit", "--resume", "nobody")]
)
def test_a_study_that_the_cluster_does_not_know(command: tuple[str, ...], head: Head, refused: Run) -> None:
    assert "has no job of a study nobody" in refused(*command, "--address", head.url)


def test_more_than_a_cluster_takes_is_not_sent(
    tmp_path: Path, head: Head, refused: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LARGEST_PACKAGE_BYTES", 100_000)
    message = refused("submit", _study_file(tmp_path), "--address", head.url)
    assert "a Ray cluster takes at most" in message
    assert "--cluster-data" in message


def test_an_address_that_is_given_counts_more_than_the_environment(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    assert tuning("jobs", "--address", head.url).returncode == 0
    assert os.environ["RAY_ADDRESS"] == "http://127.0.0.1:1"
    nowhere = tuning("jobs")
    assert nowhere.returncode == 2
    assert "no Ray dashboard answers at http://127.0.0.1:1" in nowhere.stderr
