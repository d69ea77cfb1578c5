"""Temporal convolutional network (Bai, Kolter and Koltun, 2018) as a forecaster."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import Adam, Optimizer

from tuning.models._forecaster import DirectDecoder, ForecasterParams, TorchForecaster
from tuning.models._layers import Dropout

_DIRECTION = "weight.original1"  # torch's name for it


class TCNParams(ForecasterParams):
    """Hyperparameters of `TCN`.

    Attributes:
        num_channels: of each block; block i, from 0, has dilation 2^i.
        kernel_size: steps that a convolution sees.
    """

    num_channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    kernel_size: Annotated[int, Field(ge=2)]


class CausalConvolution(nn.Module):
    """Convolution with weight normalisation; a step sees itself and what lies before."""

    def __init__(self, inputs: int, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.left_padding = kernel_size - 1
        self.convolution = weight_norm(nn.Conv1d(inputs, channels, kernel_size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T) -> (B, channels, T)."""
        out: Tensor = self.convolution(functional.pad(x, (self.left_padding, 0)))
        return out


class TemporalBlock(nn.Module):
    """Two causal convolutions with ReLU and dropout, around them a residual connection."""

    def __init__(self, inputs: int, channels: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            CausalConvolution(inputs, channels, kernel_size),
            nn.ReLU(),
            Dropout(dropout),
            CausalConvolution(channels, channels, kernel_size),
            nn.ReLU(),
            Dropout(dropout),
        )
        self.shortcut = nn.Identity() if inputs == channels else nn.Conv1d(inputs, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T) -> (B, channels, T)."""
        return functional.relu(self.body(x) + self.shortcut(x))


class TemporalConvolutions(nn.Module):
    """Temporal blocks of dilation 1, 2, 4, ...: their outputs at the last step.

    That step sees every second step of the first block, every fourth of the second, and so on. Only
    those are computed: each block runs without dilation on half as many steps as the one before.
    """

    def __init__(self, inputs: int, num_channels: tuple[int, ...], kernel_size: int, dropout: float) -> None:
        super().__init__()
        widths = pairwise((inputs, *num_channels))
        self.blocks = nn.ModuleList(
            TemporalBlock(before, after, kernel_size, dropout) for before, after in widths
        )

    def forward(self, steps: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, num_channels[-1])."""
        x = steps.transpose(1, 2)  # (B, T, C) -> (B, C, T)
        for block in self.blocks:
            x = _every_second(block(x))
        return x[..., -1]


def _every_second(x: Tensor) -> Tensor:
    """(B, C, T) -> (B, C, ceil(T / 2)): the last step, the one two before it, ..."""
    return x[..., (x.shape[2] + 1) % 2 :: 2]


class ConvolutionalBody(nn.Module):
    """Temporal convolutions over the past, and a direct decoder from their last step."""

    def __init__(self, past_inputs: int, future_inputs: int, horizon: int, params: TCNParams) -> None:
        super().__init__()
        self.convolutions = TemporalConvolutions(
            past_inputs, params.num_channels, params.kernel_size, params.dropout
        )
        width = params.num_channels[-1]
        self.decoder = DirectDecoder(width, future_inputs, width, horizon, params.dropout)

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        """(B, L, past_inputs), (B, H, future_inputs) -> (B, H, num_channels[-1])."""
        steps: Tensor = self.decoder(self.convolutions(past), future)
        return steps


class TCN(TorchForecaster[TCNParams]):
    """Encodes the past window by dilated causal convolutions and forecasts from its last step."""

    Params = TCNParams

    def build_body(
        self, past_inputs: int, future_inputs: int, horizon: int, params: TCNParams
    ) -> tuple[nn.Module, int]:
        return ConvolutionalBody(past_inputs, future_inputs, horizon, params), params.num_channels[-1]

    def build_optimizer(self) -> Optimizer:
        """Adam, without decay of the directions that weight normalisation splits off.

        Their length means nothing. Decay alone moves those of a channel that is never active, down to
        length 0, from where normalising gives NaN.
        """
        weights: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for name, weight in self.network.named_parameters():
            weights[name.endswith(_DIRECTION)].append(weight)
        groups = [
            {"params": weights[False], "weight_decay": self.params.weight_decay},
            {"params": weights[True], "weight_decay": 0.0},
        ]
        return Adam(groups, lr=self.params.learning_rate, fused=True)
