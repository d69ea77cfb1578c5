"""Running out of GPU memory on two GPUs that Ray is told of; the error itself is the probe's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.conftest import ROOT
from tests.integration.command import ABALONE
from tuning import Study
from tuning.store import TrialRecord
from tuning.study._setup import read_header

PROBE = ROOT / "tests" / "families" / "crowded_probe.py"


@pytest.fixture(scope="module", autouse=True)
def two_gpus() -> Iterator[None]:
    ray.init(
        address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    yield
    ray.shutdown()


def run(folder: Path, share: float, trials: int, workers: int = 1, **fixed: Any) -> list[TrialRecord]:
    """The trials of a study of probes with these settings."""
    study = Study(
        "crowded", data=ABALONE, target="rings", models=[str(PROBE)], trials=trials, storage=folder,
        quiet=True, pruner="none", sampler="random", spaces={"crowded_probe": fixed},
        resources={"gpus_per_trial": share, "workers_per_trial": workers},
    )  # fmt: skip
    study.run()
    assert not study.audit()
    header, place = read_header(folder, study.name)
    with header.open_store(place) as store:
        return store.trials()


def choice(*values: object) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(values)}


def test_a_trial_too_large_for_its_share_ends_on_a_whole_gpu_and_its_neighbours_do_not_notice(
    tmp_path: Path,
) -> None:
    records = run(tmp_path, 0.5, trials=5, needs=choice(0.0, 1.0), library=choice("torch", "catboost"))
    large = [record for record in records if record.params["needs"] == 1.0]
    assert 0 < len(large) < len(records), "choose another seed"
    assert {record.status for record in records} == {"completed"}
    assert [record.whole_gpu for record in large] == [True] * len(large)
    assert [record.attempts for record in large] == [2] * len(large)
    rest = [record for record in records if record not in large]
    assert {(record.attempts, record.whole_gpu) for record in rest} == {(1, False)}
    for record in large:
        log = (tmp_path / "crowded" / "trials" / record.id / "log").read_text()
        assert log.count(" iteration 1:") == 1, "it went on from its checkpoint"
    assert ray.available_resources()["GPU"] == 2, "all is given back"


@pytest.mark.parametrize("share", [0.5, pytest.param(1.0, marks=pytest.mark.slow)])
def test_a_trial_too_large_for_a_whole_gpu_fails_and_says_what_to_lower(share: float, tmp_path: Path) -> None:
    (record,) = run(tmp_path, share, trials=1, needs=2.0, library="xgboost", unit_seconds=0.0)
    assert (record.status, record.attempts) == ("failed", 2 if share < 1 else 1)
    assert record.error is not None
    assert record.error.startswith("CUDA out of memory on a whole GPU: ")
    assert "Requested memory: 6.4GB" in record.error
    assert record.error.count("\n") == 0


@pytest.mark.slow
def test_workers_that_run_out_of_their_shares_get_a_whole_gpu_each(tmp_path: Path) -> None:
    (record,) = run(tmp_path, 0.5, trials=1, workers=2, needs=1.0, library="xgboost")
    assert (record.status, record.attempts, record.whole_gpu) == ("completed", 2, True)
    assert record.placement is not None
    assert sorted(record.placement.gpus) == ["0", "1"]


@pytest.mark.slow
def test_workers_that_run_out_of_whole_gpus_fail(tmp_path: Path) -> None:
    (record,) = run(tmp_path, 1.0, trials=1, workers=2, needs=2.0, library="xgboost")
    assert (record.status, record.attempts) == ("failed", 1)
    assert str(record.error).startswith("CUDA out of memory on a whole GPU: ")


def test_another_cuda_error_ends_the_trial_and_its_process(tmp_path: Path) -> None:
    records = run(tmp_path, 0.5, trials=4, needs=choice(0.0, 2.0), library="other", unit_seconds=0.0)
    broken = [record for record in records if record.status == "failed"]
    assert 0 < len(broken) < len(records), "choose another seed"
    assert {(record.attempts, record.whole_gpu) for record in records} == {(1, False)}
    assert all("illegal memory access" in (record.error or "") for record in broken)
