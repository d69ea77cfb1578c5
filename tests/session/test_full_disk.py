"""A disk that is full ends a study, whoever writes; no trial is to blame, and the record stays whole."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.experiment import Trial

from tests.families.bulky_probe import BulkyProbe
from tests.session.study_runs import Study, comparable, done, started
from tests.study.finished import prepare, run
from tests.trial.rows import small_folds, spec_of, steps
from tuning.errors import DiskFullError
from tuning.execution.bridge import SessionScheduler
from tuning.session import Session, StudyFolder, write_atomically
from tuning.storage import disk_full, full_disk_told, is_disk_full
from tuning.store import Status
from tuning.study import _conclude
from tuning.trial import Report, TrialSpec

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """The kernel lets no file grow beyond a size: a write across it is cut short, the next one is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def journal(study: Study) -> Path:
    return study.folder.root / "journal.log"


def create(session: Session, spec: TrialSpec) -> None:
    session.next_trial()


def report(session: Session, spec: TrialSpec) -> None:
    session.report(spec, Report(2, 1.5, 2.0))


def end(session: Session, spec: TrialSpec) -> None:
    session.report(spec, done())


@pytest.mark.parametrize("write", [create, report, end])
@pytest.mark.parametrize("room", [0, 1, 30])
def test_a_journal_that_may_not_grow_stays_whole_and_the_study_goes_on_later(
    write: object, room: int, tmp_path: Path
) -> None:
    study = Study(tmp_path)
    session = study.begin()
    spec = started(session)
    session.report(spec, Report(1, 2.0, 1.0))
    before, records = journal(study).read_bytes(), comparable(study.records())
    with files_end_at(len(before) + room), pytest.raises(DiskFullError) as told:
        write(session, spec)  # type: ignore[operator]
    assert str(study.folder.root) in str(told.value)
    assert journal(study).read_bytes() == before, (
        "no part of an entry is left, behind which nothing can be read"
    )
    assert comparable(study.records()) == records
    study.drive(study.begin())
    assert {record.status for record in study.records()} <= {Status.COMPLETED, Status.PRUNED}


@pytest.mark.parametrize("words", ["", "(Error 28: No space left on device) can't write", "I/O error"])
def test_a_checkpoint_that_does_not_fit_leaves_nothing_and_names_the_folder(
    words: str, tmp_path: Path
) -> None:
    spec = spec_of({"level": 1.0, "kilobytes": 300, "words": words})
    with files_end_at(100_000), pytest.raises(DiskFullError) as told:
        list(steps(spec, BulkyProbe, small_folds(), tmp_path))
    folder = tmp_path / "trials" / spec.id
    assert f"Nothing more can be written to {folder} (" in str(told.value)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("is_full", [False, True])
def test_where_a_writer_does_not_tell_the_disk_does(
    is_full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.storage._disk.has_no_room", lambda folder: is_full)
    spec = spec_of({"level": 1.0, "kilobytes": -1})
    with pytest.raises(DiskFullError if is_full else ValueError):
        list(steps(spec, BulkyProbe, small_folds(), tmp_path))


def raised(error: Exception) -> Exception:
    """The error as Ray hands it to the driver."""
    return RayTaskError("step", "Traceback: " + repr(error), error)


@pytest.mark.parametrize(
    "error",
    [
        raised(disk_full(Path("/studies/demo/trials/probe-0000"), NO_SPACE)),
        raised(NO_SPACE),
        RayActorError(error_msg="The actor died in __init__: OSError: [Errno 28] No space left on device"),
    ],
)
def test_a_trial_that_cannot_write_stops_the_study_and_does_not_fail(
    error: Exception, tmp_path: Path
) -> None:
    study = Study(tmp_path)
    session = study.begin()
    session.report(started(session), done())
    first, second = started(session), started(session)
    scheduler = SessionScheduler(session, study.folder)
    for spec in (first, second):
        trial = Trial("probe", stub=True, config={"spec": spec})
        scheduler.note_failure(trial, error)
        scheduler.on_trial_error(None, trial)
    assert session.is_over()
    assert session.disk_full is not None
    assert "probe-0000" in str(session.disk_full) or first.id in str(session.disk_full)
    assert study.folder.stop_file.exists()
    statuses = [record.status for record in study.records()]
    assert statuses == [Status.COMPLETED, Status.INTERRUPTED, Status.INTERRUPTED]
    study.folder.stop_file.unlink()
    study.drive(study.begin())
    assert {record.status for record in study.records()} <= {Status.COMPLETED, Status.PRUNED}


def test_the_wish_to_stop_need_not_fit_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(tmp_path)
    session = study.begin()
    spec = started(session)

    def refuse(path: Path) -> None:
        raise NO_SPACE

    monkeypatch.setattr(Path, "touch", refuse)
    session.out_of_disk(spec, disk_full(study.folder.root, NO_SPACE))
    assert session.is_over()


def test_other_files_of_the_driver_are_told_alike(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "demo")
    folder.root.mkdir()
    (folder.root / ".leaderboard.json.draft").symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match=f"written to {folder.root} "), full_disk_told(folder.root):
        write_atomically(folder.leaderboard_json, "{}")
    assert not folder.leaderboard_json.exists()


def test_a_bundle_that_does_not_fit_is_more_than_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = prepare(tmp_path)

    def refuse(*arguments: object) -> None:
        raise NO_SPACE

    monkeypatch.setattr(_conclude, "export_bundle", refuse)
    with pytest.raises(OSError, match="No space left"):
        run(study)


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (NO_SPACE, True),
        (OSError(errno.EDQUOT, "quota"), True),
        (OSError(errno.EFBIG, "too large"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (OSError(errno.EACCES, "denied"), False),
        (ValueError("no space between words"), False),
    ],
)
def test_a_full_disk_is_told_from_other_faults(error: Exception, is_full: bool) -> None:
    assert is_disk_full(error) is is_full
    wrapped = KeyError("a library's own error")
    wrapped.__cause__ = error
    assert is_disk_full(wrapped) is is_full
