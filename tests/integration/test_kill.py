"""A driver that is killed at any instant loses nothing: killed ten times, and compared with one in peace."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import ABALONE, PROBE, assert_audited, command, leaderboard, tuning
from tuning.execution.search import FamilySearch
from tuning.pruning import AshaPruner
from tuning.session import Session
from tuning.store import Status, TrialRecord
from tuning.study import read_header

KILLS = 10
TRIALS = 12  # of each of two families


def _run_arguments(name: str, storage: Path, address: str) -> list[str | Path]:
    return [
        "run", "--data", ABALONE, "--target", "rings", "--metric", "rmse", "--name", name,
        "--models", f"{PROBE},lightgbm", "--trials", str(TRIALS), "--storage", storage, "--address", address,
        "--max-concurrent", "1", "--seed", "7", "--set", "spaces.probe.unit_seconds=0.01",
        "--set", "spaces.lightgbm.n_estimators=108", "--quiet",
    ]  # fmt: skip


def _records(name: str, storage: Path) -> dict[str, TrialRecord]:
    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        return {record.id: record for record in store.trials(driven=False)}


def _journal_lines(folder: Path) -> int:
    journal = folder / "journal.log"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _kill_after(process: subprocess.Popen[bytes], folder: Path, lines: int, delay_s: float) -> bool:
    """SIGKILL the driver once the record has grown by `lines`, and a moment more; False if it ended."""
    goal = _journal_lines(folder) + lines
    while _journal_lines(folder) < goal:
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return True


def _assert_nothing_lost(before: dict[str, TrialRecord], after: dict[str, TrialRecord]) -> None:
    for name, old in before.items():
        new = after[name]
        assert dict(new.params) == dict(old.params)
        assert old.values.items() <= new.values.items(), f"{name} lost reports"
        if old.status.is_finished:
            # The end of a study adds test metrics to the best; nothing else may change.
            assert replace(new, test={}) == replace(old, test={}), f"{name} was finished and has changed"


def _trained(storage: Path, name: str, trial: str) -> list[str]:
    """What a trial's own log says that it did."""
    log = storage / name / "trials" / trial / "log"
    return [line for line in log.read_text().splitlines() if " iteration " in line] if log.exists() else []


def _assert_rungs_follow_from_the_record(storage: Path, name: str) -> None:
    """The rungs that the next driver starts with, against the record read by hand."""
    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        session = Session(
            header.config,
            header.families,
            store,
            folder,
            lambda family: FamilySearch(header.config.search, family, header.direction),
        )
    for model in ("probe", "lightgbm"):
        rule = session.pruner(model)
        assert isinstance(rule, AshaPruner)
        for level in (1, 3, 9):
            assert rule.rung(level) == _rung_by_hand(_records(name, storage), model, level)


def _rung_by_hand(records: dict[str, TrialRecord], model: str, level: int) -> dict[int, float]:
    """Score of the best state until `level`, of the trials that reached it or had ended before."""
    reached = [
        record
        for record in records.values()
        if record.model == model and (record.iterations >= level or record.status is Status.COMPLETED)
    ]
    return {
        record.number: min(value for step, value in record.best_values.items() if step <= level)
        for record in reached
    }


def _course(storage: Path, name: str) -> list[tuple[Any, ...]]:
    """Everything about a study's trials that does not depend on the clock."""
    return sorted(
        (r.model, r.number, r.status, tuple(sorted(r.params.items())), tuple(r.values.items()), r.value)
        for r in _records(name, storage).values()
    )


@pytest.mark.timeout(400)
def test_a_study_killed_ten_times_equals_one_that_was_not(tmp_path: Path, ray_address: str) -> None:
    chance = random.Random(20)
    killed, folder = "killed", tmp_path / "killed"
    total_lines = 360  # what the record of this study comes to, about
    before: dict[str, TrialRecord] = {}
    finished_logs: dict[str, list[str]] = {}
    kills = 0
    while kills < KILLS:
        started = folder.joinpath("study.yaml").exists()
        arguments = ["resume", killed, "--storage", tmp_path, "--quiet"]
        process = subprocess.Popen(
            command(*(arguments if started else _run_arguments(killed, tmp_path, ray_address))),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        lines = chance.randint(1, 2 * total_lines // (KILLS + 4))
        assert _kill_after(process, folder, lines, chance.uniform(0, 0.05)), (
            "the study ended before the kills"
        )
        kills += 1
        after = _records(killed, tmp_path)
        _assert_nothing_lost(before, after)
        assert {name: _trained(tmp_path, killed, name) for name in finished_logs} == finished_logs
        assert_audited(killed, tmp_path)
        _assert_rungs_follow_from_the_record(tmp_path, killed)
        before = after
        done = [name for name, record in after.items() if record.status.is_finished]
        finished_logs = {name: _trained(tmp_path, killed, name) for name in done}

    resumed = tuning("resume", killed, "--storage", tmp_path, "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    _assert_nothing_lost(before, _records(killed, tmp_path))
    assert_audited(killed, tmp_path)

    whole = tuning(*_run_arguments("whole", tmp_path, ray_address))
    assert whole.returncode == 0, whole.stderr
    assert len(_course(tmp_path, "whole")) == 2 * TRIALS
    assert _course(tmp_path, killed) == _course(tmp_path, "whole")
    best = [leaderboard(name, tmp_path)[0] for name in (killed, "whole")]
    assert (best[0]["trial"], best[0]["params"]) == (best[1]["trial"], best[1]["params"])
    assert all(record.status is not Status.INTERRUPTED for record in _records(killed, tmp_path).values())
