"""LSTM forecaster: the past read by a recurrent network, all future steps forecast from its end."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from tuning.models._forecaster import DirectDecoder, ForecasterParams, TorchForecaster


class LSTMParams(ForecasterParams):
    """Hyperparameters of `LSTM`.

    Attributes:
        hidden_size: numbers in the state, per direction.
        num_layers: LSTM layers, one on the other.
        bidirectional: read the window backwards, too; all of it is known at the origin.
    """

    hidden_size: PositiveInt
    num_layers: Annotated[int, Field(ge=1)]
    bidirectional: bool


class RecurrentBody(nn.Module):
    """An LSTM (Hochreiter and Schmidhuber, 1997) over the past, and a direct decoder."""

    def __init__(self, past_inputs: int, future_inputs: int, horizon: int, params: LSTMParams) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            past_inputs,
            params.hidden_size,
            num_layers=params.num_layers,
            # torch warns of a dropout between layers where there is one layer.
            dropout=params.dropout if params.num_layers > 1 else 0.0,
            bidirectional=params.bidirectional,
            batch_first=True,
        )
        self.directions = 2 if params.bidirectional else 1
        context = self.directions * params.hidden_size
        self.decoder = DirectDecoder(context, future_inputs, params.hidden_size, horizon, params.dropout)

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        """(B, L, past_inputs), (B, H, future_inputs) -> (B, H, hidden_size)."""
        _, (hidden, _) = self.lstm(past)  # (layers * directions, B, hidden_size)
        context = torch.cat(list(hidden[-self.directions :]), dim=1)  # the last layer's, side by side
        steps: Tensor = self.decoder(context, future)
        return steps


class LSTM(TorchForecaster[LSTMParams]):
    """Encodes the past window by an LSTM and forecasts every step from its last state."""

    Params = LSTMParams

    def build_body(
        self, past_inputs: int, future_inputs: int, horizon: int, params: LSTMParams
    ) -> tuple[nn.Module, int]:
        return RecurrentBody(past_inputs, future_inputs, horizon, params), params.hidden_size
