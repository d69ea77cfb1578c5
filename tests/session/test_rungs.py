"""The rungs of a running driver, and those that the next one takes over from the record: the same."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from tests.session.study_runs import Study, started, twin_families
from tuning.pruning import AshaPruner
from tuning.session import Session
from tuning.store import Result, Status
from tuning.trial import Report, TrialSpec


def rungs(session: Session, model: str) -> dict[int, dict[int, float]]:
    pruner = session.pruner(model)
    assert isinstance(pruner, AshaPruner)
    return {level: pruner.rung(level) for level in sorted(pruner.levels)}


@pytest.mark.parametrize("slots", [1, 3])
def test_after_every_report_of_real_trials(slots: int, tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 12})
    session = study.begin()
    moments = 0
    for _ in study.reports(session, slots=slots):
        assert rungs(study.begin(), "probe") == rungs(session, "probe")
        moments += 1
    assert moments > 30
    assert len(rungs(session, "probe")[3]) > 1


class Chance:
    """Trials that report, end early, diverge, fail, stop and lose their workers as the dice fall."""

    def __init__(self, study: Study, session: Session, seed: int) -> None:
        self.study, self.session = study, session
        self.dice = random.Random(seed)
        self.live: dict[str, tuple[TrialSpec, int]] = {}

    def step(self) -> None:
        if len(self.live) < 3 and (spec := self.session.next_trial()) is not None:
            self.live[spec.id] = (spec, 0)
        name = self.dice.choice(list(self.live))
        spec, iteration = self.live[name]
        if self.dice.random() < 0.08:
            self.session.lost(spec, "its worker died")
            del self.live[name]
            return
        report = self._report(iteration + 1)
        if self.session.report(spec, report):
            del self.live[name]
        else:
            self.live[name] = (spec, iteration + 1)

    def _report(self, iteration: int) -> Report:
        value = self.dice.random() if self.dice.random() < 0.95 else math.nan
        fate = self.dice.random()
        if iteration == 9 or fate < 0.1:
            best = 0.5 * self.dice.random()
            return Report(iteration, value, 1.0, result=Result(Status.COMPLETED, best, iteration))
        if fate < 0.2:
            status = self.dice.choice([Status.DIVERGED, Status.FAILED])
            return Report(iteration, None, 1.0, result=Result(status, error="bad luck"))
        return Report(iteration, value, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_after_everything_that_may_happen_to_trials_of_two_families(seed: int, tmp_path: Path) -> None:
    study = Study(tmp_path, twin_families(tmp_path, "one", "two"), search={"trials": 30, "sampler": "random"})
    session = study.begin()
    chance = Chance(study, session, seed)
    moments = 0
    while not session.is_over():
        chance.step()
        taken_over = study.begin()
        for model in ("one", "two"):
            assert rungs(taken_over, model) == rungs(session, model)
        moments += 1
    assert moments > 50
    assert all(len(rungs(session, model)[9]) > 1 for model in ("one", "two"))


def test_a_score_told_again_after_a_loss_counts_as_first_told(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    spec = started(session)
    session.report(spec, Report(1, 3.0, 1.0))
    session.lost(spec, "its worker died")
    session.report(started(session), Report(1, 2.0, 1.0))
    for pruner in (session.pruner("probe"), study.begin().pruner("probe")):
        assert pruner.best_until(0, 1) == 3.0


def test_a_trial_that_ended_early_stays_in_the_later_rungs(tmp_path: Path) -> None:
    study = Study(tmp_path)
    session = study.begin()
    spec = started(session)
    session.report(spec, Report(1, 0.7, 1.0))
    session.report(spec, Report(2, 0.5, 2.0, result=Result(Status.COMPLETED, 0.5, 2)))
    for pruner in (session.pruner("probe"), study.begin().pruner("probe")):
        assert isinstance(pruner, AshaPruner)
        assert pruner.rung(9) == {0: 0.5}
