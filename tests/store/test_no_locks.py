"""A file system without locks, as NFS without its lock service, is refused in one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tuning.errors import InputError
from tuning.metrics import Direction
from tuning.store import DriverLock, Store


@pytest.fixture(params=[errno.ENOLCK, errno.ENOTSUP])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("without_locks")
def test_a_study_is_not_run_where_it_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"file system of .* gives no locks \(.*NFS version 4.*--storage\.$"):
        DriverLock(tmp_path).__enter__()


@pytest.mark.usefixtures("without_locks")
def test_the_record_is_not_written_where_it_cannot_be_locked(tmp_path: Path) -> None:
    store = Store(tmp_path, None, "study", Direction.MINIMIZE)
    with pytest.raises(InputError, match="gives no locks"):
        store.add_family("lightgbm")
