"""A study's life: interrupted, killed with its Ray, resumed, extended, looked at, predicted with."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.integration.command import ABALONE, PROBE, assert_audited, command, leaderboard, tuning
from tuning.study import read_header


def _start(name: str, storage: Path, address: str, *more: str) -> subprocess.Popen[str]:
    """A study of slow trials, running."""
    arguments = [
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--name", name,
        "--storage", storage, "--address", address, "--trials", "4", "--set", "spaces.probe.unit_seconds=0.3",
        "--set", "pruning.pruner=none", *more,
    ]  # fmt: skip
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for_reports(storage: Path, name: str, count: int) -> None:
    journal = storage / name / "journal.log"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_text().count('"intermediate_value"') >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{name} reported nothing in a minute")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_checkpoints_what_runs_and_prints_the_resume_line(
    number: signal.Signals, tmp_path: Path, ray_address: str
) -> None:
    process = _start("stopped", tmp_path, ray_address)
    _wait_for_reports(tmp_path, "stopped", 8)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"tuning resume stopped --storage {tmp_path}" in errors

    interrupted = [row for row in leaderboard("stopped", tmp_path) if row["status"] == "interrupted"]
    assert interrupted
    assert all((tmp_path / "stopped" / row["checkpoint"]).is_dir() for row in interrupted)
    assert_audited("stopped", tmp_path)

    resumed = tuning("resume", "stopped", "--storage", tmp_path, "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    assert [row["status"] for row in leaderboard("stopped", tmp_path)] == ["completed"] * 4
    assert_audited("stopped", tmp_path)


@pytest.mark.parametrize("delay_s", [0.0, 0.7])
def test_a_signal_before_anything_trains_names_the_way_back_too(
    delay_s: float, tmp_path: Path, ray_address: str
) -> None:
    process = _start("early", tmp_path, ray_address)
    while not (tmp_path / "early" / "study.yaml").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(delay_s)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"tuning resume early --storage {tmp_path}" in errors


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_signal_at_any_moment_of_the_start_names_the_way_back(tmp_path: Path, ray_address: str) -> None:
    chance = random.Random(7)
    for number in range(30):
        process = _start(f"early-{number}", tmp_path, ray_address)
        while not (tmp_path / f"early-{number}" / "study.yaml").exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.4))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert f"tuning resume early-{number} --storage {tmp_path}" in errors


def test_killed_together_with_its_own_ray_it_resumes_from_the_folder_alone(tmp_path: Path) -> None:
    process = _start("alone", tmp_path, "local", "--max-concurrent", "1")
    _wait_for_reports(tmp_path, "alone", 12)
    process.kill()
    process.communicate()
    before = leaderboard("alone", tmp_path)
    assert [row["status"] for row in before] == ["interrupted"] or "completed" in [
        row["status"] for row in before
    ]

    resumed = tuning("resume", "alone", "--storage", tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "Ray dashboard: http://" in resumed.stderr
    assert len(leaderboard("alone", tmp_path)) == 4
    assert_audited("alone", tmp_path)


def test_two_drivers_cannot_run_one_study(tmp_path: Path, ray_address: str) -> None:
    process = _start("mine", tmp_path, ray_address, "--trials", "1000")
    _wait_for_reports(tmp_path, "mine", 2)
    second = tuning("resume", "mine", "--storage", tmp_path)
    assert second.returncode == 2
    assert f"process {process.pid}" in second.stderr
    process.kill()
    process.communicate()


def test_a_finished_study_is_extended_shown_and_predicted_with(tmp_path: Path, ray_address: str) -> None:
    data = tmp_path / "abalone.csv"
    data.write_bytes(ABALONE.read_bytes())
    ran = tuning(
        "run", "--data", data, "--target", "rings", "--models", "lightgbm", "--trials", "2", "--name", "grow",
        "--storage", tmp_path, "--address", ray_address, "--set", "spaces.lightgbm.n_estimators=60",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "lightgbm-0000" in ran.stdout
    first = {row["trial"]: row for row in leaderboard("grow", tmp_path)}

    grown = tuning("resume", "grow", "--trials", "3", "--models", f"linear_gd,{PROBE}", "--storage", tmp_path)
    assert grown.returncode == 0, grown.stderr
    rows = {row["trial"]: row for row in leaderboard("grow", tmp_path)}
    assert {row["model"] for row in rows.values()} == {"lightgbm", "linear_gd", "probe"}
    assert len(rows) == 9
    assert all(rows[name]["valid"] == row["valid"] for name, row in first.items())
    best_of_each = {row["trial"] for row in rows.values() if row["best_of_family"]}
    assert {name for name, row in rows.items() if row["test"] is not None} >= best_of_each
    assert_audited("grow", tmp_path)

    for model in ("best", "linear_gd", "lightgbm-0001"):
        out = tmp_path / "predictions.csv"
        predicted = tuning("predict", "grow", data, "-o", out, "--model", model, "--storage", tmp_path)
        assert predicted.returncode == 0, predicted.stderr
        assert len(pd.read_csv(out)) == len(pd.read_csv(data))
    assert "lightgbm" in tuning("list", "--storage", tmp_path).stdout
    assert "n_estimators: 60" in tuning("show", "grow", "--storage", tmp_path).stdout

    data.write_text(data.read_text() + "M,0.5,0.4,0.1,0.6,0.2,0.1,0.2,9\n")
    changed = tuning("resume", "grow", "--trials", "5", "--storage", tmp_path)
    assert changed.returncode == 2
    assert "changed since the study began" in changed.stderr


def test_a_time_budget_ends_in_a_ranking_and_can_be_prolonged(tmp_path: Path, ray_address: str) -> None:
    # Nine units of a second: no trial can end within the budget, so what runs is interrupted for certain.
    ran = tuning(
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--name", "timed",
        "--storage", tmp_path, "--address", ray_address, "--trials", "1000", "--time-budget", "9s",
        "--set", "spaces.probe.unit_seconds=1", "--set", "pruning.pruner=none",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "probe-0000" in ran.stdout
    rows = leaderboard("timed", tmp_path)
    assert rows[0]["rank"] == 1
    assert {row["status"] for row in rows} == {"interrupted"}
    longer = tuning("resume", "timed", "--time-budget", "18s", "--storage", tmp_path, "--quiet")
    assert longer.returncode == 0, longer.stderr
    prolonged = leaderboard("timed", tmp_path)
    assert sum(row["iterations"] for row in prolonged) > sum(row["iterations"] for row in rows)
    assert_audited("timed", tmp_path)


def test_audit_finds_what_is_wrong(tmp_path: Path, ray_address: str) -> None:
    ran = tuning(
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--trials", "3", "--name", "broken",
        "--storage", tmp_path, "--address", ray_address, "--quiet", "--set", "pruning.pruner=none",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    header, folder = read_header(tmp_path, "broken")
    checkpoint = folder.root / "trials" / "probe-0001" / "best" / "fold-0" / "probe.json"
    checkpoint.unlink()
    (folder.root / "trials" / "probe-0007").mkdir()
    found = tuning("audit", "broken", "--storage", tmp_path)
    assert found.returncode == 1
    assert "probe-0001: its checkpoint does not load" in found.stdout
    assert "probe-0007: has a folder but no record" in found.stdout
    assert header.metric == "rmse"
