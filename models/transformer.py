"""Transformer forecaster (Vaswani et al., 2017): an encoder over the past, a decoder over the future."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from models._forecast_inputs import PastFlag
from models._forecaster import ForecasterParams, TorchForecaster

_PERIODS = 10_000.0


class TransformerParams(ForecasterParams):
    """Hyperparameters of `Transformer`.

    Attributes:
        d_model: numbers per step inside; a multiple of `nhead`, and even.
        nhead: attention heads.
        encoder_layers: over the past.
        decoder_layers: over the future.
        dim_feedforward: hidden width of the layers' feed-forward parts.
    """

    d_model: Annotated[int, Field(ge=2, multiple_of=2)]
    nhead: PositiveInt
    encoder_layers: PositiveInt
    decoder_layers: PositiveInt
    dim_feedforward: PositiveInt

    @model_validator(mode="after")
    def _check_heads(self) -> TransformerParams:
        if self.d_model % self.nhead:
            raise ValueError(f"d_model = {self.d_model} is not a multiple of nhead = {self.nhead}")
        return self


def positions(steps: int, width: int) -> Tensor:
    """(steps, width) sines and cosines of each position, with periods from 2 pi to 10,000 * 2 pi."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(_PERIODS) / width))  # (width / 2,)
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # (steps, width / 2, 2)


class AttentionBody(nn.Module):
    """Encoder over the past, decoder over the future; layers are normalised first (Xiong et al., 2020).

    A future step attends to the whole past and to the future steps up to itself. Steps before a series'
    start are attended by none.
    """

    past_positions: Tensor
    future_positions: Tensor
    hidden_future: Tensor

    def __init__(self, past_inputs: int, future_inputs: int, horizon: int, params: TransformerParams) -> None:
        super().__init__()
        self.past = nn.Linear(past_inputs, params.d_model)
        self.future = nn.Linear(future_inputs, params.d_model)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**_layer_settings(params)),
            params.encoder_layers,
            norm=nn.LayerNorm(params.d_model),
            enable_nested_tensor=False,
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(**_layer_settings(params)),
            params.decoder_layers,
            norm=nn.LayerNorm(params.d_model),
        )
        along = positions(params.window_size + horizon, params.d_model)
        later = torch.ones(horizon, horizon, dtype=torch.bool).triu(1)
        for name, buffer in (
            ("past_positions", along[: params.window_size]),
            ("future_positions", along[params.window_size :]),
            ("hidden_future", later),
        ):
            self.register_buffer(name, buffer.clone(), persistent=False)

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        """(B, L, past_inputs), (B, H, future_inputs) -> (B, H, d_model)."""
        padding = past[..., PastFlag.PRESENT] == 0  # (B, L)
        memory = self.encoder(self.past(past) + self.past_positions, src_key_padding_mask=padding)
        steps: Tensor = self.decoder(
            self.future(future) + self.future_positions,
            memory,
            tgt_mask=self.hidden_future,
            memory_key_padding_mask=padding,
        )
        return steps


def _layer_settings(params: TransformerParams) -> dict[str, Any]:
    return {
        "d_model": params.d_model,
        "nhead": params.nhead,
        "dim_feedforward": params.dim_feedforward,
        "dropout": params.dropout,
        "batch_first": True,
        "norm_first": True,
    }


class Transformer(TorchForecaster[TransformerParams]):
    """Forecasts every step by attention to the past window and to the known future."""

    Params = TransformerParams

    def build_body(
        self, past_inputs: int, future_inputs: int, horizon: int, params: TransformerParams
    ) -> tuple[nn.Module, int]:
        return AttentionBody(past_inputs, future_inputs, horizon, params), params.d_model
