"""Why a trial's worker failed, as a study tells it apart; Tune itself stops at what it does not expect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ray.air.execution._internal import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from tuning.errors import DiskFullError, StorageError
from tuning.execution.gpu_memory import GpuMemoryError
from tuning.execution.training import WorkersLostError
from tuning.storage import disk_full

_ENDED_FOR_MEMORY = "due to the node running low on memory"


class WorkerManager(RayActorManager):  # type: ignore[misc]
    """Takes a worker that Ray ended for the sake of its node's memory for one that died.

    Ray tells that by an error that is no `RayActorError`, with which Tune's own manager ends the whole run.
    """

    def _actor_task_failed(self, tracked_actor_task: Any, exception: Exception) -> None:
        known = isinstance(exception, RayActorError | RayTaskError) or not isinstance(exception, RayError)
        super()._actor_task_failed(tracked_actor_task, exception if known else _death(exception))


def _death(error: RayError) -> RayActorError:
    death = RayActorError(error_msg=str(error))
    death.__cause__ = error
    return death


def is_worker_death(error: Exception) -> bool:
    """Whether the worker's process ended, one of several did, or its store was away: the trial can go on."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return isinstance(cause, RayActorError | OutOfMemoryError | WorkersLostError | StorageError)


def as_disk_full(error: Exception, folder: Path) -> DiskFullError:
    """Return the error of a trial that could not write: its own where it names the folder itself."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return cause if isinstance(cause, DiskFullError) else disk_full(folder, cause)


def gpu_memory_error(error: Exception) -> GpuMemoryError | None:
    """The error of a trial that did not get the GPU memory that it asked for, None when it is another."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return cause if isinstance(cause, GpuMemoryError) else None


def describe(error: Exception, max_concurrent: int) -> str:
    """Why it failed, for the record.

    Args:
        error: what Tune was told.
        max_concurrent: trials at once.
    """
    if _ENDED_FOR_MEMORY in str(error):
        return (
            f"its node ran out of memory, so Ray ended its worker ({_kill_reason(str(error))}); "
            f"lower resources.max_concurrent, which is {max_concurrent}"
        )
    if isinstance(cause := error.cause if isinstance(error, RayTaskError) else error, StorageError):
        return str(cause)
    if is_worker_death(error):
        return "its worker died: " + " ".join(str(error).split("\n")[:3]).strip()
    return str(error.cause if isinstance(error, RayTaskError) else error)


def _kill_reason(text: str) -> str:
    """Ray's own numbers: how much of the node's memory was used, and from where on it ends workers."""
    found = re.search(r"[^\n]*OOM kill reason: ([^\n]*)", text)
    return "it gave no numbers" if found is None else found[1].strip().rstrip(".")
