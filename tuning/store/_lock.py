"""One driver at a time per study."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tuning.errors import BusyError, InputError
from tuning.storage import Remote
from tuning.store._lease import Lease, read_holder

LOCK_NAME = "driver.lock"
_LOOK_S = 0.5


class DriverLock:
    """Held by the process that runs a study; the kernel releases it at the holder's death.

    Raises:
        BusyError: on entering, when another process runs the study.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _acquire(descriptor, self._path)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            raise BusyError(
                f"The study {self._path.parent.name} is being run by process {holder or 'unknown'}: "
                f"wait for it, or stop it first."
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except OSError:  # The disk is full, and the lock is held by nobody.
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def check(self) -> None:
        """Nothing: the kernel lets nobody take a lock over from a process that lives."""


def take_lock(descriptor: int, operation: int, path: Path) -> None:
    """Lock a file, as `fcntl.flock` does.

    Raises:
        BlockingIOError: another process holds it, and `operation` does not wait.
        InputError: the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        raise InputError(
            f"storage.folder: the file system of {path.parent} gives no locks ({error.strerror}), which keep "
            "two runs of a study apart: mount it with NFS version 4 and without 'nolock', or name another "
            "--storage."
        ) from error


def _acquire(descriptor: int, path: Path) -> None:
    """Take the lock; wait out a look by `is_driven`, which holds it for an instant.

    Raises:
        BlockingIOError: another process keeps it.
    """
    deadline_s = time.monotonic() + _LOOK_S
    while True:
        try:
            take_lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_LOOK_S / 20)
        else:
            return


def driver_lock(folder: Path, remote: Remote | None = None) -> DriverLock | Lease:
    """What the process that runs a study holds: a lock of the kernel, or a lease in an object store."""
    return DriverLock(folder) if remote is None else Lease(remote, folder.name)


def is_driven(folder: Path, remote: Remote | None = None) -> bool:
    """Whether some process runs the study in `folder`, or in an object store, now."""
    if remote is not None:
        holder = read_holder(remote)
        return holder is not None and holder.is_alive
    path = folder / LOCK_NAME
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        take_lock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, path)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
