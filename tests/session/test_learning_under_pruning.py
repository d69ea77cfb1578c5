"""Samplers learn from trials that were pruned or diverged, so that later draws lie where scores are good."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest

from tests.session.study_runs import Study
from tests.trial.rows import PROBE
from tuning.families import Family, resolve_families
from tuning.models import Task
from tuning.session import Session
from tuning.store import Result, Status
from tuning.trial import Report, TrialSpec

Run = Callable[[Session, TrialSpec], Status]

ITERATIONS = 9
BEST = {"level": 0.7, "unit_seconds": 0.3}
_SPACE = """
description: a bowl
parameters:
  level: {type: float, low: 0.0, high: 1.0, default: 0.62}
  unit_seconds: {type: float, low: 0.0, high: 1.0, default: 0.38}
fixed: {units: 9}
"""


def bowl_family(folder: Path) -> Family:
    folder.mkdir(exist_ok=True)
    (folder / "bowl.py").write_text(Path(PROBE).read_text())
    (folder / "bowl.yaml").write_text(_SPACE)
    return resolve_families([str(folder / "bowl.py")], Task.REGRESSION, {})[0]


Curve = Callable[[float, int], float]


def falls_alike(final: float, iteration: int) -> float:
    """A loss that falls by the same amount whatever its end."""
    return final + 1.0 / iteration - 1.0 / ITERATIONS


def falls_in_proportion(final: float, iteration: int) -> float:
    """A loss that falls to a third of where it began."""
    return final * (1.0 + 2.0 * (ITERATIONS - iteration) / (ITERATIONS - 1))


def rises(final: float, iteration: int) -> float:
    """A loss whose best state was the first one."""
    return final * (1.0 + 0.1 * (iteration - 1))


def distance(spec: TrialSpec) -> float:
    return math.dist([spec.params[name] for name in BEST], list(BEST.values()))


def train(session: Session, spec: TrialSpec, curve: Curve = falls_alike) -> Status:
    """Report the squared distance from the best point, as a curve, until the trial ends."""
    losses = {iteration: curve(distance(spec) ** 2, iteration) for iteration in range(1, ITERATIONS + 1)}
    for iteration in range(1, ITERATIONS):
        if session.report(spec, Report(iteration, losses[iteration], iteration)):
            return Status.PRUNED
    result = Result(Status.COMPLETED, min(losses.values()), 1)
    session.report(spec, Report(ITERATIONS, losses[ITERATIONS], ITERATIONS, result=result))
    return Status.COMPLETED


def diverges_on_one_side(session: Session, spec: TrialSpec) -> Status:
    """Diverge on one side of the space, and train on the other."""
    if spec.params["unit_seconds"] < 0.6:
        return train(session, spec)
    session.report(spec, Report(1, 0.3, 1.0))
    session.report(spec, Report(1, None, 1.0, result=Result(Status.DIVERGED, error="the loss is NaN")))
    return Status.DIVERGED


def drawn(study: Study, run: Run, *, restart: bool = False) -> tuple[list[TrialSpec], list[Status]]:
    """The trials of a study, and how they ended; with `restart` each is another driver's."""
    session = study.begin()
    specs, statuses = [], []
    while (spec := session.next_trial()) is not None:
        specs.append(spec)
        statuses.append(run(session, spec))
        session = study.begin() if restart else session
    return specs, statuses


def bowl_study(folder: Path, sampler: str, trials: int, seed: int = 1) -> Study:
    return Study(
        folder,
        (bowl_family(folder),),
        search={"sampler": sampler, "trials": trials, "startup_trials": 8, "seed": seed},
        pruning={"max_iterations": ITERATIONS},
    )


@pytest.mark.parametrize(
    ("sampler", "trials", "curve"),
    [
        ("gp", 20, falls_in_proportion),
        ("cmaes", 60, falls_alike),
        ("cmaes", 60, falls_in_proportion),
        ("cmaes", 60, rises),
    ],
)
def test_draws_concentrate_although_many_trials_are_pruned(
    sampler: str, trials: int, curve: Curve, tmp_path: Path
) -> None:
    specs, statuses = drawn(
        bowl_study(tmp_path, sampler, trials), lambda session, spec: train(session, spec, curve)
    )
    at_random, learnt = mean(map(distance, specs[1:9])), mean(map(distance, specs[-8:]))
    assert statuses.count(Status.PRUNED) > len(specs) / 3
    assert learnt < 0.45 * at_random


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 40), ("cmaes", 60)])
def test_draws_avoid_where_training_diverges(sampler: str, trials: int, tmp_path: Path) -> None:
    _, statuses = drawn(bowl_study(tmp_path, sampler, trials), diverges_on_one_side)
    assert statuses[:10].count(Status.DIVERGED) >= 3
    assert statuses[-8:].count(Status.DIVERGED) <= 1


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 18), ("gp", 11), ("cmaes", 18)])
def test_a_driver_that_takes_over_draws_the_same(sampler: str, trials: int, tmp_path: Path) -> None:
    whole, _ = drawn(bowl_study(tmp_path / "whole", sampler, trials), diverges_on_one_side)
    pieces, statuses = drawn(
        bowl_study(tmp_path / "pieces", sampler, trials), diverges_on_one_side, restart=True
    )
    assert {Status.PRUNED, Status.DIVERGED} <= set(statuses)
    assert [spec.params for spec in pieces] == [spec.params for spec in whole]


def test_the_record_tells_pruned_and_diverged_trials_as_they_ended(tmp_path: Path) -> None:
    study = bowl_study(tmp_path, "tpe", 12)
    _, statuses = drawn(study, diverges_on_one_side)
    assert [record.status for record in study.records()] == statuses
    states = {"pruned": "PRUNED", "diverged": "FAIL", "completed": "COMPLETE"}
    frozen = study.open_store().frozen_trials("bowl")
    assert [trial.state.name for trial in frozen] == [states[status.value] for status in statuses]
