"""Trials on two workers of Ray Train, and the final fit: what comes of them, and of their faults."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.integration.command import ABALONE, command, leaderboard, trial, tuning
from tuning.store import TrialRecord
from tuning.study import read_header

GROUP_PROBE = ROOT / "tests" / "families" / "group_probe.py"
TRIALS = 4
TOLERANCE = 1e-4


def run_arguments(name: str, storage: Path, address: str, *more: str, workers: int = 2) -> list[str | Path]:
    """A study whose batches have 64 rows in all."""
    return [
        "run", "--data", ABALONE, "--target", "rings", "--metric", "rmse", "--name", name,
        "--models", GROUP_PROBE, "--trials", str(TRIALS), "--storage", storage, "--address", address,
        "--max-concurrent", "1", "--cpus-per-trial", "0.5", "--seed", "1", "--quiet",
        "--workers-per-trial", str(workers), "--set", f"spaces.group_probe.batch_size={64 // workers}", *more,
    ]  # fmt: skip


def finished(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = tuning(*arguments)
    assert done.returncode == 0, done.stderr
    return done


def records(name: str, storage: Path) -> dict[str, TrialRecord]:
    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        return {record.id: record for record in store.trials(driven=False)}


def assert_alike(ours: dict[str, TrialRecord], theirs: dict[str, TrialRecord]) -> None:
    """The same states and curves."""
    assert {name: each.status for name, each in ours.items()} == {
        name: each.status for name, each in theirs.items()
    }
    for name, record in ours.items():
        assert dict(record.values) == pytest.approx(dict(theirs[name].values), rel=TOLERANCE)
        assert record.value == pytest.approx(theirs[name].value, rel=TOLERANCE)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def together(storage: Path, ray_address: str) -> dict[str, TrialRecord]:
    """A study with two workers a trial."""
    finished(*run_arguments("together", storage, ray_address))
    return records("together", storage)


@pytest.fixture(scope="module")
def alone(storage: Path, ray_address: str) -> dict[str, TrialRecord]:
    """The same with one worker, and batches of twice the size."""
    finished(*run_arguments("alone", storage, ray_address, workers=1))
    return records("alone", storage)


@pytest.mark.timeout(400)
def test_two_workers_search_and_prune_as_one_does(
    together: dict[str, TrialRecord], alone: dict[str, TrialRecord]
) -> None:
    assert_alike(together, alone)
    assert {record.status for record in together.values()} == {"completed", "pruned"}


@pytest.mark.timeout(400)
def test_a_killed_driver_loses_nothing(
    storage: Path, ray_address: str, together: dict[str, TrialRecord]
) -> None:
    process = subprocess.Popen(command(*run_arguments("killed", storage, ray_address)))
    journal = storage / "killed" / "journal.log"
    goal = (storage / "together" / "journal.log").read_bytes().count(b"\n") // 3
    while not journal.exists() or journal.read_bytes().count(b"\n") < goal:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = records("killed", storage)
    assert any(not record.status.is_finished for record in before.values())
    finished("resume", "killed", "--storage", storage, "--quiet")
    assert tuning("audit", "killed", "--storage", storage).returncode == 0
    assert_alike(records("killed", storage), together)


@pytest.mark.timeout(400)
def test_a_trial_survives_its_worker_and_an_error_in_one_worker_ends_it(
    storage: Path, ray_address: str, together: dict[str, TrialRecord], tmp_path: Path
) -> None:
    faults = ["--set", "spaces.group_probe.fault=kill_then_raise"]
    faults += ["--set", f"spaces.group_probe.marker={tmp_path / 'killed'}", "--trials", "1"]
    assert tuning(*run_arguments("faulty", storage, ray_address, *faults)).returncode == 1
    (record,) = records("faulty", storage).values()
    assert (tmp_path / "killed").exists()
    assert (record.status, record.attempts) == ("failed", 2)
    assert "the probe was told to raise" in str(record.error)
    undisturbed = together["group_probe-0000"].values
    assert record.values == pytest.approx({step: undisturbed[step] for step in record.values}, rel=TOLERANCE)
    assert record.values


def refit(name: str, storage: Path, workers: int, *more: str | Path) -> dict[str, Any]:
    finished("refit", name, "--storage", storage, "--workers", str(workers), *more)
    described: dict[str, Any] = json.loads((storage / name / "refit" / "bundle.json").read_text())
    return described


@pytest.mark.timeout(400)
def test_a_final_fit_by_two_workers_is_that_of_one_and_a_kill_leaves_it(
    storage: Path,
    together: dict[str, TrialRecord],
    alone: dict[str, TrialRecord],
    tmp_path: Path,
) -> None:
    before = leaderboard("together", storage)
    described = refit("together", storage, 2)
    assert described["test"] == pytest.approx(refit("alone", storage, 1)["test"], rel=TOLERANCE)
    best = trial(before, str(described["trial"]))
    assert best["rank"] == 1
    assert (described["trained_on"], described["workers"], described["valid"]) == ("train+valid", 2, None)
    assert described["rows"] == 2923 + 627
    assert described["test"]["rmse"] == pytest.approx(best["test"], rel=0.1)
    assert leaderboard("together", storage) == before
    predicted = tmp_path / "predicted.csv"
    words = ["-o", predicted, "--model", "refit", "--storage", storage]
    assert f"the final fit of {described['trial']}" in finished("predict", "together", ABALONE, *words).stderr
    errors = pd.read_csv(predicted)["prediction"] - pd.read_csv(ABALONE)["rings"]
    assert float((errors**2).mean() ** 0.5) == pytest.approx(described["test"]["rmse"], rel=0.1)
    kill_refit("together", storage)
    assert json.loads((storage / "together" / "refit" / "bundle.json").read_text()) == described
    assert tuning("audit", "together", "--storage", storage).returncode == 0


def kill_refit(name: str, storage: Path) -> None:
    """Begin a final fit on all rows, and kill it while it trains."""
    process = subprocess.Popen(command("refit", name, "--storage", storage, "--on", "all"))
    while not (storage / name / ".refit.draft").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
