"""Hyperparameters that every network has."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from tuning.models._base import Params

BatchSize = PositiveInt | Literal["full", "auto"]


class TorchParams(Params):
    """Hyperparameters of the training loop.

    Attributes:
        epochs: full budget.
        patience: epochs without improvement after which training stops early; None: never.
        batch_size: rows per step; "full": all of them in one; "auto": by their number, the power of 2
            that gives about 128 steps per epoch, from 32 to 512.
        steps_per_epoch: steps after which an epoch ends, so that small batches stay affordable on many
            rows; the next epoch draws its rows anew. None: every epoch sees every row.
        gradient_clip: largest norm of the whole gradient; None: not clipped.
        plateau_factor: what the learning rate is multiplied by on a plateau of the validation loss.
        plateau_patience: epochs without improvement that make a plateau; None: a constant rate.
        mixed_precision: half-precision forward and backward passes on a GPU, and on a CPU that
            multiplies in bfloat16 where the family says that it pays (`half_pays_on_cpu`). Weights,
            optimizer and predictions stay in single precision.
    """

    epochs: PositiveInt
    patience: PositiveInt | None = None
    batch_size: BatchSize
    steps_per_epoch: PositiveInt | None = None
    gradient_clip: PositiveFloat | None = None
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    plateau_patience: NonNegativeInt | None = None
    mixed_precision: bool = False


class AdamParams(TorchParams):
    """Hyperparameters of the loop with `TorchModel`'s own optimizer, Adam with L2 weight decay."""

    learning_rate: PositiveFloat
    weight_decay: float = Field(default=0.0, ge=0)


TorchParamsT = TypeVar("TorchParamsT", bound=TorchParams)
