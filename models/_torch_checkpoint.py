"""A network on disk: its weights, and apart from them the training run, as safetensors and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from tuning.models.errors import CheckpointError

_WEIGHTS_FILE = "weights.safetensors"
_TENSORS_FILE = "tensors.safetensors"
_SCALARS_FILE = "training.json"

# Losses are of order 1 on the scale that networks train on; below that a ratio says nothing.
_LOSS_FLOOR = 1.0
_EXPLODED_RATIO = 1e6
_RISING_RATIO = 10.0
_MAX_RISING_EPOCHS = 5


@dataclass
class LossWatch:
    """What divergence is judged by: the very first batch's loss, and the epochs' losses since.

    Attributes:
        first_loss: loss of the first batch of all; None before training.
        last_loss: mean loss of the last epoch; None before training.
        rising_epochs: for how many epochs in a row that mean has risen.
    """

    first_loss: float | None = None
    last_loss: float | None = None
    rising_epochs: int = 0

    def note(self, *, first: float, mean: float) -> None:
        """Take in an epoch: the loss of its first batch, and the mean of all."""
        if self.first_loss is None:
            self.first_loss = first
        rising = self.last_loss is not None and mean > self.last_loss
        self.rising_epochs = self.rising_epochs + 1 if rising else 0
        self.last_loss = mean

    @property
    def shows_divergence(self) -> bool:
        """Whether the loss is NaN or inf, exploded, or has risen for long."""
        if self.first_loss is None or self.last_loss is None:
            return False
        if not math.isfinite(self.last_loss):
            return True
        ratio = self.last_loss / max(self.first_loss, _LOSS_FLOOR)
        keeps_rising = self.rising_epochs >= _MAX_RISING_EPOCHS and ratio > _RISING_RATIO
        return ratio > _EXPLODED_RATIO or keeps_rising


@dataclass(frozen=True)
class TrainingState:
    """All that a training run needs, beside the weights, to go on as if it had never stopped.

    Attributes:
        network: weights and buffers of the present state; empty where they are those of the best.
        optimizer: `{parameter number}.{name}` -> tensor.
        rng: random streams by kind of device.
        learning_rates: one per parameter group.
        scheduler: the plateau schedule's scalars; empty when there is none.
        scaler: the loss scaler's scalars; empty when there is none.
        watch: the losses that divergence is judged by.
    """

    network: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    rng: dict[str, Tensor]
    learning_rates: list[float]
    scheduler: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    watch: LossWatch = field(default_factory=LossWatch)


_TENSOR_PARTS = ("network", "optimizer", "rng")


def write_weights(weights: Mapping[str, Tensor], folder: Path) -> None:
    """Write weights and buffers into an existing folder."""
    save_file({name: _on_cpu(tensor) for name, tensor in weights.items()}, folder / _WEIGHTS_FILE)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read what `write_weights` wrote, or the best weights of an undivided checkpoint; they come on the CPU.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        if not is_undivided(folder):
            return dict(load_file(folder / _WEIGHTS_FILE))
        tensors = load_file(folder / _TENSORS_FILE)
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{folder} is not a readable network checkpoint: {error}.") from error
    return _part(tensors, "best") or _part(tensors, "network")


def is_undivided(folder: Path) -> bool:
    """Return whether weights and training run lie in one file, as earlier versions wrote them."""
    return (folder / _TENSORS_FILE).exists()


def write_state(state: TrainingState, folder: Path) -> None:
    """Write `state` into an existing folder."""
    tensors = {
        f"{part}.{name}": _on_cpu(tensor)
        for part in _TENSOR_PARTS
        for name, tensor in getattr(state, part).items()
    }
    save_file(tensors, folder / _TENSORS_FILE)
    scalars = {
        "learning_rates": state.learning_rates,
        "scheduler": state.scheduler,
        "scaler": state.scaler,
        "watch": asdict(state.watch),
    }
    (folder / _SCALARS_FILE).write_text(json.dumps(scalars))


def read_state(folder: Path) -> TrainingState:
    """Read what `write_state` wrote; the tensors come back on the CPU.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    try:
        tensors = load_file(folder / _TENSORS_FILE)
        scalars = json.loads((folder / _SCALARS_FILE).read_text())
        return TrainingState(
            network=_part(tensors, "network"),
            optimizer=_part(tensors, "optimizer"),
            rng=_part(tensors, "rng"),
            learning_rates=scalars["learning_rates"],
            scheduler=scalars["scheduler"],
            scaler=scalars["scaler"],
            watch=LossWatch(**scalars["watch"]),
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} is not a readable network checkpoint: {error}.") from error


def _on_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The tensors of the optimizer's state, as `{parameter number}.{name}` -> tensor."""
    return {
        f"{number}.{name}": value
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], learning_rates: list[float]) -> None:
    """Put back what `optimizer_tensors` gave, and the learning rate of each parameter group."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    for group, learning_rate in zip(optimizer.param_groups, learning_rates, strict=True):
        group["lr"] = learning_rate


def cloned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies that later training steps cannot reach: a `state_dict()` holds the live tensors."""
    return {name: torch.clone(tensor.detach()) for name, tensor in tensors.items()}
