"""A network that costs nothing and misbehaves on request in one of the workers that train it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from torch import Tensor, nn

from tuning.models import Schema, Table, Task
from tuning.models._torch import TorchModel
from tuning.models._torch_params import AdamParams
from tuning.models._torch_rows import as_tensor


class GroupProbeParams(AdamParams):
    """What the last worker does, to models with which seed.

    Attributes:
        killed_seed: seed of the model whose worker is killed in the third epoch, once.
        raising_seed: seed of the model that raises an error in the first epoch.
        marker: file that tells that a worker was killed.
    """

    killed_seed: int | None = None
    raising_seed: int | None = None
    marker: str = ""


class GroupProbe(TorchModel[GroupProbeParams]):
    """A linear layer."""

    Params = GroupProbeParams
    tasks = frozenset({Task.REGRESSION})

    def build(self, schema: Schema, params: GroupProbeParams) -> nn.Module:
        return nn.Linear(schema.dense_width, 1)

    def inputs(self, table: Table) -> tuple[Tensor, ...]:
        return (as_tensor(table.dense),)

    def _advance(self, train: Table) -> None:
        if self.group.rank == self.group.size - 1:
            self._misbehave()
        super()._advance(train)

    def _misbehave(self) -> None:
        if self.seed == self.params.raising_seed:
            raise ValueError("the probe was told to raise")
        marker = Path(self.params.marker)
        if self.seed == self.params.killed_seed and self.units_done == 2 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
