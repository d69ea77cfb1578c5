"""A cluster that scales from no nodes at all; Ray's own autoscaler, whose machines are raylets here."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray._private.services import get_node_ip_address

from tests.integration.command import ABALONE, leaderboard, tuning_process
from tests.integration.test_gpus import GPU_PROBE

pytestmark = pytest.mark.slow

_NOTHING = {"auth": {"ssh_user": "nobody"}, "docker": {}, "file_mounts": {}, "cluster_synced_files": []} | {
    f"{part}_commands": []
    for part in (
        "initialization",
        "setup",
        "head_setup",
        "worker_setup",
        "head_start_ray",
        "worker_start_ray",
    )
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _config(address: str) -> dict[str, object]:
    """A head for drivers alone, and up to two nodes with two GPUs each."""
    return {
        "cluster_name": "scales",
        "max_workers": 2,
        "upscaling_speed": 100,
        "idle_timeout_minutes": 5,
        "provider": {"type": "fake_multinode", "disable_node_updaters": True, "gcs_address": address},
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "two_gpus": {"resources": {"CPU": 4, "GPU": 2}, "node_config": {}, "max_workers": 2},
        },
        **_NOTHING,
    }


@pytest.fixture
def scaling_cluster() -> Iterator[str]:
    """Address of a head without CPUs, with an autoscaler that looks every second."""
    port = _free_port()
    address = f"{get_node_ip_address()}:{port}"
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        config, log = Path(scratch) / "autoscaler.json", Path(scratch) / "head.log"
        config.write_text(json.dumps(_config(address)))
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}",
            "--num-cpus=0", f"--autoscaling-config={config}", "--include-dashboard=false",
            "--disable-usage-stats", f"--temp-dir={scratch}",
        ]  # fmt: skip
        settings = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
        with log.open("w") as file:
            head = subprocess.Popen(
                command, stdout=file, stderr=file, start_new_session=True, env={**os.environ, **settings}
            )
        try:
            _wait_for(log, "Ray runtime started", head)
            yield address
        finally:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()


def _wait_for(log: Path, text: str, head: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if text in log.read_text():
            return
        assert head.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_a_study_makes_a_cluster_without_nodes_start_as_many_as_its_trials_fill(
    scaling_cluster: str, tmp_path: Path
) -> None:
    done = tuning_process(
        "run", "--data", ABALONE, "--target", "rings", "--models", GPU_PROBE, "--trials", 12,
        "--name", "scaled", "--storage", tmp_path, "--address", scaling_cluster,
        "--gpus-per-trial", 0.5, "--cpus-per-trial", 1, "--max-concurrent", 8,
        "--set", "pruning.pruner=none", "--set", "spaces.gpu_probe.unit_seconds=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = leaderboard("scaled", tmp_path)
    assert {row["status"] for row in rows} == {"completed"}
    # One node takes four of them.
    assert most_at_once(tmp_path / "scaled" / "trials") > 4


def most_at_once(trials: Path) -> int:
    """How many trials trained at the same time, by the times in their logs."""
    spans = [
        (lines[0][:23], lines[-1][:23])
        for lines in (log.read_text().splitlines() for log in trials.glob("*/log"))
    ]
    return max(sum(first <= moment <= last for first, last in spans) for moment, _ in spans)
