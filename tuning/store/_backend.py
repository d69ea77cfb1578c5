"""The Optuna storage under a study: a journal file that survives a kill, or a database by URL."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from sqlalchemy.exc import SQLAlchemyError

from tuning.errors import InputError
from tuning.storage import Remote, disk_full, is_disk_full
from tuning.store._journal import ObjectJournal
from tuning.store._lock import take_lock

logger = logging.getLogger(__name__)

JOURNAL_NAME = "journal.log"


class _KernelLock(BaseJournalFileLock):
    """Lock of the journal that the kernel releases when its holder dies, however it dies.

    Optuna's own locks are files: after a SIGKILL they stay and block everyone for their grace period.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        take_lock(self._descriptor, fcntl.LOCK_EX, self._path)
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _JournalFile(JournalFileBackend):
    """Optuna's journal file, whole also after a write that did not fit on the disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _KernelLock(path.with_name(f"{path.name}.lock")))
        self._path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write further entries; they are durable when this returns.

        Raises:
            DiskFullError: they do not fit; the journal is as it was.
        """
        whole = self._path.stat().st_size
        try:
            super().append_logs(logs)
        except OSError as error:
            if not is_disk_full(error):
                raise
            # Further entries behind a part of these would make the journal unreadable.
            os.truncate(self._path, whole)
            raise disk_full(self._path.parent, error) from error


def open_storage(folder: Path, url: str | None, remote: Remote | None = None) -> BaseStorage:
    """The storage that holds the record of the study in `folder`, or in an object store.

    Raises:
        InputError: the database cannot be reached, or its driver is not installed.
    """
    if url is None and remote is not None:
        return JournalStorage(ObjectJournal(remote))
    if url is None:
        return JournalStorage(_JournalFile(folder / JOURNAL_NAME))
    try:
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except (ImportError, SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"storage.url: the database {_without_password(url)} cannot be opened: {reason}."
        ) from error


def drop_torn_line(folder: Path) -> None:
    """Cut off a last journal line that a kill left half-written; only the study's driver may call it.

    Optuna reads past such a line but appends behind it, which makes the journal unreadable.
    """
    journal = folder / JOURNAL_NAME
    if not journal.exists():
        return
    with journal.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            logger.warning("Dropped %d bytes of an unfinished line from %s.", len(content) - whole, journal)
            file.truncate(whole)
            os.fsync(file.fileno())


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
