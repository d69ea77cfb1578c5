"""Whose turn it is: by trials or by time, and when a family is given up."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from tests.session.study_runs import (
    Clock,
    Study,
    done,
    failed,
    family_without_parameters,
    started,
    twin_families,
)
from tuning.session import Session
from tuning.store import Result, Status
from tuning.trial import Report, TrialSpec

TIMED = {"time_budget_s": 1000}


def test_families_take_turns_when_trials_are_counted(tmp_path: Path) -> None:
    clock = Clock()
    session = Study(tmp_path, twin_families(tmp_path, "swift", "slow"), search={"trials": 3}).begin(
        clock=clock
    )
    order = []
    while not session.is_over():
        spec = started(session)
        order.append(spec.model)
        clock.now_s += 100.0 if spec.model == "slow" else 1.0
        session.report(spec, done())
    assert order == ["swift", "slow"] * 3


def test_families_get_the_same_time_when_time_is_counted(tmp_path: Path) -> None:
    clock = Clock()
    session = Study(tmp_path, twin_families(tmp_path, "slow", "swift"), search=TIMED).begin(clock=clock)
    spent: Counter[str] = Counter()
    for _ in range(44):
        spec = started(session)
        seconds = 10 if spec.model == "slow" else 1
        clock.now_s += seconds
        spent[spec.model] += seconds
        session.report(spec, done(seconds=0.001))  # What the trial itself counts does not matter.
    assert spent == {"slow": 40, "swift": 40}


def test_trials_that_end_at_once_do_not_take_every_turn(tmp_path: Path) -> None:
    clock = Clock()
    session = Study(tmp_path, twin_families(tmp_path, "hasty", "steady"), search=TIMED).begin(clock=clock)
    counts: Counter[str] = Counter()
    for _ in range(40):
        spec = started(session)
        counts[spec.model] += 1
        clock.now_s += 0.001 if spec.model == "hasty" else 1.0
        session.report(spec, done(seconds=0.001))
    assert counts == {"hasty": 20, "steady": 20}


def test_the_time_of_lost_workers_is_charged(tmp_path: Path) -> None:
    clock = Clock()
    study = Study(tmp_path, twin_families(tmp_path, "fragile", "steady"), search=TIMED)
    session = study.begin(clock=clock)
    counts: Counter[str] = Counter()
    for _ in range(24):
        spec = started(session)
        counts[spec.model] += 1
        if spec.model == "fragile":
            session.report(spec, Report(1, 3.0, 0.001))
            clock.now_s += 5.0
            session.lost(spec, "hung", may_retry=False)
        else:
            clock.now_s += 1.0
            session.report(spec, done())
    assert counts == {"fragile": 4, "steady": 20}


def test_running_trials_are_charged_before_they_tell_of_anything(tmp_path: Path) -> None:
    clock = Clock()
    session = Study(tmp_path, twin_families(tmp_path, "slow", "swift"), search=TIMED).begin(clock=clock)
    assert started(session).model == "slow"
    clock.now_s += 3.5
    for _ in range(4):
        spec = started(session)
        assert spec.model == "swift"
        session.report(spec, done())
    assert started(session).model == "slow"


def fail(session: Session, count: int) -> list[TrialSpec]:
    specs = []
    for _ in range(count):
        specs.append(started(session))
        session.report(specs[-1], failed())
    return specs


def test_a_family_whose_trials_all_fail_is_given_up_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = Study(tmp_path, twin_families(tmp_path, "broken", "sound"), search={"trials": 20})
    session = study.begin()
    counts: Counter[str] = Counter()
    with caplog.at_level(logging.WARNING):
        while not session.is_over():
            spec = started(session)
            counts[spec.model] += 1
            session.report(spec, failed() if spec.model == "broken" else done())
    assert counts == {"broken": 5, "sound": 20}
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "broken is given up for this run: 5 trials in a row failed" in warning
    assert "ValueError: broken" in warning
    assert session.snapshot().target == session.snapshot().finished == 25


def test_with_every_family_given_up_the_session_is_over_and_a_resume_tries_again(tmp_path: Path) -> None:
    study = Study(tmp_path, search=TIMED)
    session = study.begin()
    fail(session, 5)
    assert session.is_over()
    assert session.next_trial() is None
    assert not session.is_stopping
    assert [spec.number for spec in fail(study.begin(), 5)] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "between",
    [
        done(),
        Report(0, None, 1.0, result=Result(Status.PRUNED)),
        Report(3, 2.0, 1.0, result=Result(Status.FAILED, error="late")),
    ],
)
def test_a_score_in_between_keeps_a_family(between: Report, tmp_path: Path) -> None:
    session = Study(tmp_path, search=TIMED).begin()
    fail(session, 4)
    session.report(started(session), between)
    fail(session, 4)
    assert session.next_trial() is not None


def test_an_unfinished_trial_of_a_family_that_is_given_up_stays_for_a_resume(tmp_path: Path) -> None:
    study = Study(tmp_path, search=TIMED)
    session = study.begin()
    unlucky = started(session)
    fail(session, 5)
    assert not session.is_over()
    session.lost(unlucky, "its worker died")
    assert session.is_over()
    assert session.next_trial() is None
    assert started(study.begin()).id == unlucky.id


def test_gpu_trials_do_not_queue_in_the_places_of_cpu_trials(tmp_path: Path) -> None:
    study = Study(tmp_path, twin_families(tmp_path, "card", "plain"), search={"trials": 4})
    session = study.begin(gpu_families={"card"}, gpu_slots=2)
    live = [started(session) for _ in range(6)]
    assert [spec.model for spec in live].count("card") == 2
    assert session.next_trial() is None, "the GPUs are taken, and the other family has all its trials"
    session.report(next(spec for spec in live if spec.model == "card"), done())
    assert started(session).model == "card"


def test_gpus_that_another_job_takes_or_frees_change_how_many_gpu_trials_are_handed_out(
    tmp_path: Path,
) -> None:
    study = Study(tmp_path, twin_families(tmp_path, "card", "plain"), search={"trials": 8})
    session = study.begin(gpu_families={"card"}, gpu_slots=4)
    session.set_gpu_slots(2)
    assert [started(session).model for _ in range(8)].count("card") == 2
    session.set_gpu_slots(3)
    assert [started(session).model for _ in range(3)] == ["card", "plain", "plain"]
    session.set_gpu_slots(0)
    assert not session.is_over()


def test_one_gpu_trial_waits_when_every_gpu_is_taken(tmp_path: Path) -> None:
    study = Study(tmp_path, twin_families(tmp_path, "card"), search={"trials": 3})
    session = study.begin(gpu_families={"card"}, gpu_slots=2)
    session.set_gpu_slots(0)
    assert not session.is_over()
    assert started(session).model == "card"
    assert session.next_trial() is None


@pytest.mark.parametrize(
    ("search", "target"), [({"trials": 4}, 5), ({"total_trials": 7}, 7), ({"time_budget_s": 1000}, None)]
)
def test_a_family_without_parameters_gets_one_trial(
    search: dict[str, int], target: int | None, tmp_path: Path
) -> None:
    families = (family_without_parameters(tmp_path, "baseline"), *twin_families(tmp_path, "searched"))
    session = Study(tmp_path, families, search=search).begin()
    assert session.snapshot().target == target
    order = []
    while not session.is_over() and len(order) < 20:
        spec = started(session)
        order.append(spec.model)
        session.report(spec, done())
    assert order == ["baseline", *["searched"] * ((target or 20) - 1)]


def test_a_study_of_baselines_alone_ends_by_itself_and_a_resume_adds_nothing(tmp_path: Path) -> None:
    study = Study(tmp_path, (family_without_parameters(tmp_path, "baseline"),), search=TIMED)
    session = study.begin()
    assert session.snapshot().target == 1
    spec = started(session)
    assert spec.params == {"level": 2.0}
    assert session.next_trial() is None
    session.report(spec, done())
    assert session.is_over()
    assert study.begin().is_over()
