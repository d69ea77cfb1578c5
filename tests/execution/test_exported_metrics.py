"""What a study and a trial export, and when."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tuning.execution import StudyMetrics
from tuning.execution.metrics import STUDY_EVERY_S, TRIAL_EVERY_S, MetricName, TrialMetrics
from tuning.progress import FamilyProgress, Snapshot

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Values:
    """Last value by metric and labels, as Ray's gauges hold them."""
    values: Values = {}

    class Gauge:
        def __init__(self, name: str, description: str, tag_keys: tuple[str, ...]) -> None:
            assert description.endswith(".")
            self.name, self.tag_keys = name, set(tag_keys)

        def set_default_tags(self, tags: dict[str, str]) -> None:
            self.tags = tags

        def set(self, value: float | None, tags: dict[str, str] | None = None) -> None:
            labels = self.tags | (tags or {})
            assert set(labels) == self.tag_keys
            if value is not None:
                values[self.name, frozenset(labels.items())] = value

    monkeypatch.setattr("tuning.execution.metrics.Gauge", Gauge)
    return values


def snapshot(**changes: Any) -> Snapshot:
    families = (FamilyProgress("one", running=2, completed=3, pruned=1, best=0.5), FamilyProgress("two"))
    known = {"launched": 6, "finished": 4, "target": 8, "elapsed_s": 60.0, "remaining_s": None}
    return Snapshot("demo", "rmse", families, **{**known, "busy_seconds": 90.0, "slots": 2, **changes})


def labels(**named: str) -> frozenset[tuple[str, str]]:
    return frozenset(named.items())


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_study_exports_scores_states_pace_and_overhead(exported: Values) -> None:
    StudyMetrics("demo").update(snapshot())
    study = {"study": "demo"}
    one = {**study, "model": "one"}
    assert exported[MetricName.BEST_SCORE, labels(**one, metric="rmse")] == 0.5
    assert exported[MetricName.TRIALS, labels(**one, state="running")] == 2
    assert exported[MetricName.TRIALS, labels(**one, state="pruned")] == 1
    assert exported[MetricName.TRIALS_PER_MINUTE, labels(**study)] == 4
    assert exported[MetricName.OVERHEAD, labels(**study)] == pytest.approx(0.25), "90 s of 2 times 60 s"
    assert exported[MetricName.PROGRESS, labels(**study)] == 0.5
    assert exported[MetricName.SLOTS, labels(**study)] == 2
    assert exported[MetricName.ELAPSED, labels(**study)] == 60


def test_what_is_not_known_is_not_exported(exported: Values) -> None:
    StudyMetrics("demo").update(snapshot(target=None))
    models = {dict(key)["model"] for name, key in exported if name == MetricName.BEST_SCORE}
    assert models == {"one"}, "the other family has no score"
    assert MetricName.PROGRESS not in {name for name, _ in exported}


def test_the_series_of_a_study_do_not_grow_with_its_trials(exported: Values) -> None:
    metrics = StudyMetrics("demo")
    metrics.update(snapshot())
    before = set(exported)
    metrics.update(snapshot(launched=3000, finished=2998, target=5000))
    assert set(exported) == before


def test_a_study_is_due_again_after_a_while(exported: Values) -> None:
    clock = Clock()
    metrics = StudyMetrics("demo", clock)
    assert metrics.is_due()
    metrics.update(snapshot())
    clock.now_s += STUDY_EVERY_S / 2
    assert not metrics.is_due()
    clock.now_s += STUDY_EVERY_S / 2
    assert metrics.is_due()


def test_a_trial_exports_its_memory_once_it_has_run_for_a_while(
    exported: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: True, device_count=lambda: 2, memory_reserved=lambda index: 1000 + index
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    clock = Clock()
    metrics = TrialMetrics("demo", clock)
    metrics.begin("one-0000")
    metrics.update()
    assert exported == {}, "trials of a moment leave no series"
    clock.now_s += TRIAL_EVERY_S
    metrics.update()
    trial = labels(study="demo", trial="one-0000")
    assert exported[MetricName.TRIAL_MEMORY, trial] > 10e6
    assert exported[MetricName.TRIAL_GPU_MEMORY, trial] == 2001


def test_a_trial_that_ended_uses_nothing(exported: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    clock = Clock()
    metrics = TrialMetrics("demo", clock)
    metrics.begin("one-0000")
    clock.now_s += TRIAL_EVERY_S
    metrics.update()
    metrics.begin("one-0001")
    metrics.end()
    assert {dict(key)["trial"] for _, key in exported} == {"one-0000"}
    assert exported[MetricName.TRIAL_MEMORY, labels(study="demo", trial="one-0000")] == 0
