"""Linear and polynomial regression by gradient descent: batch, stochastic and mini-batch."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, Optimizer, RMSprop

from tuning.models._table import Schema, Table
from tuning.models._torch import TorchModel
from tuning.models._torch_params import TorchParams
from tuning.models._torch_rows import as_tensor

Decay = Annotated[float, Field(ge=0, lt=1)]


class Descent(StrEnum):
    """How a gradient becomes a step."""

    SGD = "sgd"
    MOMENTUM = "momentum"
    RMSPROP = "rmsprop"
    ADAM = "adam"


_OWN_PARAMS: dict[Descent, tuple[str, ...]] = {
    Descent.SGD: ("learning_rate",),
    Descent.MOMENTUM: ("learning_rate", "momentum"),
    Descent.RMSPROP: ("learning_rate", "smoothing"),
    Descent.ADAM: ("adam_learning_rate", "beta1", "beta2"),
}


class LinearGDParams(TorchParams):
    """Hyperparameters of `LinearGD`; those of the optimizers that are not chosen stay None.

    Attributes:
        optimizer: how a gradient becomes a step.
        learning_rate: step size of sgd, momentum and rmsprop.
        momentum: share of the last step that momentum keeps.
        smoothing: decay of rmsprop's running mean of squared gradients.
        adam_learning_rate: step size of adam.
        beta1: decay of adam's running mean of gradients.
        beta2: decay of adam's running mean of squared gradients.
        degree: numeric columns enter as their powers 1 to degree.
    """

    optimizer: Descent
    learning_rate: PositiveFloat | None = None
    momentum: Decay | None = None
    smoothing: Decay | None = None
    adam_learning_rate: PositiveFloat | None = None
    beta1: Decay | None = None
    beta2: Decay | None = None
    degree: Annotated[int, Field(ge=1, le=3)]

    @model_validator(mode="after")
    def _has_its_optimizer(self) -> LinearGDParams:
        missing = [name for name in _OWN_PARAMS[self.optimizer] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"optimizer {self.optimizer} needs {', '.join(missing)}")
        return self

    def own(self, name: str) -> float:
        """The value of a parameter that the chosen optimizer has."""
        value = getattr(self, name)
        if name not in _OWN_PARAMS[self.optimizer] or value is None:
            raise ValueError(f"optimizer {self.optimizer} has no {name}")
        return float(value)


class StandardisedLinear(nn.Module):
    """One linear layer that starts at zero, with the statistics that its inputs are standardised by."""

    input_mean: Tensor
    input_std: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("input_mean", torch.zeros(inputs))
        self.register_buffer("input_std", torch.ones(inputs))

    def fit(self, x: npt.NDArray[np.float32]) -> None:
        """Take mean and standard deviation of the columns of x (n, inputs); constant columns keep 1."""
        mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        self.input_mean.copy_(torch.from_numpy(mean))
        self.input_std.copy_(torch.from_numpy(np.where(std > 0, std, 1.0)))

    def standardise(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(n, inputs) -> (n, inputs)."""
        mean, std = self.input_mean.cpu().numpy(), self.input_std.cpu().numpy()
        return np.asarray((x - mean) / std, dtype=np.float32)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs), standardised -> (B, outputs)."""
        out: Tensor = self.linear(x)
        return out


class LinearGD(TorchModel[LinearGDParams]):
    """Linear regression by gradient descent with autograd; softmax regression for classes.

    With plain sgd a step is w <- w - lr * (2 / m) * X^T (X w - y), X the m rows of the batch, their
    columns standardised on the training rows, y the standardised target. The loss is the squared error
    for every regression metric, also where the schema asks for the absolute one: that is what makes it
    least squares. Weights start at zero and gradients are not clipped, so a step size that is too large
    diverges visibly and ends as `DivergedError`.

    Inputs are the columns of `Table.dense`, the powers up to `degree` of the numeric ones among them,
    and the embedding. Categorical columns too wide for one-hot coding are left out.
    """

    Params = LinearGDParams
    uses_gpu: ClassVar[bool] = False
    network: StandardisedLinear

    def build(self, schema: Schema, params: LinearGDParams) -> nn.Module:
        powers = len(schema.numeric) * (params.degree - 1)
        inputs = schema.dense_width + powers + schema.embedding_width
        return StandardisedLinear(inputs, max(1, schema.n_classes))

    def fit_inputs(self, train: Table) -> None:
        self.network.fit(self._design(train))

    def inputs(self, table: Table) -> tuple[Tensor, ...]:
        """The standardised design matrix (n, inputs)."""
        return (as_tensor(self.network.standardise(self._design(table))),)

    def row_losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Squared errors (B,), or cross-entropies for classes."""
        if self.schema.task.is_classification:
            return super().row_losses(outputs, target)
        return functional.mse_loss(outputs.squeeze(1), target, reduction="none")  # (B, 1) -> (B,)

    def build_optimizer(self) -> Optimizer:
        own, weights = self.params.own, self.network.parameters()
        match self.params.optimizer:
            case Descent.SGD:
                return SGD(weights, lr=own("learning_rate"), fused=True)
            case Descent.MOMENTUM:
                return SGD(weights, lr=own("learning_rate"), momentum=own("momentum"), fused=True)
            case Descent.RMSPROP:
                return RMSprop(weights, lr=own("learning_rate"), alpha=own("smoothing"))
            case Descent.ADAM:
                betas = (own("beta1"), own("beta2"))
                return Adam(weights, lr=own("adam_learning_rate"), betas=betas, fused=True)

    @property
    def useful_threads(self) -> int:
        """One: a step is a few microseconds of arithmetic, less than threads need to meet."""
        return 1

    def _design(self, table: Table) -> npt.NDArray[np.float32]:
        """Dense columns, powers 2 to `degree` of the numeric ones, embedding: (n, inputs)."""
        numeric = table.dense[:, : len(self.schema.numeric)]
        powers = [numeric**power for power in range(2, self.params.degree + 1)]
        return np.concatenate([table.dense, *powers, table.embedding], axis=1, dtype=np.float32)
