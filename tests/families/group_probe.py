"""A network that costs nothing and misbehaves on request in one of the workers that train it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from models import Schema, Table, Task
from models._torch import AdamParams, TorchModel
from models._torch_rows import as_tensor


class GroupProbeParams(AdamParams):
    """`fault` is what the last worker does in its third epoch: the first time, and the second."""

    fault: Literal["none", "kill_then_raise"] = "none"
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
        if self.units_done == 2 and self.group.rank == self.group.size - 1:
            self._misbehave()
        super()._advance(train)

    def _misbehave(self) -> None:
        if self.params.fault == "none":
            return
        marker = Path(self.params.marker)
        if marker.exists():
            raise ValueError("the probe was told to raise")
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
