"""A node without enough memory: what is planned for it, and what becomes of workers that Ray ends for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.integration.command import ABALONE, PROBE
from tests.integration.placed import free, wait_until
from tuning import Study
from tuning.errors import InputError
from tuning.progress import NullView
from tuning.study._run import run_study

GIB = 2**30


@contextmanager
def cluster(**options: Any) -> Iterator[None]:
    ray.init(
        address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **options
    )
    try:
        yield
    finally:
        ray.shutdown()


def probes(folder: Path, **settings: Any) -> Study:
    return Study(
        "memory", data=ABALONE, target="rings", models=[str(PROBE)], trials=3, storage=folder, pruner="none",
        **settings,
    )  # fmt: skip


class Said(NullView):
    """Keeps what a run says at its start."""

    lines: Sequence[str] = ()

    def start(self, headline: Sequence[str]) -> None:
        self.lines = tuple(headline)


def test_no_more_trials_at_once_than_the_node_has_memory_for(tmp_path: Path) -> None:
    said = Said()
    with cluster(num_cpus=8, _memory=1.25 * GIB):
        with pytest.raises(
            InputError, match=r"resources\.max_concurrent: .* 2 fit at once, not 8; lower it to 2"
        ):
            probes(tmp_path / "given", max_concurrent=8, quiet=True).run()
        outcome = run_study(probes(tmp_path / "free")._set_up(), said)
        wait_until(lambda: free("memory") == 1.25 * GIB)
    assert any(line.startswith("2 trials at once, 4 CPU each") for line in said.lines)
    assert "instead of 8: a trial is expected to take 0.5 GiB of memory, the node has 1.2" in said.lines[-1]
    assert {row.status for row in outcome.leaderboard.rows} == {"completed"}


@pytest.mark.slow
def test_a_worker_that_ray_ends_for_memory_fails_its_trial_and_not_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.001")  # every node is above it
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    with cluster(num_cpus=1):
        study = probes(tmp_path, quiet=True, spaces={"probe": {"unit_seconds": 5.0}}).run()
    for error in study.leaderboard()["error"]:
        assert error.startswith("its node ran out of memory, so Ray ended its worker (Memory usage ")
        assert error.endswith("; lower resources.max_concurrent, which is 1")
    assert not study.audit()
