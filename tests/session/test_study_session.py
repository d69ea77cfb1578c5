"""The session without Ray: who is next, what is recorded, and that a kill at any instant loses nothing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.session.study_runs import Killed, Study, comparable, done, started, twin_families
from tests.trial.rows import PROBE
from tuning.errors import RecordError
from tuning.families import resolve_families
from tuning.models import Task
from tuning.session._session import MAX_NODE_DEATHS
from tuning.session._shortage import describe_shortage
from tuning.store import DriverLock, Placement, Result, Status
from tuning.trial import GpuShortage, Report, TrialSpec


def test_a_study_runs_to_its_end_with_the_default_first(tmp_path: Path) -> None:
    study = Study(tmp_path)
    session = study.begin()
    study.drive(session, slots=2)
    records = study.records()
    assert [record.number for record in records] == list(range(6))
    (family,) = study.families
    assert records[0].params == family.space.full(family.space.defaults())
    assert {record.status for record in records} == {Status.COMPLETED, Status.PRUNED}
    assert session.is_over()
    assert session.live == ()
    assert session.next_trial() is None
    for record in records:
        assert record.values
        assert record.checkpoint is not None
        assert (study.folder.root / record.checkpoint).is_dir()
        best = min(record.values.values())
        assert record.value == pytest.approx(best)
        assert record.values[record.best_iteration or 0] == pytest.approx(best)


def test_pruned_trials_stop_at_rungs_and_completed_ones_at_the_end(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 12})
    study.drive(study.begin(), slots=3)
    ends: dict[Status, set[int]] = {status: set() for status in Status}
    for record in study.records():
        ends[record.status].add(record.iterations)
    assert ends[Status.COMPLETED] == {9}
    assert ends[Status.PRUNED] <= {1, 3}
    assert ends[Status.PRUNED]


def test_the_snapshot_counts_what_happened(tmp_path: Path) -> None:
    study = Study(tmp_path)
    session = study.begin()
    study.drive(session)
    shot = session.snapshot()
    counts = Counter(record.status for record in study.records())
    assert (shot.launched, shot.finished, shot.target) == (6, 6, 6)
    assert shot.families[0].pruned == counts[Status.PRUNED]
    assert shot.families[0].completed == counts[Status.COMPLETED]
    assert shot.families[0].best == min(record.value for record in study.records())
    assert study.begin().snapshot().families[0].best == shot.families[0].best


@pytest.mark.parametrize(
    ("search", "counts"),
    [
        ({"trials": 2}, {"swift": 2, "slow": 2}),
        ({"total_trials": 3}, {"swift": 2, "slow": 1}),
        ({"trials": 4, "total_trials": 5}, {"swift": 3, "slow": 2}),
        ({"trials": 1, "total_trials": 9}, {"swift": 1, "slow": 1}),
    ],
)
def test_limits_of_trials(search: dict[str, int], counts: dict[str, int], tmp_path: Path) -> None:
    study = Study(tmp_path, twin_families(tmp_path, "swift", "slow"), search=search)
    session = study.begin()
    assert session.snapshot().target == sum(counts.values())
    specs = []
    while (spec := session.next_trial()) is not None:
        specs.append(spec)
    assert not session.is_over()
    assert Counter(spec.model for spec in specs) == counts
    for spec in specs:
        session.report(spec, done())
    assert session.is_over()


def test_a_finished_study_can_be_given_more_trials(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 2})
    study.drive(study.begin())
    study.config = study.config.model_copy(
        update={"search": study.config.search.model_copy(update={"trials": 4})}
    )
    study.drive(study.begin())
    assert [record.number for record in study.records()] == [0, 1, 2, 3]


def test_a_lost_trial_goes_on_from_its_checkpoint_and_fails_after_too_many_losses(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1}, resources={"max_retries": 2})
    session = study.begin()
    first = started(session)
    session.place(first, Placement("node-9"))
    session.report(first, Report(1, 3.0, 1.5, checkpoint="trials/probe-0000/checkpoint/a"))
    session.lost(first, "its worker died")
    assert session.live == ()
    assert not session.is_over()
    second = started(session)
    assert second == replace(first, attempt=2, checkpoint="trials/probe-0000/checkpoint/a")
    session.lost(second, "its worker died")
    third = started(session)
    assert third.attempt == 3
    session.lost(third, "its worker died, again")
    assert session.is_over()
    (record,) = study.records()
    assert (record.status, record.error) == (Status.FAILED, "its worker died, again")
    assert (record.attempts, record.placement.node, record.train_seconds) == (3, "node-9", 1.5)


def test_the_death_of_a_node_does_not_count_as_one_of_the_trials_own(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1}, resources={"max_retries": 0})
    session = study.begin()
    for attempt in range(1, MAX_NODE_DEATHS + 1):
        spec = started(session)
        assert spec.attempt == attempt
        session.lost(spec, "its node died", node_died=True)
    session.lost(started(session), "its worker died")
    assert [record.status for record in study.records()] == [Status.FAILED]


def test_a_trial_whose_nodes_die_again_and_again_is_given_up(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    for _ in range(MAX_NODE_DEATHS + 1):
        session.lost(started(session), "its node died", node_died=True)
    assert session.is_over()
    assert [record.error for record in study.records()] == ["its node died"]


def test_an_interrupted_trial_has_the_score_of_its_checkpoint_not_of_later_reports(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    spec = started(session)
    session.report(
        spec,
        Report(3, 4.0, 1.0, checkpoint="trials/probe-0000/checkpoint/a", best_value=3.5, best_iteration=2),
    )
    session.report(spec, Report(4, 1.0, 1.5, best_value=1.0, best_iteration=4))
    (record,) = study.records()  # The driver was killed.
    assert record.values == {3: 4.0, 4: 1.0}
    assert (record.status, record.value, record.best_iteration) == (Status.INTERRUPTED, 3.5, 2)


def test_interruptions_are_not_counted_as_losses(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1}, resources={"max_retries": 1})
    for _ in range(3):
        spec = started(study.begin())
        assert study.open_store().trial("probe", 0).attempts == spec.attempt
    session = study.begin()
    spec = started(session)
    assert spec.attempt == 4
    session.lost(spec, "its worker died")
    assert started(session).attempt == 5


def test_a_loss_that_must_not_be_retried_fails_at_once(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    spec = started(session)
    session.lost(spec, "hung", may_retry=False)
    session.lost(spec, "told twice")
    assert session.is_over()
    assert study.records()[0].error == "hung"


def test_a_loss_while_stopping_is_left_for_a_resume(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    spec = started(session)
    session.stop()
    session.lost(spec, "ended")
    assert session.is_over()
    assert study.records()[0].status is Status.INTERRUPTED


def test_a_stop_starts_nothing_more_and_a_resume_goes_on_with_the_unfinished(tmp_path: Path) -> None:
    study = Study(tmp_path)
    whole = Study(tmp_path / "whole")
    whole.drive(whole.begin())
    session = study.begin()
    for count, _ in enumerate(study.reports(session), 1):
        if count == 4:
            session.stop()
    assert session.is_stopping
    assert session.stopping_s > 0
    (record,) = [record for record in study.records() if not record.status.is_finished]
    assert record.checkpoint is not None
    study.folder.stop_file.unlink()
    again = study.begin()
    spec = started(again)
    assert (spec.id, spec.checkpoint, spec.attempt) == (record.id, record.checkpoint, 2)
    study.drive(study.begin())
    assert comparable(study.records()) == comparable(whole.records())


@pytest.mark.parametrize("lives", range(1, 40))
def test_a_driver_killed_at_any_write_loses_nothing(lives: int, tmp_path: Path) -> None:
    whole = Study(tmp_path / "whole", search={"trials": 4})
    whole.drive(whole.begin())
    study = Study(tmp_path / "killed", search={"trials": 4})
    with pytest.raises(Killed):
        study.drive(study.begin(lives))
    study.drive(study.begin())
    assert comparable(study.records()) == comparable(whole.records())


def test_a_driver_killed_again_and_again_gets_there(tmp_path: Path) -> None:
    whole = Study(tmp_path / "whole")
    whole.drive(whole.begin())
    study = Study(tmp_path / "killed")
    for lives in itertools.cycle((5, 14, 8)):
        try:
            study.drive(study.begin(lives))
        except Killed:
            continue
        break
    assert comparable(study.records()) == comparable(whole.records())


@pytest.mark.parametrize(
    "checkpoint", ["../../etc", "/etc", "trials/../../other/trials/probe-0000", "models/x", "trials/../best"]
)
def test_a_record_that_names_a_path_outside_is_refused(checkpoint: str, tmp_path: Path) -> None:
    study = Study(tmp_path)
    spec = started(study.begin())
    study.store.set_checkpoint(spec.model, spec.number, checkpoint, 1.0)
    with pytest.raises(RecordError, match="outside the study folder"):
        study.begin()


def test_a_used_up_time_budget_stops_the_session(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"time_budget_s": 10})
    session = study.begin()
    assert session.remaining_s is None
    session.set_time_budget(60)
    assert 59 < (session.remaining_s or 0) <= 60
    spec = started(session)
    session.set_time_budget(0)
    assert session.next_trial() is None
    assert session.is_stopping
    assert study.folder.stop_file.exists()
    assert not session.is_over()
    session.report(spec, Report(0, None, 0.1, interrupted=True))
    assert session.is_over()


@pytest.mark.parametrize(("fault", "status"), [("nan", Status.DIVERGED), ("none", Status.COMPLETED)])
def test_a_diverged_trial_is_closed_and_never_ranked(fault: str, status: Status, tmp_path: Path) -> None:
    families = resolve_families([PROBE], Task.REGRESSION, {"probe": {"fault": fault}})
    study = Study(tmp_path, families, search={"trials": 1})
    study.drive(study.begin())
    (record,) = study.records()
    assert record.status is status
    assert record.status.is_ranked == (status is Status.COMPLETED)
    assert not (study.folder.trial(record.id) / "checkpoint").exists()
    (frozen,) = study.open_store().frozen_trials("probe")
    assert frozen.state.is_finished()


def test_a_failed_trial_keeps_its_time_and_its_reason(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    spec = started(session)
    session.report(spec, Report(0, None, 3.5, result=Result(Status.FAILED, error="Traceback ...")))
    assert study.records()[0].train_seconds == 3.5


def test_a_study_that_runs_shows_its_trials_as_running(tmp_path: Path) -> None:
    study = Study(tmp_path)
    with DriverLock(study.folder.root):
        started(study.begin())
        assert study.records()[0].status is Status.RUNNING


def test_two_drivers_draw_the_same_from_the_same_record(tmp_path: Path) -> None:
    drawn: list[Mapping[str, Any]] = []
    for name in ("one", "two"):
        study = Study(tmp_path / name, search={"trials": 9, "startup_trials": 3})
        study.drive(study.begin())
        drawn.append({record.id: record.params for record in study.records()})
    assert drawn[0] == drawn[1]
    assert len({params["level"] for params in drawn[0].values()}) == 9


def test_a_trial_too_large_for_its_share_goes_on_with_a_whole_gpu_from_its_checkpoint(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1}, resources={"max_retries": 0})
    session = study.begin(gpu_families=["probe"], gpu_slots=4)
    first = started(session)
    session.report(first, Report(1, 3.0, 1.5, checkpoint="trials/probe-0000/checkpoint/a"))
    session.out_of_gpu_memory(first, GpuShortage(0.25, "CUDA out of memory"))
    session.out_of_gpu_memory(first, GpuShortage(0.25, "told twice"))
    again = started(session)
    assert again == replace(first, attempt=2, checkpoint="trials/probe-0000/checkpoint/a", whole_gpu=True)
    session.out_of_gpu_memory(again, GpuShortage(1.0, "CUDA out of memory", 7.4, 15.78))
    assert session.is_over()
    (record,) = study.records()
    assert (record.status, record.attempts, record.whole_gpu) == (Status.FAILED, 2, True)
    assert record.error == (
        "CUDA out of memory on a whole GPU: peak 7.4 GiB of 15.8 GiB; give it fewer rows or a smaller model."
    )


def test_a_driver_killed_before_the_retry_resumes_with_the_whole_gpu(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    session.out_of_gpu_memory(started(session), GpuShortage(0.5, "CUDA out of memory"))
    again = started(study.begin())  # The driver was killed.
    assert (again.whole_gpu, again.attempt) == (True, 2)


def test_a_trial_that_runs_out_of_gpu_memory_while_stopping_is_left_for_a_resume(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 1})
    session = study.begin()
    spec = started(session)
    session.stop()
    session.out_of_gpu_memory(spec, GpuShortage(0.5, "CUDA out of memory"))
    assert session.is_over()
    assert study.records()[0].status is Status.INTERRUPTED
    assert started(study.begin()).whole_gpu


def test_a_trial_with_a_gpu_of_its_own_takes_the_room_of_those_that_share_one(tmp_path: Path) -> None:
    study = Study(tmp_path, search={"trials": 9})
    session = study.begin(gpu_families=["probe"], gpu_slots=8, trials_per_gpu=4)
    session.out_of_gpu_memory(started(session), GpuShortage(0.25, "CUDA out of memory"))
    specs = list(iter(session.next_trial, None))
    assert [spec.whole_gpu for spec in specs] == [True, False, False, False, False]


def test_the_advice_names_the_batch_size_where_there_is_one() -> None:
    spec = TrialSpec("net", 0, {"batch_size": 512}, 0, 9, frozenset({9}))
    assert describe_shortage(spec, GpuShortage(2.0, "Requested 9 GB")) == (
        "CUDA out of memory on 2 whole GPUs: Requested 9 GB; lower batch_size."
    )
