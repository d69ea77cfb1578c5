"""What a study leaves on the disk of trials that ended, and of which it keeps the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.session.study_runs import Study, started
from tests.trial.rows import PROBE, small_folds
from tuning.config import validate_config
from tuning.errors import ConfigError, RecordError
from tuning.families import resolve_families
from tuning.leaderboard import build_leaderboard
from tuning.metrics import Direction
from tuning.models import TRAINING, Task
from tuning.session import Session
from tuning.store import Result, Status, TrialRecord
from tuning.trial import Report, TrialLoop, TrialSpec, read_checkpoint

NETWORK = {"epochs": 9, "batch_size": 64, "width": 0.25, "residual_blocks": 1}


def models_on_disk(study: Study, record: TrialRecord) -> list[str]:
    """Checkpoints and half-written ones, relative to the study folder."""
    folder = study.folder.trial(record.id)
    found = [folder / "best", *folder.glob("checkpoint/*"), *folder.glob("checkpoint/.*"), *folder.glob(".*")]
    return sorted(path.relative_to(study.folder.root).as_posix() for path in found if path.is_dir())


def assert_only_what_the_record_names(study: Study) -> None:
    for record in study.records():
        assert models_on_disk(study, record) == ([record.checkpoint] if record.checkpoint else [])
        assert not list(study.folder.trial(record.id).rglob(TRAINING))


@pytest.mark.parametrize("fault", ["none", "raise", "nan"])
@pytest.mark.parametrize("slots", [1, 3])
def test_an_ended_trial_keeps_what_the_record_names(fault: str, slots: int, tmp_path: Path) -> None:
    families = resolve_families(
        [PROBE], Task.REGRESSION, {"probe": {"fault": fault}} if fault != "none" else {}
    )
    study = Study(tmp_path, families, search={"trials": 8, "startup_trials": 3})
    session = study.begin()
    if fault == "raise":
        drive_with_failures(study, session)
    else:
        study.drive(session, slots=slots)
    statuses = {record.status for record in study.records()}
    expected = {"none": {Status.COMPLETED, Status.PRUNED}, "nan": {Status.DIVERGED}, "raise": {Status.FAILED}}
    assert statuses & expected[fault]
    assert_only_what_the_record_names(study)


def drive_with_failures(study: Study, session: Session) -> None:
    """Run the trials one by one; what a model raises is recorded, as by a worker."""
    while (spec := session.next_trial()) is not None:
        loop = TrialLoop(spec, study.families[0].load_model(), small_folds(), study.metric, study.folder.root)
        try:
            while not session.report(spec, loop.step()):
                pass
        except ValueError as error:
            session.report(spec, Report(0, None, 1.0, result=Result(Status.FAILED, error=str(error))))


def network_study(folder: Path) -> Study:
    families = resolve_families(["dual_path"], Task.REGRESSION, {"dual_path": NETWORK})
    return Study(folder, families, search={"trials": 5, "startup_trials": 5})


def test_a_pruned_network_keeps_its_weights_and_an_interrupted_one_all(tmp_path: Path) -> None:
    study = network_study(tmp_path)
    session = study.begin()
    for _ in study.reports(session):
        records = study.records()
        has_pruned = any(record.status is Status.PRUNED for record in records)
        if has_pruned and session.live and records[-1].iterations >= 2:
            session.stop()
    *ended, last = study.records()
    (pruned, *_) = [record for record in ended if record.status is Status.PRUNED]
    assert pruned.checkpoint is not None
    assert last.checkpoint is not None
    pruned_folder, last_folder = (study.folder.root / str(each.checkpoint) for each in (pruned, last))
    assert not list(pruned_folder.rglob(TRAINING))
    assert list(last_folder.rglob(TRAINING)), "an interrupted trial goes on"
    fold = small_folds()[0]
    model = study.families[0].load_model()
    fresh = model(model.Params.model_validate(dict(pruned.params)), fold.schema)
    read_checkpoint(pruned_folder, [fresh])
    fresh.restore_best()
    assert study.metric.of(fold.valid, fresh.predict(fold.valid)) == pytest.approx(pruned.value, rel=1e-5)
    study.folder.stop_file.unlink()
    study.drive(study.begin())
    assert study.records()[last.number].status.is_finished
    assert_only_what_the_record_names(study)


def test_what_a_killed_driver_left_goes_at_the_next_start(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.drive(study.begin())
    left: list[Path] = []
    for record in study.records():
        folder = study.folder.trial(record.id)
        left += [folder / "checkpoint" / "iteration-0009-unit-000009", folder / ".best.draft"]
        left.append(study.folder.root / str(record.checkpoint) / "fold-0" / TRAINING)
    for path in left:
        path.mkdir(parents=True)
        (path / "tensors.safetensors").write_bytes(b"0" * 100)
    study.begin()
    assert not [path for path in left if path.exists()]
    assert_only_what_the_record_names(study)


def keeping_study(folder: Path, keep: Any) -> Study:
    study = Study(folder)
    raw = study.config.model_dump(mode="json") | {"storage": {"keep_trials": keep}}
    study.config = validate_config(raw, "study.yaml")
    return study


def ended(
    session: Session, study: Study, value: float | None, status: Status = Status.COMPLETED
) -> TrialSpec:
    """A trial that ended with a checkpoint on the disk."""
    spec = started(session)
    path = study.folder.trial(spec.id) / "best"
    path.mkdir(parents=True)
    (path / "trial.json").write_text("{}")
    result = Result(status, value, 9, error=None if status.is_ranked else "NaN")
    session.report(spec, Report(9, value, 1.0, f"trials/{spec.id}/best", result=result, best_value=value))
    return spec


def kept(study: Study) -> list[int]:
    """Trials whose model is on the disk, as the record says."""
    records = study.records()
    on_disk = [record.number for record in records if models_on_disk(study, record)]
    assert on_disk == [record.number for record in records if record.checkpoint is not None]
    return on_disk


VALUES = [5.0, 3.0, 4.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("all", [0, 1, 2, 3, 4, 5]),
        (1, [3]),
        (2, [3, 4]),
        (3, [1, 3, 4, 5]),
        ("4", [1, 3, 4, 5]),
        (9, list(range(6))),
    ],
)
def test_the_best_trials_of_each_family_keep_their_models(
    keep: Any, expected: list[int], tmp_path: Path
) -> None:
    study = keeping_study(tmp_path, keep)
    session = study.begin()
    for value in VALUES:
        ended(session, study, value)
    assert kept(study) == expected, "3.0 twice: one that ties with the last is kept"
    study.begin()
    assert kept(study) == expected
    assert [record.value for record in study.records()] == VALUES, "the record stays"
    assert all(record.status is Status.COMPLETED for record in study.records())


@pytest.mark.parametrize("status", [Status.DIVERGED, Status.FAILED])
def test_what_is_never_ranked_keeps_no_model_under_a_limit(status: Status, tmp_path: Path) -> None:
    study = keeping_study(tmp_path, 5)
    session = study.begin()
    ended(session, study, 2.0)
    ended(session, study, 1.0, status)
    assert kept(study) == [0]


def test_a_driver_killed_between_record_and_disk_finishes_the_deletion(tmp_path: Path) -> None:
    study = keeping_study(tmp_path, 1)
    session = study.begin()
    ended(session, study, 1.0)
    ended(session, study, 2.0)
    (study.folder.trial("probe-0001") / "best").mkdir()
    study.begin()
    assert kept(study) == [0]


@pytest.mark.parametrize("path", ["trials/probe-0001/best", "trials/probe-0000/../probe-0001/best", "best"])
def test_nothing_outside_of_its_folder_is_deleted_for_an_ended_trial(path: str, tmp_path: Path) -> None:
    study = Study(tmp_path)
    session = study.begin()
    spec = started(session)
    other = study.folder.trial("probe-0001") / "best" / "fold-0" / TRAINING
    other.mkdir(parents=True)
    result = Result(Status.COMPLETED, 1.0, 9)
    with pytest.raises(RecordError, match="outside its folder"):
        session.report(spec, Report(9, 1.0, 1.0, path, result=result))
    with pytest.raises(RecordError, match="outside"):
        study.begin()
    assert other.is_dir()


def test_a_smaller_limit_holds_from_the_next_start_on(tmp_path: Path) -> None:
    study = Study(tmp_path)
    session = study.begin()
    for value in VALUES:
        ended(session, study, value)
    storage = study.config.storage.model_copy(update={"keep_trials": 2})
    study.config = study.config.model_copy(update={"storage": storage})
    study.begin()
    assert kept(study) == [3, 4]


def test_a_trial_without_its_model_says_so_in_one_sentence(tmp_path: Path) -> None:
    study = keeping_study(tmp_path, 1)
    session = study.begin()
    ended(session, study, 1.0)
    ended(session, study, 2.0)
    record = study.records()[1]
    with pytest.raises(RecordError) as refusal:
        record.require_checkpoint()
    assert str(refusal.value) == (
        "probe-0001 has only its record: storage.keep_trials had its model deleted; "
        "name best, or probe for the best of its family."
    )
    board = build_leaderboard("demo", "regression", "rmse", Direction.MINIMIZE, study.records())
    assert [(row.rank, row.is_kept) for row in board.rows] == [(1, True), (2, False)]
    assert "1 of these have no model" in board.to_markdown()
    assert not board.to_frame()["is_kept"].iloc[1]


@pytest.mark.parametrize("keep", [0, -1, "none", 2.5, ""])
def test_a_limit_that_is_none_is_refused(keep: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"storage\.keep_trials: .*it is all, or the number") as refusal:
        keeping_study(tmp_path, keep)
    assert repr(keep) in str(refusal.value)
