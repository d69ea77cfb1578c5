"""Where trials with a share of a GPU run: real studies on two GPUs that Ray is told of, from quarter to half.

Nothing is computed on a GPU. For every case: the most trials at once on each GPU; how often a trial went to
a GPU that had more trials than another with a free place (uneven); and by how many others a trial was passed
while it waited beside a free place and a CPU that ran no trial (passed), and for how long it waited so.
Ends with 1 when a trial was placed unevenly, or was passed by more than two.

    python benchmarks/placement.py [--cpus 4,8] [--shares 0.25,0.5] [--at-once 2,3,4,6,8] [--mixed no,yes]
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import ray
from ray.air.execution import AcquiredResources, ResourceRequest
from ray.tune.experiment import Trial

from tuning import Study
from tuning.execution import controller
from tuning.execution.gpus import HeldGpu
from tuning.execution.placement import SharedGpu, TrialPlacement

FAMILIES = Path(__file__).parents[1] / "tests" / "families"
UNIT_S = 0.25
GPUS = 2
MOST_PASSED = 2


@dataclass
class Seen:
    """What was seen of one study.

    Attributes:
        per_gpu: places on a GPU.
        cpus: of the machine; each trial has one.
        most: trials at once by GPU.
        uneven: trials that were placed on a GPU with more trials than another with a free place.
        passed: trials that were placed while one waited beside a free place, at most.
        waited_s: longest such wait.
    """

    per_gpu: int
    cpus: int
    most: Counter[HeldGpu] = field(default_factory=Counter)
    uneven: int = 0
    passed: int = 0
    waited_s: float = 0.0

    @property
    def is_within_the_rule(self) -> bool:
        """Whether trials were spread, and no place stayed empty."""
        return self.uneven == 0 and self.passed <= MOST_PASSED and len(self.most) == GPUS


class WatchedController(controller.StudyController):
    """Notes every placement of a trial, and after every step who waits beside a free place."""

    seen: Seen

    def __init__(self, placement: TrialPlacement | None = None, **options: Any) -> None:
        assert placement is not None
        super().__init__(placement, **options)
        self._waits: dict[Trial, tuple[float, int]] = {}
        self._placed = 0
        self._acquire = placement.acquire_resources
        setattr(placement, "acquire_resources", self._watched_acquire)  # noqa: B010

    def _watched_acquire(self, resource_request: ResourceRequest) -> AcquiredResources | None:
        before = self._loads()
        given = self._acquire(resource_request)
        if given is not None:
            self._note_placement(before, given)
        return given

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        before = self._loads()
        had = trial in self._resetting_trials
        reuses = super()._maybe_reuse_cached_actor(trial)
        if reuses and not had:
            self._note_placement(before, self._actor_manager.get_actor_resources(self._trial_to_actor[trial]))
        return reuses

    def on_step_end(self) -> None:
        super().on_step_end()
        now_s = time.monotonic()
        waiting = self._waiting_beside_a_place()
        self._waits = {trial: self._waits.get(trial, (now_s, self._placed)) for trial in waiting}
        for since_s, placed in self._waits.values():
            self.seen.waited_s = max(self.seen.waited_s, now_s - since_s)
            self.seen.passed = max(self.seen.passed, self._placed - placed)

    def _note_placement(self, before: Counter[HeldGpu], given: Any) -> None:
        self._placed += 1
        if not isinstance(given, SharedGpu):
            return
        free = [load for gpu, load in before.items() if gpu is not given.gpu and load < self.seen.per_gpu]
        self.seen.uneven += before[given.gpu] > min(free, default=before[given.gpu])
        self.seen.most[given.gpu] = max(self.seen.most[given.gpu], before[given.gpu] + 1)

    def _waiting_beside_a_place(self) -> list[Trial]:
        """Trials without resources while a GPU has a free place and a CPU runs no trial."""
        loads = self._loads()
        busy = sum(self._resources(trial) is not None for trial in self._trial_to_actor)
        if busy >= self.seen.cpus or all(load >= self.seen.per_gpu for load in loads.values()):
            return []
        pending = [trial for trial in self._trial_to_actor if self._resources(trial) is None]
        return [trial for trial in pending if "GPU" in trial.placement_group_factory.required_resources]

    def _loads(self) -> Counter[HeldGpu]:
        """Trials on each GPU of the study."""
        assert self._placement is not None
        given = map(self._resources, self._trial_to_actor)
        loads = Counter(dict.fromkeys(self._placement._pool._gpus, 0))
        loads.update(resources.gpu for resources in given if isinstance(resources, SharedGpu))
        return loads

    def _resources(self, trial: Trial) -> Any:
        return self._actor_manager.get_actor_resources(self._trial_to_actor[trial])


def run_case(share: float, at_once: int, cpus: int, mixed: bool, folder: Path) -> tuple[Seen, float]:
    """One study: what was seen, and the seconds that it took."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    data = folder / "rows.csv"
    pd.DataFrame(rows, columns=["a", "b", "y"]).to_csv(data, index=False)
    names = ["gpu_probe", "probe"] if mixed else ["gpu_probe"]
    seen = Seen(per_gpu=round(1 / share), cpus=cpus)
    study = Study(
        f"case-{share}-{at_once}-{cpus}-{mixed}",
        data=data,
        target="y",
        storage=folder,
        quiet=True,
        pruner="none",
        trials=2 * at_once,
        models=[str(FAMILIES / f"{family}.py") for family in names],
        spaces={family: {"unit_seconds": UNIT_S} for family in names},
        resources={
            "gpus_per_trial": share,
            "cpus_per_trial": 1,
            "max_concurrent": cpus if mixed else at_once,
        },
    )
    started_s = time.monotonic()
    with (
        patch.object(WatchedController, "seen", seen, create=True),
        patch.object(controller, "StudyController", WatchedController),
    ):
        board = study.run().leaderboard()
    assert (board["status"] == "completed").all(), board
    return seen, time.monotonic() - started_s


