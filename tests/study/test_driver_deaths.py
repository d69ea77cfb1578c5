"""Trials that take their driver down: they are not tried for ever, and others are not blamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.session.study_runs import done
from tests.study.finished import Run, open_store, prepare, run
from tuning.session._waiting import MAX_DRIVER_DEATHS
from tuning.store import Status, TrialRecord
from tuning.study import PreparedStudy, audit, take_up
from tuning.trial import Report, TrialSpec


def begun(study: PreparedStudy) -> Run:
    """The next driver of the study, which is killed where the test ends its use."""
    return Run(take_up(study.folder.storage, study.folder.name, {}))


def started(this: Run) -> list[TrialSpec]:
    """All that the session would start at once."""
    specs = []
    while len(specs) < 8 and (spec := this.session.next_trial()) is not None:
        specs.append(spec)
    return specs


def records(study: PreparedStudy) -> dict[str, TrialRecord]:
    with open_store(study) as store:
        return {record.id: record for record in store.trials(driven=False)}


def test_a_trial_that_ends_its_driver_each_time_is_given_up(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    culprit = "one-0000"
    for death in range(MAX_DRIVER_DEATHS):
        this = begun(study)
        specs = started(this)
        assert culprit in {spec.id for spec in specs}
        if death == MAX_DRIVER_DEATHS - 1:
            assert specs[-1].id == culprit or specs[0].id != culprit
        for spec in specs:
            if spec.id == culprit:
                break  # It kills the driver.
            this.session.report(spec, done(iteration=9))
    this = begun(study)
    assert culprit not in {spec.id for spec in started(this)}
    given_up = records(study)[culprit]
    assert given_up.status is Status.FAILED
    assert "driver of the study died 3 times in a row while this trial ran" in str(given_up.error)
    run(take_up(study.folder.storage, "demo", {}))
    assert all(record.status.is_finished for record in records(study).values())
    assert audit(study.header, study.folder) == ()


def test_trials_beside_it_are_not_blamed(tmp_path: Path) -> None:
    """At first all run when the driver dies and none has a score; then suspects run one at a time."""
    study = prepare(tmp_path)
    culprit = "two-0000"
    for _ in range(MAX_DRIVER_DEATHS - 1):
        assert len(started(begun(study))) == 4
    this = begun(study)
    while (spec := this.session.next_trial()) is not None and spec.id != culprit:
        assert this.session.next_trial() is None
        this.session.report(spec, done(iteration=9))
    this = begun(study)
    for spec in started(this):
        this.session.report(spec, done(iteration=9))
    last = records(study)
    assert {name for name, record in last.items() if record.status is Status.FAILED} == {culprit}
    assert all(record.status.is_finished for record in last.values())


@pytest.mark.parametrize("reports", [1, 2])
def test_a_trial_that_gets_further_is_not_given_up(tmp_path: Path, reports: int) -> None:
    study = prepare(tmp_path)
    for life in range(MAX_DRIVER_DEATHS + 2):
        this = begun(study)
        spec = next(spec for spec in started(this) if spec.id == "one-0000")
        for report in range(reports):
            this.session.report(spec, Report(1 + life * reports + report, 1.0, 1.0))
    begun(study)
    assert records(study)["one-0000"].status is Status.INTERRUPTED


def test_runs_that_end_count_no_death(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    for _ in range(MAX_DRIVER_DEATHS + 2):
        this = begun(study)
        started(this)
        this.end()
    assert {record.driver_deaths.count for record in records(study).values()} == {0}


def test_a_record_of_before_knows_of_no_deaths(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    started(begun(study))
    begun(study)
    assert {record.driver_deaths.count for record in records(study).values()} == {1}
