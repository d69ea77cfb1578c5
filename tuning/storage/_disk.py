"""Telling a full disk from every other fault: what ran into it is not to blame."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tuning.errors import DiskFullError

_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TEXTS = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error comes of a disk, a quota or a file that may not grow any more.

    Libraries in other languages tell it by their own errors, with the system's words in the text.
    """
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        if isinstance(each, DiskFullError) or getattr(each, "errno", None) in _ERRNOS:
            return True
        if any(text in str(each) for text in _TEXTS):
            return True
        seen.append(each)
        each = each.__cause__ or each.__context__
    return False


def has_no_room(folder: Path) -> bool:
    """Return whether the disk of a folder has not a byte left."""
    try:
        return shutil.disk_usage(folder).free == 0
    except OSError:
        return False


def blame_full_disk(
    folder: Path, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> None:
    """Raise `DiskFullError` for what a library made of it, at the exit of a `with` block that writes."""
    if error is not None and (is_disk_full(error) or has_no_room(folder)):
        raise disk_full(folder, error) from error


def disk_full(folder: Path, error: BaseException) -> DiskFullError:
    """Return the error that names the folder."""
    number = getattr(error, "errno", None)
    told = (
        os.strerror(number) if number in _ERRNOS else next((t for t in _TEXTS if t in str(error)), _TEXTS[0])
    )
    return DiskFullError(f"Nothing more can be written to {folder} ({told}).")


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Turn the system's error of a full disk during the block into a `DiskFullError`."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise disk_full(folder, error) from error
