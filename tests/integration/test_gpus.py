"""Scheduling on two GPUs; `ray.init(num_gpus=2)` stands in for the cards, so nothing is computed on them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group

from tests.conftest import ROOT
from tests.integration.command import ABALONE, PROBE
from tuning import Study

GPU_PROBE = ROOT / "tests" / "families" / "gpu_probe.py"


@pytest.fixture
def two_gpus() -> Iterator[None]:
    ray.init(
        address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    yield
    ray.shutdown()


@pytest.mark.usefixtures("two_gpus")
def test_both_gpus_are_used_and_cpu_trials_run_beside_them(tmp_path: Path) -> None:
    study = Study(
        "cards", data=ABALONE, target="rings", models=[str(GPU_PROBE), str(PROBE)], trials=10,
        storage=tmp_path, quiet=True, pruner="none", spaces={"probe": {"unit_seconds": 0.1}},
    )  # fmt: skip
    board = study.run().leaderboard()
    assert (board["status"] == "completed").all()
    on_gpu = board[board["model"] == "gpu_probe"]
    used = Counter(tuple(gpus) for gpus in on_gpu["gpus"])
    assert set(used) == {("0",), ("1",)}
    assert min(used.values()) >= 2, f"10 trials, half of them or so on each GPU: {used}"
    assert (on_gpu["device"] == "cuda").all()
    on_cpu = board[board["model"] == "probe"]
    assert all(len(gpus) == 0 for gpus in on_cpu["gpus"])
    spans = [(row.started_at, row.ended_at) for row in board.itertuples()]
    most = max(sum(start <= moment < end for start, end in spans) for moment, _ in spans)
    assert most == 4
    assert ray.available_resources()["GPU"] == 2, "all is given back"
    assert not study.audit()


@pytest.mark.usefixtures("two_gpus")
def test_a_study_whose_trials_wait_for_gpus_that_others_hold_ends_when_its_time_is_up(tmp_path: Path) -> None:
    others = placement_group([{"GPU": 2}])
    ray.get(others.ready())
    study = Study(
        "waits", data=ABALONE, target="rings", models=str(GPU_PROBE), trials=4, time_budget=2,
        storage=tmp_path, quiet=True,
    )  # fmt: skip
    board = study.run().leaderboard()
    assert set(board["status"]) == {"interrupted"}
    assert not study.audit()
    remove_placement_group(others)
    board = study.resume(time_budget=60).leaderboard()
    assert set(board["status"]) <= {"completed", "pruned"}
    assert len(board) == 4
