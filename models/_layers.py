"""Building blocks that networks share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_LANES = 4  # 16-bit random numbers in one 64-bit draw
_LANE_VALUES = 1 << 16


class Dropout(nn.Module):
    """Dropout (Srivastava et al., 2014) that draws 16 random bits per entry on a CPU.

    torch draws a full random number per entry there, on one thread, which takes about as long as a
    matrix product. With 16 bits the probability is `p` rounded to a multiple of 2^-16.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._dropped_values = round(p * _LANE_VALUES)
        self._scale = _LANE_VALUES / (_LANE_VALUES - self._dropped_values)

    def extra_repr(self) -> str:
        return f"p={self.p}"

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        if not self.training or self._dropped_values == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        kept = _random_int16(x.shape) >= self._dropped_values - _LANE_VALUES // 2
        # The scale apart: rounded to half precision it would no longer keep the mean.
        return (x * kept.to(x.dtype)).mul_(self._scale)


def _random_int16(shape: torch.Size) -> Tensor:
    """Uniform over all 16-bit integers, from torch's global CPU stream."""
    draws = torch.empty(-(-shape.numel() // _LANES), dtype=torch.int64).random_(-(2**63), None)
    return draws.view(torch.int16)[: shape.numel()].view(shape)


class FeatureAttention(nn.Module):
    """Attention over the entries of one vector: a softmax weight for each, times the entry.

    The scores come from a bottleneck of a quarter of the width. Weights are scaled to mean 1, so that
    an attention that prefers nothing leaves the vector as it is.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.scores = nn.Sequential(
            nn.Linear(width, max(1, width // 4)), nn.Tanh(), nn.Linear(max(1, width // 4), width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width) -> (B, width)."""
        weights: Tensor = self.scores(x).softmax(dim=1)
        return x * (weights * self.width)


class ResidualBlock(nn.Module):
    """x + f(x) with f two linear layers with batch normalisation; after He et al., 2016."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
        )
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, width) -> (B, width)."""
        out: Tensor = self.activation(x + self.body(x))
        return out


class CategoryEmbeddings(nn.Module):
    """One learned vector per category and column; code -1 (missing, unseen) has a vector of its own.

    Attributes:
        width: summed width of all columns' vectors.
    """

    def __init__(self, cardinalities: Sequence[int]) -> None:
        super().__init__()
        widths = [category_width(levels) for levels in cardinalities]
        self.columns = nn.ModuleList(
            nn.Embedding(levels + 1, width) for levels, width in zip(cardinalities, widths, strict=True)
        )
        self.width = sum(widths)

    def forward(self, codes: Tensor) -> Tensor:
        """(B, c) integer codes from -1 -> (B, width)."""
        rows = codes + 1  # row 0 is the unknown category's
        return torch.cat([column(rows[:, i]) for i, column in enumerate(self.columns)], dim=1)


def embedded_columns(one_hot: Sequence[bool]) -> list[int]:
    """Positions of the categorical columns that `Table.dense` does not hold one-hot."""
    return [i for i, in_dense in enumerate(one_hot) if not in_dense]


def category_width(levels: int) -> int:
    """Width of the learned vector of a column with that many levels (the rule of fastai).

    >>> category_width(10), category_width(100_000)
    (6, 50)
    """
    return min(50, round(1.6 * math.pow(levels, 0.56)))


def initialise_xavier(network: nn.Module) -> None:
    """Xavier-uniform weights and zero biases for every linear layer (Glorot and Bengio, 2010)."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
