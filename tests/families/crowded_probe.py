"""A model that needs more of a GPU than a share: where running out of GPU memory is tested without a card."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from tuning.models import Distribution, Model, Params, Table, Task
from tuning.models.errors import ModelError

MESSAGES = {
    "torch": "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 15.78 GiB",
    "xgboost": (
        "[12:00:00] /workspace/src/common/device_vector.cu:23: Memory allocation error on worker 0: "
        "std::bad_alloc: cudaErrorMemoryAllocation: out of memory\n- Free memory: 1.1GB\n"
        "- Requested memory: 6.4GB\n\nStack trace:\n  [bt] (0) libxgboost.so(+0x2a6e7c)"
    ),
    "catboost": (
        "catboost/cuda/cuda_lib/memory_pool/stack_like_memory_pool.h:303: Error: "
        "Out of memory. Requested 8880 MB; Free 5902.061425 MB"
    ),
    "other": "CUDA error: an illegal memory access was encountered",
}


class CrowdedProbeParams(Params):
    """`needs` is the share of a GPU below which the third unit fails, as `library` says it."""

    level: float
    needs: float = 0.0
    library: Literal["torch", "xgboost", "catboost", "other"] = "torch"
    unit_seconds: float = 0.05


class CrowdedProbe(Model[CrowdedProbeParams]):
    """Predicts `level`, plus an offset that shrinks from unit to unit."""

    Params = CrowdedProbeParams
    tasks = frozenset({Task.REGRESSION})
    uses_gpu = True
    distribution = Distribution.XGBOOST
    total_units = 9

    def _advance(self, train: Table) -> None:
        time.sleep(self.params.unit_seconds)
        if self.units_done == 4 and self.gpu_share < self.params.needs:
            self._run_out()

    def _run_out(self) -> None:
        message = MESSAGES[self.params.library]
        if self.params.library == "torch":
            raise torch.cuda.OutOfMemoryError(message)
        try:
            raise RuntimeError(message)
        except RuntimeError as error:
            raise ModelError(f"Probe cannot train on this table: {error}.") from error

    def restore_best(self) -> None:
        """All states are alike."""

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        return np.full(len(table), self.params.level + 1.0 / max(self.units_done, 1))

    def _save(self, folder: Path) -> None:
        """Nothing to keep."""

    def _load(self, folder: Path) -> None:
        """Nothing to read."""
