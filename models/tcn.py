"""Temporal convolutional network (Bai, Kolter and Koltun, 2018) as a forecaster."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from models._forecaster import DirectDecoder, ForecasterParams, TorchForecaster


class TCNParams(ForecasterParams):
    """Hyperparameters of `TCN`.

    Attributes:
        num_channels: of each block; block i has dilation 2^i.
        kernel_size: steps that a convolution sees.
    """

    num_channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    kernel_size: Annotated[int, Field(ge=2)]


class CausalConvolution(nn.Module):
    """Dilated convolution with weight normalisation; a step sees itself and what lies before."""

    def __init__(self, inputs: int, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.left_padding = (kernel_size - 1) * dilation
        self.convolution = weight_norm(nn.Conv1d(inputs, channels, kernel_size, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T) -> (B, channels, T)."""
        out: Tensor = self.convolution(functional.pad(x, (self.left_padding, 0)))
        return out


class TemporalBlock(nn.Module):
    """Two causal convolutions with ReLU and dropout, around them a residual connection."""

    def __init__(self, inputs: int, channels: int, kernel_size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            CausalConvolution(inputs, channels, kernel_size, dilation),
            nn.ReLU(),
            nn.Dropout(dropout),
            CausalConvolution(channels, channels, kernel_size, dilation),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.shortcut = nn.Identity() if inputs == channels else nn.Conv1d(inputs, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T) -> (B, channels, T)."""
        return functional.relu(self.body(x) + self.shortcut(x))


class TemporalConvolutions(nn.Module):
    """Temporal blocks whose dilation doubles; no output sees a later input."""

    def __init__(self, inputs: int, num_channels: tuple[int, ...], kernel_size: int, dropout: float) -> None:
        super().__init__()
        widths = (inputs, *num_channels)
        self.blocks = nn.Sequential(
            *(
                TemporalBlock(before, after, kernel_size, 2**level, dropout)
                for level, (before, after) in enumerate(pairwise(widths))
            )
        )

    def forward(self, steps: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, T, num_channels[-1])."""
        out: Tensor = self.blocks(steps.transpose(1, 2)).transpose(1, 2)  # by way of (B, C, T)
        return out


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
        steps: Tensor = self.decoder(self.convolutions(past)[:, -1], future)
        return steps


class TCN(TorchForecaster[TCNParams]):
    """Encodes the past window by dilated causal convolutions and forecasts from its last step."""

    Params = TCNParams

    def build_body(
        self, past_inputs: int, future_inputs: int, horizon: int, params: TCNParams
    ) -> tuple[nn.Module, int]:
        return ConvolutionalBody(past_inputs, future_inputs, horizon, params), params.num_channels[-1]
