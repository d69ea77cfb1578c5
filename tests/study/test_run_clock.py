"""The time budget of a study over its runs: used by wall time, given anew, lifted, and kept through kills."""

from __future__ import annotations

from pathlib import Path

from tests.session.study_runs import Clock
from tuning.metrics import Direction
from tuning.store import Run, Store
from tuning.study._clock import SAVE_EVERY_S, RunClock, next_budget_s


class Runs:
    """Runs of one study, one after another."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.configured_s: float | None = None
        with self.open_store() as store:
            store.add_family("probe")

    def open_store(self) -> Store:
        return Store(self.folder, None, "study", Direction.MINIMIZE)

    def begin(self, *, budget_s: float | None = None, more_trials: bool = False) -> RunClock:
        """A run with a budget of its own, or a plain resume."""
        self.configured_s = budget_s or self.configured_s
        store = self.open_store()
        allowed_s = next_budget_s(
            store.runs(), self.configured_s, new_budget=budget_s is not None, more_trials=more_trials
        )
        return RunClock(store, allowed_s, self.clock)

    def use(self, clock: RunClock, seconds: float) -> None:
        self.clock.now_s += seconds
        clock.save()
        clock.end()


def test_a_plain_resume_has_what_was_left(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.use(runs.begin(budget_s=600), 200)
    second = runs.begin()
    assert second.left_s == 400
    runs.use(second, 100)
    assert runs.begin().left_s == 300


def test_a_new_budget_counts_from_now_and_is_what_a_later_resume_goes_on_with(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.use(runs.begin(budget_s=600), 600)
    longer = runs.begin(budget_s=300)
    assert longer.left_s == 300
    runs.use(longer, 60)  # Ctrl-C
    assert runs.begin().left_s == 240


def test_more_trials_lift_a_budget_that_is_used_up_for_good(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.use(runs.begin(budget_s=600), 601)
    assert runs.begin().left_s == 0
    lifted = runs.begin(more_trials=True)
    assert lifted.left_s is None
    runs.use(lifted, 5)  # Ctrl-C
    assert runs.begin().left_s is None


def test_more_trials_do_not_lift_a_budget_that_has_time_left(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.use(runs.begin(budget_s=600), 100)
    assert runs.begin(more_trials=True).left_s == 500


def test_a_budget_may_be_given_to_a_study_that_had_none(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.use(runs.begin(), 1000)
    assert runs.begin().left_s is None
    assert runs.begin(budget_s=50).left_s == 50


def test_a_killed_run_is_recorded_up_to_its_last_tick(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    killed = runs.begin(budget_s=600)
    for _ in range(35):
        runs.clock.now_s += 1
        killed.tick()
    recorded = runs.open_store().runs()
    assert len(recorded) == 1
    assert 35 - SAVE_EVERY_S <= recorded[0].used_s <= 35
    assert not recorded[0].ended
    assert runs.begin().left_s == 600 - recorded[0].used_s


def test_a_run_is_recorded_from_its_first_moment_and_ended_at_its_last(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    clock = runs.begin(budget_s=600)
    assert runs.open_store().runs() == (Run(600, 0.0, ended=False),)
    runs.clock.now_s += 4
    assert clock.left_s == 596
    clock.save()
    runs.clock.now_s += 100  # Scoring and exporting are not charged.
    clock.end()
    assert runs.open_store().runs() == (Run(600, 4.0, ended=True),)
