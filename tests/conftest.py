"""Paths and fixtures that all tests share."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.storage.object_store import ObjectStore, run_object_store

ROOT = Path(__file__).parents[1]


# Folders and files whose tests take longest.
_FIRST = ("integration", "desk", "test_conformance.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no process ends alone on them."""
    items.sort(key=lambda item: [part not in item.path.parts for part in _FIRST])


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run's processes work on studies in object stores; set before any of them starts."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["TUNING_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """A server that speaks S3, with an empty bucket."""
    with run_object_store() as store:
        yield store


@pytest.fixture
def abalone() -> Path:
    return ROOT / "examples" / "data" / "abalone.csv"


@pytest.fixture
def weather() -> Path:
    return ROOT / "examples" / "data" / "seattle_weather.csv"


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Address of a Ray head with two CPUs, as a user starts one with `ray start`."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as scratch:
        log = Path(scratch) / "head.log"
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--port=0",
            "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={scratch}",
        ]  # fmt: skip
        with log.open("w") as file:
            head = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            yield wait_for_address(log, head)
        finally:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()


def wait_for_address(log: Path, head: subprocess.Popen[bytes]) -> str:
    """Wait until a head says in its log where it is."""
    for _ in range(600):
        found = re.search(r"--address='([\d.]+:\d+)'", log.read_text())
        if found:
            return found[1]
        assert head.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"Ray did not start within a minute: {log.read_text()}")


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command that must be refused; returns its one sentence."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["tuning", *map(str, arguments)])
        from tuning.cli import main

        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert "ray" not in sys.modules or not sys.modules["ray"].is_initialized()
        message = capsys.readouterr().err.strip()
        assert message.startswith("Error: ")
        assert message.count("\n") == 0
        assert "Traceback" not in message
        assert not list(tmp_path.glob("studies/*/study.yaml"))
        return message

    return run
