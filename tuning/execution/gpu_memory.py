"""A trial that does not get the GPU memory it asks for: how that is told from other errors."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from tuning.trial import GpuShortage

_GIB = 2**30

# torch's allocator, cuBLAS, XGBoost (with and without a pool) and CatBoost, in small letters.
_SIGNS = (
    "out of memory",
    "cublas_status_alloc_failed",
    "cudaerrormemoryallocation",
    "no gpu memory is left",
    "not enough memory for tree-ctrs",
)


class WorkerPoisonedError(RuntimeError):
    """A CUDA error left this process unusable; Ray replaces it."""


class GpuMemoryError(WorkerPoisonedError):
    """A trial did not get the GPU memory that it asked for."""

    def __init__(self, shortage: GpuShortage) -> None:
        super().__init__(shortage)
        self.shortage = shortage


def poisoned(error: BaseException, trace: str, share: float) -> WorkerPoisonedError | None:
    """What a trial's error means for its process, None when the process can be used again.

    Args:
        error: what the model raised; libraries wrap CUDA's errors in types of their own.
        trace: its traceback.
        share: of a GPU, that the trial had.
    """
    for each in _chain(error):
        if _is_shortage(each):
            return GpuMemoryError(_describe(each, share))
    if any("cuda" in str(each).casefold() for each in _chain(error)):
        return WorkerPoisonedError(trace)
    return None


@contextmanager
def shortage_told(share: float) -> Iterator[None]:
    """Raise `GpuMemoryError` for any error in the block that is one: only this process knows its peak.

    Args:
        share: of a GPU, that the process has.
    """
    try:
        yield
    except Exception as error:
        broken = poisoned(error, traceback.format_exc(), share)
        if isinstance(broken, GpuMemoryError):
            raise broken from error
        raise


def reset_gpu_memory() -> None:
    """Give back what the last trial's network left in torch's cache, and count the next one's peak anew."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _is_shortage(error: BaseException) -> bool:
    text = str(error).casefold()
    return not isinstance(error, MemoryError) and any(sign in text for sign in _SIGNS)


def _describe(error: BaseException, share: float) -> GpuShortage:
    reason = " ".join(str(error).split("\n\n")[0].split()).rstrip(".")
    torch = sys.modules.get("torch")
    # Only torch's own error is about torch's memory: a process may have run a network before XGBoost.
    if torch is None or not isinstance(error, torch.OutOfMemoryError) or not torch.cuda.is_initialized():
        return GpuShortage(share, reason)
    _, total_bytes = torch.cuda.mem_get_info()
    return GpuShortage(share, reason, torch.cuda.max_memory_allocated() / _GIB, total_bytes / _GIB)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
