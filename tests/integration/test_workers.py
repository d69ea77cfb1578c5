"""Trials on two workers of Ray Train, and the final fit: what comes of them, and of their faults."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from tests.conftest import ROOT
from tests.integration.command import ABALONE, command, trial, tuning
from tuning.cli import app
from tuning.sampling import derive_seed
from tuning.store import TrialRecord
from tuning.study import read_header

pytestmark = pytest.mark.slow

GROUP_PROBE = ROOT / "tests" / "families" / "group_probe.py"
FAMILY = "group_probe"
SEED = 1
TRIALS = 5
FIRST, SECOND, LAST = f"{FAMILY}-0000", f"{FAMILY}-0001", f"{FAMILY}-{TRIALS - 1:04d}"
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Faulty:
    """A study that was hit by every fault: its record when the driver was killed, and at the end."""

    at_the_kill: dict[str, TrialRecord]
    records: dict[str, TrialRecord]


def run_arguments(name: str, storage: Path, address: str, workers: int, **fixed: object) -> list[str | Path]:
    """A study whose batches have 64 rows in all."""
    fixed["batch_size"] = 64 // workers
    return [
        "run", "--data", ABALONE, "--target", "rings", "--metric", "rmse", "--name", name,
        "--models", GROUP_PROBE, "--trials", str(TRIALS), "--storage", storage, "--address", address,
        "--max-concurrent", "1", "--cpus-per-trial", "0.5", "--seed", str(SEED), "--quiet",
        "--workers-per-trial", str(workers),
        *(word for key, value in fixed.items() for word in ("--set", f"spaces.{FAMILY}.{key}={value}")),
    ]  # fmt: skip


def model_seed(number: int) -> int:
    """Seed of a trial's model, by which the probe knows the trial."""
    return derive_seed(derive_seed(SEED, FAMILY, number), 0)


def finished(*arguments: str | Path) -> None:
    done = tuning(*arguments)
    assert done.returncode == 0, done.stderr


def invoke(*arguments: str | Path) -> Result:
    """A command in this process, which has loaded the libraries already."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def records(name: str, storage: Path) -> dict[str, TrialRecord]:
    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        return {record.id: record for record in store.trials(driven=False)}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def alone(storage: Path, ray_address: str) -> dict[str, TrialRecord]:
    """A study with one worker a trial, and batches of twice the size."""
    finished(*run_arguments("alone", storage, ray_address, workers=1))
    return records("alone", storage)


@pytest.fixture(scope="module")
def together(storage: Path, ray_address: str, tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    """The same with two workers a trial, and with faults.

    A worker of the first trial is killed, then the driver in the second, and after the resume a worker of
    the last trial raises an error.
    """
    marker = tmp_path_factory.mktemp("probe") / "killed"
    faults = {"killed_seed": model_seed(0), "raising_seed": model_seed(TRIALS - 1), "marker": marker}
    process = subprocess.Popen(command(*run_arguments("together", storage, ray_address, 2, **faults)))
    second = storage / "together" / "trials" / SECOND
    while not second.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert marker.exists()
    at_the_kill = records("together", storage)
    finished("resume", "together", "--storage", storage, "--quiet")
    return Faulty(at_the_kill, records("together", storage))


@pytest.mark.timeout(400)
def test_two_workers_search_and_prune_as_one_does(together: Faulty, alone: dict[str, TrialRecord]) -> None:
    """Whatever befell them: the same states and curves."""
    assert together.records.keys() == alone.keys()
    undisturbed = alone.keys() - {LAST}
    assert {alone[name].status for name in undisturbed} == {"completed", "pruned"}
    for name in undisturbed:
        ours, theirs = together.records[name], alone[name]
        assert ours.status == theirs.status
        assert dict(ours.values) == pytest.approx(dict(theirs.values), rel=TOLERANCE)
        assert ours.value == pytest.approx(theirs.value, rel=TOLERANCE)


@pytest.mark.timeout(400)
def test_a_trial_survives_its_worker(together: Faulty) -> None:
    assert together.at_the_kill[FIRST].attempts == 2
    assert together.at_the_kill[FIRST].status == "completed"


@pytest.mark.timeout(400)
def test_a_killed_driver_loses_nothing(together: Faulty, storage: Path) -> None:
    assert any(not record.status.is_finished for record in together.at_the_kill.values())
    assert together.records[FIRST] == together.at_the_kill[FIRST]
    invoke("audit", "together", "--storage", storage)


@pytest.mark.timeout(400)
def test_an_error_in_one_worker_ends_its_trial(together: Faulty) -> None:
    failed = together.records[LAST]
    assert (failed.status, failed.attempts, dict(failed.values)) == ("failed", 1, {})
    assert "the probe was told to raise" in str(failed.error)


def refit(name: str, storage: Path, workers: int) -> dict[str, Any]:
    invoke("refit", name, "--storage", storage, "--workers", str(workers))
    return bundle(name, storage)


def bundle(name: str, storage: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((storage / name / "refit" / "bundle.json").read_text())
    return described


def leaderboard(name: str, storage: Path) -> list[dict[str, Any]]:
    shown = invoke("leaderboard", name, "--format", "json", "--storage", storage)
    rows: list[dict[str, Any]] = json.loads(shown.stdout)["rows"]
    return rows


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("alone", "together")
def test_a_final_fit_by_two_workers_is_that_of_one_and_a_kill_leaves_it(
    storage: Path, tmp_path: Path
) -> None:
    before = leaderboard("together", storage)
    described = refit("together", storage, 2)
    assert described["test"] == pytest.approx(refit("alone", storage, 1)["test"], rel=TOLERANCE)
    assert (described["trained_on"], described["workers"], described["valid"]) == ("train+valid", 2, None)
    assert described["rows"] == 2923 + 627
    assert leaderboard("together", storage) == before
    best = trial(before, str(described["trial"]))
    assert best["rank"] == 1
    assert described["test"]["rmse"] == pytest.approx(best["test"], rel=0.1)
    predicted = tmp_path / "predicted.csv"
    words: list[str | Path] = ["-o", predicted, "--model", "refit", "--storage", storage]
    assert f"the final fit of {described['trial']}" in invoke("predict", "together", ABALONE, *words).output
    errors = pd.read_csv(predicted)["prediction"] - pd.read_csv(ABALONE)["rings"]
    assert float((errors**2).mean() ** 0.5) == pytest.approx(described["test"]["rmse"], rel=0.1)
    kill_refit("together", storage)
    assert bundle("together", storage) == described
    invoke("audit", "together", "--storage", storage)


def kill_refit(name: str, storage: Path) -> None:
    """Begin a final fit on all rows, and kill it on the way."""
    process = subprocess.Popen(command("refit", name, "--storage", storage, "--on", "all"))
    while not (storage / name / ".refit.draft").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
