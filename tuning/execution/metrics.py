"""What Prometheus can scrape of a running study, from the endpoint that Ray has on every node.

Ray puts `ray_` before every name. Gauges alone: the record is the truth, and a counter would begin at
nought with every run.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from ray.util.metrics import Gauge

from tuning.progress import FamilyProgress, Snapshot

STUDY_EVERY_S = 2.0
"""Ray itself takes the values up every few seconds only."""

TRIAL_EVERY_S = 5.0
"""Also the age at which a trial is shown first: short ones would leave a series each."""

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = resource.getpagesize()


class MetricName(StrEnum):
    """The exported metrics; the unit is in the name where there is one."""

    BEST_SCORE = "tuning_best_score"
    TRIALS = "tuning_trials"
    TRIALS_PER_MINUTE = "tuning_trials_per_minute"
    OVERHEAD = "tuning_overhead_ratio"
    PROGRESS = "tuning_progress_ratio"
    SLOTS = "tuning_slots"
    ELAPSED = "tuning_elapsed_seconds"
    TRIAL_MEMORY = "tuning_trial_memory_bytes"
    TRIAL_GPU_MEMORY = "tuning_trial_gpu_memory_bytes"


class StudyMetrics:
    """The driver's metrics of one study.

    Args:
        study: name of the study; each series bears it as a label.
        clock: monotonic time in seconds.
    """

    def __init__(self, study: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_s = clock()
        self._best = _gauge(study, MetricName.BEST_SCORE, "Best validation score so far.", "model", "metric")
        self._trials = _gauge(study, MetricName.TRIALS, "Trials by their state.", "model", "state")
        self._rate = _gauge(study, MetricName.TRIALS_PER_MINUTE, "Trials that this run finished, per minute.")
        self._overhead = _gauge(
            study, MetricName.OVERHEAD, "Share of the slots' wall time that was not training, 0 to 1."
        )
        self._progress = _gauge(
            study, MetricName.PROGRESS, "Share of the trials or of the time budget that is used, 0 to 1."
        )
        self._slots = _gauge(study, MetricName.SLOTS, "Trials that can run at once.")
        self._elapsed = _gauge(study, MetricName.ELAPSED, "Wall time of this run.")

    def is_due(self) -> bool:
        """Whether the values are old enough for an update."""
        return self._clock() >= self._due_s

    def update(self, snapshot: Snapshot) -> None:
        """Take a study's present values."""
        self._due_s = self._clock() + STUDY_EVERY_S
        for family in snapshot.families:
            self._update_family(family, snapshot.metric)
        self._rate.set(snapshot.trials_per_minute)
        self._overhead.set(snapshot.overhead_share)
        self._progress.set(snapshot.share_done)
        self._slots.set(snapshot.slots)
        self._elapsed.set(snapshot.elapsed_s)

    def _update_family(self, family: FamilyProgress, metric: str) -> None:
        self._best.set(family.best, {"model": family.name, "metric": metric})
        states = {
            "running": family.running,
            "completed": family.completed,
            "pruned": family.pruned,
            "failed": family.failed,
            "diverged": family.diverged,
        }
        for state, count in states.items():
            self._trials.set(count, {"model": family.name, "state": state})


class TrialMetrics:
    """A worker's metrics of the trial that it runs now; the trials before it are at 0.

    Args:
        study: name of the study.
        clock: monotonic time in seconds.
    """

    def __init__(self, study: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._memory = _gauge(
            study, MetricName.TRIAL_MEMORY, "Resident memory of the process that runs the trial.", "trial"
        )
        self._gpu_memory = _gauge(
            study, MetricName.TRIAL_GPU_MEMORY, "GPU memory that torch holds for the trial.", "trial"
        )
        self._trial = ""
        self._is_shown = False
        self._due_s = 0.0

    def begin(self, trial: str) -> None:
        """Another trial runs from now on."""
        self.end()
        self._trial = trial
        self._due_s = self._clock() + TRIAL_EVERY_S

    def end(self) -> None:
        """The trial runs no longer."""
        if self._is_shown:
            self._show(0, 0)
            self._is_shown = False

    def update(self) -> None:
        """Measure, if that is due."""
        if self._clock() >= self._due_s:
            self._due_s = self._clock() + TRIAL_EVERY_S
            self._is_shown = True
            self._show(_resident_bytes(), _torch_gpu_bytes())

    def _show(self, memory: int | None, gpu_memory: int | None) -> None:
        labels = {"trial": self._trial}
        self._memory.set(memory, labels)
        self._gpu_memory.set(gpu_memory, labels)


def _gauge(study: str, name: MetricName, description: str, *labels: str) -> Gauge:
    gauge = Gauge(name.value, description, ("study", *labels))
    gauge.set_default_tags({"study": study})
    return gauge


def _resident_bytes() -> int | None:
    """Memory of this process, None where the system does not tell it in a file."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return None


def _torch_gpu_bytes() -> int | None:
    """GPU memory of torch in this process, its cache included; None where torch uses no GPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return sum(int(torch.cuda.memory_reserved(index)) for index in range(torch.cuda.device_count()))