@contextmanager
def told_of_gpus(cpus: int) -> Iterator[None]:
    """Ray on this machine with that many CPUs and two GPUs."""
    ray.init(
        address="local",
        num_cpus=cpus,
        num_gpus=GPUS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield
    finally:
        ray.shutdown()


def print_row(*cells: object) -> None:
    """One line of the table."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def run_cases(shares: Sequence[float], at_once: Sequence[int], cpus: int, mixed: Sequence[str]) -> bool:
    """All cases on a machine, each a line of the table; whether all kept to the rule."""
    kept = True
    with told_of_gpus(cpus), tempfile.TemporaryDirectory() as scratch:
        for share, trials, families in itertools.product(shares, at_once, mixed):
            seen, took_s = run_case(share, trials, cpus, families == "yes", Path(scratch))
            most = " and ".join(map(str, sorted(seen.most.values())))
            waited, took = f"{seen.waited_s:.1f} s", f"{took_s:.0f} s"
            print_row(share, trials, cpus, families, most, seen.uneven, seen.passed, waited, took)
            kept = kept and seen.is_within_the_rule
    return kept


def main() -> int:
    """Print the table; 1 when the rule was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpus", default="4,8")
    parser.add_argument("--shares", default="0.25,0.5")
    parser.add_argument("--at-once", default="2,3,4,6,8")
    parser.add_argument("--mixed", default="no,yes")
    given = parser.parse_args()
    shares = [float(share) for share in given.shares.split(",")]
    at_once = [int(trials) for trials in given.at_once.split(",")]
    print_row("share", "at once", "CPUs", "CPU families too", "most", "uneven", "passed", "waited", "took")
    print_row(*["---"] * 9)
    kept = [run_cases(shares, at_once, int(cpus), given.mixed.split(",")) for cpus in given.cpus.split(",")]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
