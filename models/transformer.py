"""Transformer forecaster (Vaswani et al., 2017): an encoder over the past, a decoder over the future."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from tuning.models._attention import DecoderLayer, EncoderLayer, positional_encoding
from tuning.models._forecast_inputs import PastFlag
from tuning.models._forecaster import ForecasterParams, TorchForecaster
from tuning.models._layers import initialise_xavier


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


class AttentionBody(nn.Module):
    """Encoder over the past, decoder over the future.

    A future step attends to the whole past and to the future steps up to itself. Steps before a series'
    start are attended by none.
    """

    past_positions: Tensor
    future_positions: Tensor
    up_to_itself: Tensor

    def __init__(self, past_inputs: int, future_inputs: int, horizon: int, params: TransformerParams) -> None:
        super().__init__()
        width = params.d_model
        sizes = width, params.nhead, params.dim_feedforward, params.dropout
        self.past = nn.Linear(past_inputs, width)
        self.future = nn.Linear(future_inputs, width)
        self.encoder = nn.ModuleList(EncoderLayer(*sizes) for _ in range(params.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(*sizes) for _ in range(params.decoder_layers))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        along = positional_encoding(params.window_size + horizon, width)
        past_positions, future_positions = along[: params.window_size], along[params.window_size :]
        up_to_itself = torch.ones(horizon, horizon, dtype=torch.bool).tril()[None, None]  # (1, 1, H, H)
        initialise_xavier(self)
        self.register_buffer("past_positions", past_positions.clone(), persistent=False)
        self.register_buffer("future_positions", future_positions.clone(), persistent=False)
        self.register_buffer("up_to_itself", up_to_itself, persistent=False)

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        """(B, L, past_inputs), (B, H, future_inputs) -> (B, H, d_model)."""
        is_present = (past[..., PastFlag.PRESENT] > 0)[:, None, None]  # (B, 1, 1, L)
        memory = self.past(past) + self.past_positions
        for layer in self.encoder:
            memory = layer(memory, is_present)
        memory = self.encoder_norm(memory)
        steps = self.future(future) + self.future_positions
        for layer in self.decoder:
            steps = layer(steps, memory, self.up_to_itself, is_present)
        out: Tensor = self.decoder_norm(steps)
        return out


class Transformer(TorchForecaster[TransformerParams]):
    """Forecasts every step by attention to the past window and to the known future."""

    Params = TransformerParams

    def build_body(
        self, past_inputs: int, future_inputs: int, horizon: int, params: TransformerParams
    ) -> tuple[nn.Module, int]:
        return AttentionBody(past_inputs, future_inputs, horizon, params), params.d_model
