"""Studies in an object store: killed at any instant, resumed from other machines, through its faults."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.integration.command import ABALONE, PROBE, command, leaderboard, trial, tuning
from tests.storage.object_store import KEY, SECRET, ObjectStore
from tuning.storage import Remote
from tuning.store import Status, TrialRecord
from tuning.study import read_header

TRIALS = 5  # of each of two families


def run_arguments(name: str, storage: str, address: str) -> list[str | Path]:
    return [
        "run", "--data", ABALONE, "--target", "rings", "--metric", "rmse", "--name", name,
        "--models", f"{PROBE},lightgbm", "--trials", str(TRIALS), "--storage", storage, "--address", address,
        "--max-concurrent", "2", "--seed", "7", "--set", "spaces.probe.unit_seconds=0.02",
        "--set", "spaces.lightgbm.n_estimators=54", "--quiet",
    ]  # fmt: skip


def records(name: str, storage: str) -> dict[str, TrialRecord]:
    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        return {record.id: record for record in store.trials(driven=False)}


def assert_nothing_lost(before: dict[str, TrialRecord], after: dict[str, TrialRecord]) -> None:
    for name, old in before.items():
        new = after[name]
        assert dict(new.params) == dict(old.params)
        assert old.values.items() <= new.values.items(), f"{name} lost reports"
        if old.status.is_finished:
            assert replace(new, test={}) == replace(old, test={}), f"{name} was finished and has changed"


def kill_after(process: subprocess.Popen[bytes], remote: Remote, entries: int) -> None:
    """SIGKILL the driver once the record has grown by so many entries."""
    goal = _entries(remote) + entries
    while _entries(remote) < goal:
        assert process.poll() is None, "the study ended before the kill"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _entries(remote: Remote) -> int:
    return max((int(name.split("-")[1]) for name in remote.names("journal")), default=0)


def _has_reported(trial_id: str, name: str, storage: str) -> bool:
    if not (Remote(storage) / name).exists("study.yaml"):
        return False
    record = records(name, storage).get(trial_id)
    return record is not None and bool(record.values)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_killed_study_goes_on_from_other_machines(
    kills: int, object_store: ObjectStore, ray_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(4)
    storage = object_store.uri(f"killed-{kills}")
    remote = Remote(storage) / "killed"
    before: dict[str, TrialRecord] = {}
    for kill in range(kills):
        monkeypatch.setenv("TUNING_CACHE", str(tmp_path / f"machine-{kill}"))
        arguments = ["resume", "killed", "--storage", storage, "--quiet"]
        words = arguments if remote.exists("study.yaml") else run_arguments("killed", storage, ray_address)
        process = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kill_after(process, remote, chance.randint(5, 40))
        after = records("killed", storage)
        assert_nothing_lost(before, after)
        before = after
    checked = tuning("audit", "killed", "--storage", storage)
    assert checked.returncode == 0, checked.stdout

    monkeypatch.setenv("TUNING_CACHE", str(tmp_path / "machine-last"))
    resumed = tuning("resume", "killed", "--storage", storage, "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    after = records("killed", storage)
    assert_nothing_lost(before, after)
    assert len(after) == 2 * TRIALS
    assert all(record.status.is_finished for record in after.values())
    assert any(record.attempts > 1 for record in after.values())
    checked = tuning("audit", "killed", "--storage", storage)
    assert checked.returncode == 0, checked.stdout
    _assert_it_predicts(storage, tmp_path)
    _assert_no_secret_is_kept(remote, resumed)


def _assert_it_predicts(storage: str, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    predicted = tuning("predict", "killed", ABALONE, "-o", out, "--storage", storage)
    assert predicted.returncode == 0, predicted.stderr
    best = leaderboard("killed", storage)[0]
    error = pd.read_csv(out).iloc[:, 0] - pd.read_csv(ABALONE)["rings"]
    assert (error**2).mean() ** 0.5 < 1.5 * best["valid"]


def _assert_no_secret_is_kept(remote: Remote, said: subprocess.CompletedProcess[str]) -> None:
    texts = [remote.read(name) for name in remote.names() if name.endswith((".yaml", ".json", "log"))]
    texts += [said.stdout.encode(), said.stderr.encode()]
    assert texts
    for text in texts:
        assert KEY.encode() not in text
        assert SECRET.encode() not in text
    assert yaml.safe_load(remote.read("study.yaml"))["config"]["storage"]["folder"].startswith(
        "s3://studies/"
    )


@pytest.mark.slow
def test_a_store_that_is_away_for_a_while_costs_nothing_but_time(
    object_store: ObjectStore, ray_address: str
) -> None:
    storage = object_store.uri("away")
    remote = Remote(storage) / "away"
    process = subprocess.Popen(
        command(*run_arguments("away", storage, ray_address)), stderr=subprocess.PIPE, text=True
    )
    while _entries(remote) < 20:
        assert process.poll() is None
        time.sleep(0.05)
    with object_store.away():
        time.sleep(5)
    _, said = process.communicate(timeout=150)
    assert process.returncode == 0, said
    rows = leaderboard("away", storage)
    assert {row["status"] for row in rows} <= {Status.COMPLETED, Status.PRUNED}
    assert len(rows) == 2 * TRIALS


@pytest.mark.slow
def test_a_signal_reaches_workers_through_the_store(object_store: ObjectStore, ray_address: str) -> None:
    storage = object_store.uri("stopped")
    remote = Remote(storage) / "stopped"
    arguments = [*run_arguments("stopped", storage, ray_address), "--set", "spaces.probe.unit_seconds=1"]
    process = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
    while not _has_reported("probe-0000", "stopped", storage):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "tuning resume stopped --storage 's3://studies/stopped?" in said
    assert SECRET not in said
    interrupted = trial(leaderboard("stopped", storage), "probe-0000")
    assert interrupted["status"] == Status.INTERRUPTED
    assert interrupted["checkpoint"] is not None
    assert not remote.exists("stop")


@pytest.mark.slow
def test_a_study_is_run_once(object_store: ObjectStore, ray_address: str) -> None:
    storage = object_store.uri("once")
    remote = Remote(storage) / "once"
    arguments = [*run_arguments("once", storage, ray_address), "--set", "spaces.probe.unit_seconds=1"]
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not remote.exists("driver.lock"):
            assert process.poll() is None
            time.sleep(0.05)
        second = tuning("resume", "once", "--storage", storage)
        assert second.returncode == 2
        assert f"is being run by process {process.pid} on {os.uname().nodename} since" in second.stderr
    finally:
        process.kill()
        process.wait()


def test_a_bucket_that_is_not_there_is_one_sentence(object_store: ObjectStore) -> None:
    storage = object_store.uri("x", bucket="missing")
    refused = tuning(*run_arguments("x", storage, "local"))
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: storage.folder: s3://missing/x")
    assert refused.stderr.strip().count("\n") == 0
    assert SECRET not in refused.stderr
