"""Dual-path network: numbers and an embedding on paths of their own, joined by attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from tuning.models._layers import (
    CategoryEmbeddings,
    Dropout,
    FeatureAttention,
    ResidualBlock,
    embedded_columns,
    initialise_xavier,
)
from tuning.models._table import Schema, Table
from tuning.models._torch import TorchModel
from tuning.models._torch_params import AdamParams
from tuning.models._torch_rows import as_tensor
from tuning.models.errors import ModelError

DropoutRate = Annotated[float, Field(ge=0, lt=1)]

# Multiplications of a forward pass from which on bfloat16 saves more than its casts cost. Measured on one
# thread of a Zen 4: 1.4e7: 0.78 x the speed, 5.4e7: 0.97 x, 1.4e8: 1.20 x, 5.6e8: 1.45 x, 1.2e9: 1.56 x.
_LARGE_STEP = 100_000_000


class DualPathParams(AdamParams):
    """Hyperparameters of `DualPath`.

    Attributes:
        width: multiplies every hidden width; 1.0 is the network as published.
        residual_blocks: number of wide residual blocks.
        path_dropout: after the first layer of both paths.
        projection_dropout: after the projection of the joined paths.
        residual_dropout: within residual blocks.
        head_dropout: after the head's first layer; half of it after the second.
    """

    width: Annotated[float, Field(gt=0)]
    residual_blocks: PositiveInt
    path_dropout: DropoutRate
    projection_dropout: DropoutRate
    residual_dropout: DropoutRate
    head_dropout: DropoutRate


@dataclass(frozen=True)
class _Widths:
    """Hidden widths of the published network, scaled."""

    scale: float

    def __call__(self, width: int) -> int:
        """The width times the scale, rounded to a multiple of 8, at least 8."""
        return max(8, 8 * round(width * self.scale / 8))


class NumericPath(nn.Module):
    """Standardised numbers, one-hot columns and category codes -> one vector.

    Batch normalisation on the numbers, learned vectors for the codes, then two layers.
    """

    def __init__(
        self, dense_width: int, cardinalities: tuple[int, ...], widths: _Widths, dropout: float
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dense_width) if dense_width else None
        self.categories = CategoryEmbeddings(cardinalities) if cardinalities else None
        inputs = dense_width + (self.categories.width if self.categories else 0)
        self.width = widths(128)
        self.layers = nn.Sequential(
            nn.Linear(inputs, widths(256)), nn.GELU(), Dropout(dropout), nn.Linear(widths(256), self.width)
        )

    def forward(self, dense: Tensor, codes: Tensor) -> Tensor:
        """(B, d) and (B, c) -> (B, width)."""
        parts = []
        if self.norm is not None:
            parts.append(self.norm(dense))
        if self.categories is not None:
            parts.append(self.categories(codes))
        out: Tensor = self.layers(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))
        return out


class DualPathNetwork(nn.Module):
    """Two paths, attention over their concatenation, residual blocks, a tapering head."""

    def __init__(self, schema: Schema, params: DualPathParams) -> None:
        super().__init__()
        widths = _Widths(params.width)
        self.numeric = _numeric_path(schema, widths, params.path_dropout)
        self.embedding = _embedding_path(schema.embedding_width, widths, params.path_dropout)
        joined = (self.numeric.width if self.numeric else 0) + (widths(256) if self.embedding else 0)
        self.trunk = nn.Sequential(
            FeatureAttention(joined),
            nn.Linear(joined, widths(512)),
            nn.GELU(),
            Dropout(params.projection_dropout),
            *(ResidualBlock(widths(512), params.residual_dropout) for _ in range(params.residual_blocks)),
            nn.Linear(widths(512), widths(256)),
            nn.BatchNorm1d(widths(256)),
            nn.GELU(),
            ResidualBlock(widths(256), params.residual_dropout),
        )
        self.head = _head(widths, params.head_dropout, outputs=max(1, schema.n_classes))
        initialise_xavier(self)

    def forward(self, dense: Tensor, embedding: Tensor, codes: Tensor) -> Tensor:
        """(B, d), (B, e) and (B, c) -> (B, 1) or (B, n_classes)."""
        paths = []
        if self.numeric is not None:
            paths.append(self.numeric(dense, codes))
        if self.embedding is not None:
            paths.append(self.embedding(embedding))
        joined = paths[0] if len(paths) == 1 else torch.cat(paths, dim=1)
        out: Tensor = self.head(self.trunk(joined))
        return out


def _numeric_path(schema: Schema, widths: _Widths, dropout: float) -> NumericPath | None:
    cardinalities = tuple(schema.cardinalities[i] for i in embedded_columns(schema.one_hot))
    if not schema.dense_width and not cardinalities:
        return None
    return NumericPath(schema.dense_width, cardinalities, widths, dropout)


def _embedding_path(embedding_width: int, widths: _Widths, dropout: float) -> nn.Sequential | None:
    """No batch normalisation here: the embedding's directions and lengths carry its meaning."""
    if not embedding_width:
        return None
    return nn.Sequential(
        nn.Linear(embedding_width, widths(512)),
        nn.GELU(),
        Dropout(dropout),
        nn.Linear(widths(512), widths(256)),
    )


def _head(widths: _Widths, dropout: float, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(widths(256), widths(128)),
        nn.GELU(),
        Dropout(dropout),
        nn.Linear(widths(128), widths(64)),
        nn.GELU(),
        Dropout(dropout / 2),
        nn.Linear(widths(64), widths(32)),
        nn.GELU(),
        nn.Linear(widths(32), outputs),
    )


class DualPath(TorchModel[DualPathParams]):
    """The dual-path network for tables with numbers and a text or image embedding.

    The numeric path takes `Table.dense` and the categorical columns with many levels, the embedding
    path takes `Table.embedding`; either runs alone where the other has no columns. The network was
    designed for price regression on 34 numbers and a 768-wide text embedding, and trains by Adam on
    the standardised target with clipped gradients.

    Raises:
        ModelError: the table has no columns at all.
    """

    Params = DualPathParams

    def build(self, schema: Schema, params: DualPathParams) -> nn.Module:
        if not (schema.dense_width or schema.embedding_width or embedded_columns(schema.one_hot)):
            raise ModelError("dual_path needs at least one numeric, categorical or embedding column.")
        return DualPathNetwork(schema, params)

    @property
    def half_pays_on_cpu(self) -> bool:
        """For steps that are mostly large matrix products."""
        layers = (layer for layer in self.network.modules() if isinstance(layer, nn.Linear))
        weights, rows = sum(layer.weight.numel() for layer in layers), self.params.batch_size
        return not isinstance(rows, int) or weights * rows >= _LARGE_STEP

    def inputs(self, table: Table) -> tuple[Tensor, ...]:
        """Numbers (n, d), embedding (n, e) and category codes (n, c)."""
        codes = np.asarray(table.categorical)[:, embedded_columns(self.schema.one_hot)]
        return (
            as_tensor(np.asarray(table.dense, dtype=np.float32)),
            as_tensor(np.asarray(table.embedding, dtype=np.float32)),
            as_tensor(codes.astype(np.int64)),
        )
