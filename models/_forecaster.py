"""What every forecasting network shares: inputs, a start at naive forecasts, and the masked loss."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from tuning.models._forecast_inputs import Guess, forecast_inputs, future_width, past_width, series_schema
from tuning.models._layers import Dropout, category_width
from tuning.models._season import rows_of, windows_of
from tuning.models._table import FloatArray, Loss, Schema, Table, Task
from tuning.models._target import TargetTransform
from tuning.models._torch import TorchModel
from tuning.models._torch_params import AdamParams
from tuning.models._torch_rows import as_tensor
from tuning.models._windows import SeriesSchema
from tuning.models.errors import ModelError

DropoutRate = Annotated[float, Field(ge=0, lt=1)]

_BYTES_PER_STEP = 48  # of the double precision values and flags that a past is made from
_FORGOTTEN_SERIES = 0.1  # share of training windows that are taken for those of an unknown series


class ForecasterParams(AdamParams):
    """Hyperparameters of every forecasting network.

    Attributes:
        window_size: L, past steps that the network sees.
        dropout: share of entries dropped between layers.
    """

    window_size: PositiveInt
    dropout: DropoutRate


ForecasterParamsT = TypeVar("ForecasterParamsT", bound=ForecasterParams)


class SeriesEmbedding(nn.Module):
    """A learned vector per series, 0 for an unknown one; static covariates beside it.

    In training some series are forgotten, so that the network learns what to do without their vectors.

    Attributes:
        width: of the vector and the static covariates together.
    """

    def __init__(self, series: SeriesSchema) -> None:
        super().__init__()
        width = category_width(series.n_series)
        self.vectors = nn.Embedding(series.n_series + 1, width, padding_idx=0)
        nn.init.normal_(self.vectors.weight[1:], std=0.1)
        self.width = width + len(series.static)

    def forward(self, codes: Tensor, static: Tensor) -> Tensor:
        """(B,) codes from -1, (B, Q) -> (B, width)."""
        rows = codes + 1
        if self.training:
            rows = rows * (torch.rand(rows.shape, device=rows.device) >= _FORGOTTEN_SERIES)
        return torch.cat([self.vectors(rows), static], dim=1)


class GuessMixture(nn.Module):
    """A weighted mean of naive forecasts, plus a correction; starts at their plain mean.

    The forecasts are those of `Guess` and the window's own location. A network that has learned nothing
    yet is thus no worse than its baselines on average.
    """

    n_guesses: ClassVar[int] = len(Guess) + 1
    location: Tensor

    def __init__(self, inputs: int, target: TargetTransform) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, self.n_guesses + 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("location", torch.tensor(-target.mean / target.std))

    def forward(self, steps: Tensor, future: Tensor) -> Tensor:
        """(B, H, inputs), (B, H, future_width) -> (B, H) forecasts."""
        out = self.linear(steps)  # (B, H, n_guesses + 1)
        guesses = future[..., : len(Guess)]
        location = self.location.expand(*guesses.shape[:-1], 1)
        weights = out[..., 1:].softmax(dim=2)
        mixed = (weights * torch.cat([guesses, location], dim=2)).sum(dim=2)
        forecasts: Tensor = mixed + out[..., 0]
        return forecasts


class ForecastNetwork(nn.Module):
    """Adds the series' vector to every step, runs a body, and mixes its answer with naive forecasts.

    Args:
        body: from (B, L, past_inputs) and (B, H, future_inputs) to (B, H, width).
        width: of the body's output.
    """

    def __init__(self, body: nn.Module, width: int, embedding: SeriesEmbedding, target: TargetTransform):
        super().__init__()
        self.embedding = embedding
        self.body = body
        self.mixture = GuessMixture(width, target)

    def forward(self, past: Tensor, future: Tensor, static: Tensor, codes: Tensor) -> Tensor:
        """(B, L, past_width), (B, H, future_width), (B, Q), (B,) -> (B, H), standardised."""
        series = self.embedding(codes, static)
        steps = self.body(_beside(past, series), _beside(future, series))
        forecasts: Tensor = self.mixture(steps, future)
        return forecasts


def _beside(steps: Tensor, series: Tensor) -> Tensor:
    """(B, T, C), (B, width) -> (B, T, C + width)."""
    return torch.cat([steps, series[:, None].expand(-1, steps.shape[1], -1)], dim=2)


class DirectDecoder(nn.Module):
    """Forecasts every step at once from one summary of the past and the step's own inputs.

    Every step ahead has a learned vector, added to what it is computed from.
    """

    def __init__(self, context: int, future_inputs: int, width: int, horizon: int, dropout: float) -> None:
        super().__init__()
        self.context = nn.Linear(context, width)
        self.future = nn.Linear(future_inputs, width, bias=False)
        self.ahead = nn.Parameter(torch.zeros(horizon, width))
        self.after = nn.Sequential(nn.GELU(), Dropout(dropout), nn.Linear(width, width), nn.GELU())

    def forward(self, context: Tensor, future: Tensor) -> Tensor:
        """(B, context), (B, H, future_inputs) -> (B, H, width)."""
        steps = self.context(context)[:, None] + self.future(future) + self.ahead
        out: Tensor = self.after(steps)
        return out


class TorchForecaster(TorchModel[ForecasterParamsT]):
    """A network that forecasts all H steps of a window at once; its rows are windows.

    A family defines `build_body`. All values enter and leave relative to the window's location and the
    series' scale, so that series of any size share one network (Salinas et al., 2020).
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.FORECASTING})

    @abstractmethod
    def build_body(
        self, past_inputs: int, future_inputs: int, horizon: int, params: ForecasterParamsT
    ) -> tuple[nn.Module, int]:
        """From (B, L, past_inputs) and (B, H, future_inputs) to (B, H, width), and that width."""

    def build(self, schema: Schema, params: ForecasterParamsT) -> nn.Module:
        series = series_schema(schema)
        embedding = SeriesEmbedding(series)
        body, width = self.build_body(
            past_width(series) + embedding.width,
            future_width(series) + embedding.width,
            series.horizon,
            params,
        )
        return ForecastNetwork(body, width, embedding, schema.target)

    @classmethod
    def host_bytes(cls, params: ForecasterParamsT, schema: Schema, table: Table) -> int:
        """The past of every window, (w, L, past_width), and what it is made from."""
        past_steps = len(windows_of(table)) * params.window_size
        return past_steps * (4 * past_width(series_schema(schema)) + _BYTES_PER_STEP)

    def inputs(self, table: Table) -> tuple[Tensor, ...]:
        """Past (w, L, past_width), future (w, H, future_width), static (w, Q), codes (w,)."""
        season = series_schema(self.schema).season
        windows = windows_of(table)
        arrays = forecast_inputs(windows, season, self.params.window_size, self.schema.target)
        return tuple(as_tensor(array) for array in arrays)

    def targets(self, table: Table) -> Tensor:
        """(w, H, 2) standardised values, 0 where unknown, and whether they are known."""
        mask = windows_of(table).mask
        values = np.zeros(mask.shape)
        values[mask] = self.schema.target.standardise(np.asarray(table.target, dtype=np.float64))
        return as_tensor(np.stack([values, mask], axis=2).astype(np.float32))

    def weights(self, table: Table) -> FloatArray | None:
        """(w,) mean weight of each window's rows, 0 for a window without rows."""
        if table.weight is None:
            return None
        windows = windows_of(table)
        sums = np.bincount(windows.window_of_row, table.weight, minlength=len(windows))
        return np.asarray(sums / np.maximum(windows.mask.sum(axis=1), 1))

    def row_losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """(B, H), (B, H, 2) -> (B,) loss summed over the known steps, per step of the horizon."""
        value, is_known = target.unbind(dim=2)
        function = functional.l1_loss if self.schema.loss is Loss.ABSOLUTE else functional.mse_loss
        return (function(outputs, value, reduction="none") * is_known).mean(dim=1)

    def predictions(self, outputs: Tensor) -> npt.NDArray[np.float64]:
        """(w, H) standardised -> (w, H) on the scale of the table's target."""
        return np.asarray(self.schema.target.unstandardise(outputs.numpy()), dtype=np.float64)

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        """(n,) on the scale of the table's target.

        Raises:
            DivergedError: a forecast is NaN or inf.
        """
        return rows_of(windows_of(table), super().predict(table))

    def predict_valid(self) -> npt.NDArray[np.float64]:
        if self._valid is None:
            raise ModelError("predict_valid() needs bind(train, valid) first.")
        return rows_of(windows_of(self._valid), super().predict_valid())
