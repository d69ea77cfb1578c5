"""A final fit on a machine that shares no disk with the driver's."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.storage.object_store import ObjectStore
from tests.trial.rows import small_folds
from tuning.errors import InputError
from tuning.execution import RefitJob
from tuning.session import StudyFolder


def job_of(folder: StudyFolder) -> RefitJob:
    rows = small_folds()[0]
    return RefitJob(folder, "probe", folder.models / "probe.py", {}, rows.schema, rows.train, 0, 1)


def test_a_worker_elsewhere_brings_the_family_and_takes_the_model_to_the_store(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNING_CACHE", str(tmp_path / "driver"))
    job = job_of(StudyFolder(object_store.uri("refit"), "demo"))
    assert job.model_file is not None
    job.model_file.parent.mkdir(parents=True)
    beside = job.model_file.with_name("layers.py")
    job.model_file.write_text("from .layers import LEVEL\n")
    beside.write_text("LEVEL = 3\n")
    for file in (job.model_file, beside):
        job.study.mirror.push(file)
    sent = pickle.dumps(job)

    monkeypatch.setenv("TUNING_CACHE", str(tmp_path / "worker"))
    there = pickle.loads(sent)
    brought = there.reach()
    assert brought.is_relative_to(tmp_path / "worker")
    assert brought.read_text() == "from .layers import LEVEL\n"
    assert brought.with_name("layers.py").read_text() == "LEVEL = 3\n"
    (there.folder / "model").mkdir()
    (there.folder / "model" / "weights").write_text("trained")
    there.study.mirror.push(there.folder / "model")

    job.study.mirror.pull(job.folder / "model")
    assert (job.folder / "model" / "weights").read_text() == "trained"
    assert job.folder.is_relative_to(tmp_path / "driver")


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    job = job_of(StudyFolder(tmp_path, "demo"))
    with pytest.raises(InputError, match="put the study on a shared disk"):
        job.reach()
    job.folder.mkdir(parents=True)
    assert job.reach() == job.model_file
