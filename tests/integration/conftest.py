"""A real Ray head for the integration tests: started once, because a start costs more than a test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


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
            yield _wait_for_address(log, head)
        finally:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()


def _wait_for_address(log: Path, head: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        found = re.search(r"--address='([\d.]+:\d+)'", log.read_text())
        if found:
            return found[1]
        assert head.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"Ray did not start within a minute: {log.read_text()}")
