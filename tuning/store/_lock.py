"""One driver at a time per study."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tuning.errors import InputError

_LOCK_NAME = "driver.lock"
_LOOK_S = 0.5


class DriverLock:
    """Held by the process that runs a study; the kernel releases it at the holder's death.

    Raises:
        InputError: on entering, when another process runs the study.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _LOCK_NAME
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _acquire(descriptor)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            raise InputError(
                f"The study {self._path.parent.name} is being run by process {holder or 'unknown'}: "
                f"wait for it, or stop it first."
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _acquire(descriptor: int) -> None:
    """Take the lock; wait out a look by `is_driven`, which holds it for an instant.

    Raises:
        BlockingIOError: another process keeps it.
    """
    deadline_s = time.monotonic() + _LOOK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_LOOK_S / 20)
        else:
            return


def is_driven(folder: Path) -> bool:
    """Whether some process runs the study in `folder` now."""
    path = folder / _LOCK_NAME
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
