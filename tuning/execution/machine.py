"""What this machine has for a Ray that is started here: CPUs, and a folder for its files."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

from joblib import cpu_count

from tuning.errors import InputError

MIN_FREE_MIB = 64
"""Room that Ray's files take at its start, logs above all."""

_MOST_BYTES = 107  # of the path of a Unix socket, on Linux
_LONGEST_SOCKET = "dash_TaskEventsHead"
_FOLDER_VARIABLES = ("RAY_TMPDIR", "TMPDIR")
_MIB = 2**20


def usable_cpus() -> int:
    """Return the CPUs that this process may use: by its affinity and its control group too."""
    return int(cpu_count())


def check_scratch() -> None:
    """Refuse a folder for temporary files in which Ray could not start.

    Raises:
        InputError: its path is too long for Ray's sockets, it cannot be written, or it is full.
    """
    source, folder = _scratch()
    _check_length(source, folder)
    ray = folder / "ray"
    try:
        ray.mkdir(parents=True, exist_ok=True)
        free_mib = shutil.disk_usage(ray).free / _MIB
    except OSError as error:
        raise InputError(
            f"{source}: Ray cannot keep its files in {ray} ({error.strerror}); {_way_out(source)}."
        ) from error
    if not os.access(ray, os.W_OK | os.X_OK):
        raise InputError(
            f"{source}: Ray cannot keep its files in {ray}, of another user; {_way_out(source)}."
        )
    if free_mib < MIN_FREE_MIB:
        raise InputError(
            f"{source}: {ray} has {free_mib:.0f} MiB free, Ray needs {MIN_FREE_MIB} to start; free some, or "
            f"{_way_out(source)}."
        )


def _scratch() -> tuple[str, Path]:
    """Return what names the folder below which Ray keeps its files, and the folder."""
    for name in _FOLDER_VARIABLES if sys.platform == "linux" else _FOLDER_VARIABLES[:1]:
        if name in os.environ:
            return name, Path(os.environ[name]).absolute()
    return "/tmp", Path("/tmp")


def _check_length(source: str, folder: Path) -> None:
    session = f"session_{datetime.now():%Y-%m-%d_%H-%M-%S_%f}_{os.getpid()}"
    socket = folder / "ray" / session / "sockets" / _LONGEST_SOCKET
    excess = len(os.fsencode(socket)) - _MOST_BYTES
    if excess > 0:
        raise InputError(
            f"{source}: the path {folder} is {excess} bytes too long for the sockets that Ray makes below "
            f"it; {_way_out(source)}."
        )


def _way_out(source: str) -> str:
    """Say what to type: Ray alone can be given another folder, and all others keep theirs."""
    instead = "a short folder on a disk with room"
    return f"name {instead}: export RAY_TMPDIR={'/tmp' if source != '/tmp' else '/var/tmp'}"
