"""Models that raise, return NaN, hang or lose their process: each ends in its own state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import ABALONE, PROBE, assert_audited, leaderboard, trial, tuning

FAULTS = ["none", "raise", "nan", "hang", "kill"]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> list[dict[str, Any]]:
    """A study in which about a fifth of the trials meets each fault at its third unit."""
    storage = tmp_path_factory.mktemp("studies")
    choices = json.dumps({"type": "categorical", "choices": FAULTS})
    ran = tuning(
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--trials", "9", "--seed", "11",
        "--name", "faulty", "--storage", storage, "--address", ray_address, "--quiet",
        "--set", "search.sampler=random",
        "--set", "pruning.pruner=none", "--set", "resources.trial_time_limit_s=1",
        "--set", f"spaces.probe.fault={choices}",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert_audited("faulty", storage)
    return leaderboard("faulty", storage)


def _with(rows: list[dict[str, Any]], fault: str) -> list[dict[str, Any]]:
    found = [row for row in rows if row["params"]["fault"] == fault]
    assert found, f"no trial of 9 met {fault}; choose another seed"
    return found


def test_the_study_goes_on_to_its_last_trial(faulty: list[dict[str, Any]]) -> None:
    assert len(faulty) == 9
    assert all(row["status"] == "completed" for row in _with(faulty, "none"))


def test_a_model_that_raises_fails_with_its_traceback(faulty: list[dict[str, Any]]) -> None:
    for row in _with(faulty, "raise"):
        assert (row["status"], row["rank"]) == ("failed", None)
        assert "ValueError: the probe was told to raise" in row["error"]


def test_nan_diverges_and_keeps_the_best_state_before(faulty: list[dict[str, Any]]) -> None:
    for row in _with(faulty, "nan"):
        assert (row["status"], row["rank"]) == ("diverged", None)
        assert "nan" in row["error"]
        assert row["valid"] is not None
        assert row["checkpoint"].endswith("/best")


def test_a_model_that_hangs_is_ended_after_three_times_its_limit(faulty: list[dict[str, Any]]) -> None:
    for row in _with(faulty, "hang"):
        assert (row["status"], row["rank"]) == ("failed", None)
        assert "no end of a unit in 3 times its limit of 1 s" in row["error"]
        assert "_misbehave" in row["error"], "the record says where it hung"


def test_a_killed_worker_is_tried_again_and_then_fails_with_the_reason(faulty: list[dict[str, Any]]) -> None:
    for row in _with(faulty, "kill"):
        assert (row["status"], row["rank"]) == ("failed", None)
        assert "worker died" in row["error"]


def test_a_trial_whose_worker_is_killed_once_goes_on_from_its_checkpoint(
    tmp_path: Path, ray_address: str
) -> None:
    ran = tuning(
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--trials", "1", "--name", "once",
        "--storage", tmp_path, "--address", ray_address, "--quiet", "--set", "spaces.probe.fault=kill_once",
        "--set", f"spaces.probe.marker={tmp_path / 'killed'}",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    row = trial(leaderboard("once", tmp_path), "probe-0000")
    assert (row["status"], row["iterations"]) == ("completed", 27)
    log = (tmp_path / "once" / "trials" / "probe-0000" / "log").read_text()
    iterations = [int(line.split(" iteration ")[1].split(":")[0]) for line in log.splitlines()]
    # Killed in its third unit, in iteration 7; its last checkpoint was written after iteration 3.
    assert iterations == [1, 2, 3, 4, 5, 6, 4, 5, 6, *range(7, 25), 27][: len(iterations)]
    assert iterations.count(1) == 1, "it began anew instead of going on"
