"""Studies on several machines: all are used, one is killed, one joins late; raylets stand in for machines."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from tests.integration.command import ABALONE, PROBE, command, tuning_process
from tuning.store import Status, TrialRecord
from tuning.study import read_header

pytestmark = pytest.mark.slow

UNITS = 27


@dataclass
class Machines:
    """A head without CPUs, as a cluster's has, and workers that come and go."""

    cluster: Cluster

    def join(self, cpus: int) -> Any:
        return self.cluster.add_node(num_cpus=cpus)

    def kill(self, node: Any) -> None:
        """SIGKILL everything of a machine at once, the raylet first."""
        raylet = node.all_processes["raylet"][0].process
        os.kill(raylet.pid, signal.SIGKILL)
        raylet.wait()
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    link = Path("/tmp") / f"nodes-{os.getpid()}"
    link.symlink_to(tmp_path_factory.mktemp("ray"))
    # A dead machine is noticed after three seconds of silence rather than fifteen.
    quickly = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_timeout_ms": 500,
        "health_check_failure_threshold": 5,
    }
    # `Cluster` starts nodes without tokens, whatever a test before has set.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        yield from _run(link, quickly)


def _run(link: Path, quickly: dict[str, int]) -> Iterator[Machines]:
    cluster = Cluster()
    cluster.add_node(num_cpus=0, include_dashboard=False, temp_dir=str(link), _system_config=quickly)
    yield Machines(cluster)
    cluster.shutdown()
    link.unlink()


def start(name: str, storage: Path, address: str, **options: object) -> subprocess.Popen[bytes]:
    given = [
        word for option, value in options.items() for word in (f"--{option.replace('_', '-')}", str(value))
    ]
    return subprocess.Popen(
        command(
            "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--name", name, "--quiet",
            "--storage", storage, "--address", address, *given, "--set", "pruning.pruner=none",
            "--set", f"spaces.probe.units={UNITS}", "--set", "spaces.probe.unit_seconds=0.2",
        ),
        # `Cluster` starts nodes without tokens, also where a token lies in the home folder.
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip


def records(name: str, storage: Path) -> list[TrialRecord]:
    if not (storage / name / "study.yaml").exists():
        return []
    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        return list(store.trials())


def wait_until(
    study: subprocess.Popen[bytes], condition: Callable[[], bool], within_s: float = 150.0
) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert study.poll() is None, "the study ended before"
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def training(name: str, storage: Path) -> list[TrialRecord]:
    """Trials that have reported and not ended."""
    return [record for record in records(name, storage) if record.values and not record.status.is_finished]


def all_are_busy(name: str, storage: Path, cpus: int) -> bool:
    """Whether every CPU has a trial with a checkpoint, and some trials have ended."""
    busy = [record for record in training(name, storage) if len(record.values) >= 3]
    return len(busy) == cpus and any(record.status.is_finished for record in records(name, storage))


def iterations(storage: Path, name: str, trial: str) -> list[int]:
    """The iterations that a trial's own log tells of, in their order, those of all attempts."""
    log = (storage / name / "trials" / trial / "log").read_text()
    return [int(number) for number in re.findall(r" iteration (\d+):", log)]


def moved(name: str, storage: Path) -> list[TrialRecord]:
    """Trials that went on elsewhere, and have ended."""
    return [record for record in records(name, storage) if record.attempts > 1 and record.status.is_finished]


@pytest.mark.timeout(600)
def test_a_study_waits_for_machines_uses_all_and_outlives_one(machines: Machines, tmp_path: Path) -> None:
    study = start("outlives", tmp_path, machines.cluster.address, trials=1000)
    try:
        wait_until(study, lambda: len(records("outlives", tmp_path)) == 1)
        machines.join(cpus=1)
        wait_until(study, lambda: len(training("outlives", tmp_path)) == 1)
        doomed, _ = machines.join(cpus=2), machines.join(cpus=2)
        wait_until(study, lambda: all_are_busy("outlives", tmp_path, cpus=5))
        before = records("outlives", tmp_path)
        machines.kill(doomed)
        wait_until(study, lambda: len(moved("outlives", tmp_path)) == 2)
        study.send_signal(signal.SIGINT)
        assert study.wait(60) == 130
    finally:
        study.kill()
        study.wait()
    after = {record.id: record for record in records("outlives", tmp_path)}
    finished = [record for record in before if record.status.is_finished]
    assert all(after[record.id].values == record.values for record in finished)
    assert [record.attempts for record in moved("outlives", tmp_path)] == [2, 2]
    for record in moved("outlives", tmp_path):
        assert record.status is Status.COMPLETED
        told = iterations(tmp_path, "outlives", record.id)
        assert set(told) == set(range(1, UNITS + 1))
        assert told.count(1) == 1, "it went on from its checkpoint"
    assert not any(record.status is Status.FAILED for record in after.values())
    assert tuning_process("audit", "outlives", "--storage", tmp_path).returncode == 0
