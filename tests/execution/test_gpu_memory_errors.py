"""Which errors mean that a trial needs more GPU memory, and which that its process is of no use any more."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest
import torch

from tests.families.crowded_probe import MESSAGES
from tuning.execution.gpu_memory import GpuMemoryError, WorkerPoisonedError, poisoned
from tuning.models.errors import ModelError
from tuning.trial import GpuShortage


def wrapped(message: str) -> ModelError:
    """As the tree families pass their library's errors on."""
    error = ModelError("XGBoost cannot train on this table.")
    error.__cause__ = RuntimeError(message)
    return error


@pytest.mark.parametrize("library", ["torch", "xgboost", "catboost"])
def test_a_shortage_is_told_by_what_the_library_says(library: str) -> None:
    error = poisoned(wrapped(MESSAGES[library]), "trace", 0.25)
    assert isinstance(error, GpuMemoryError)
    assert error.shortage.share == 0.25
    assert error.shortage.peak_gib is None
    assert "\n" not in error.shortage.reason
    assert "Stack trace" not in error.shortage.reason


@pytest.mark.parametrize(
    "message",
    ["CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)", "CUDA error: out of memory"],
)
def test_other_words_for_it(message: str) -> None:
    assert isinstance(poisoned(RuntimeError(message), "trace", 1.0), GpuMemoryError)


def test_torch_tells_the_peak_of_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(is_initialized=lambda: True, max_memory_allocated=lambda: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, "is_initialized", card.is_initialized)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", card.max_memory_allocated)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 16 * 2**30))
    error = poisoned(torch.cuda.OutOfMemoryError("CUDA out of memory."), "trace", 0.25)
    assert isinstance(error, GpuMemoryError)
    assert error.shortage == GpuShortage(0.25, "CUDA out of memory", 3.0, 16.0)
    of_xgboost = poisoned(wrapped(MESSAGES["xgboost"]), "trace", 0.25)
    assert isinstance(of_xgboost, GpuMemoryError)
    assert of_xgboost.shortage.peak_gib is None, "what torch counts says nothing of XGBoost"


def test_other_cuda_errors_cost_the_process_and_others_do_not() -> None:
    error = poisoned(wrapped(MESSAGES["other"]), "trace", 0.5)
    assert type(error) is WorkerPoisonedError
    assert str(error) == "trace"
    assert poisoned(ValueError("a bad value"), "trace", 0.5) is None
    assert poisoned(MemoryError("Unable to allocate 3 GiB: out of memory"), "trace", 0.5) is None


def test_the_error_travels_from_the_worker_to_the_driver() -> None:
    error = GpuMemoryError(GpuShortage(0.5, "CUDA out of memory", 1.0, 2.0))
    assert pickle.loads(pickle.dumps(error)).shortage == error.shortage
