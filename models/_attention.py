"""Layers of the transformer (Vaswani et al., 2017), normalised first (Xiong et al., 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuning.models._layers import Dropout

_LONGEST_PERIOD = 10_000.0  # in units of 2 pi steps


def positional_encoding(steps: int, width: int) -> Tensor:
    """(steps, width) sines and cosines of each position, at rates from 1 down to 1 / 10,000.

    >>> positional_encoding(2, 4)[0]
    tensor([0., 1., 0., 1.])
    """
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(_LONGEST_PERIOD) / width))  # (width / 2,)
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # (steps, width / 2, 2)


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, may_see: Tensor | None) -> Tensor:
        """(B, T, width) asks (B, S, width); `may_see` (B or 1, 1, T or 1, S) -> (B, T, width)."""
        query = self._split(self.query(x))
        key, value = map(self._split, self.key_value(memory).chunk(2, dim=2))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=may_see)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))  # (B, heads, T, C) -> (B, T, width)
        return out

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, heads, T, width / heads)."""
        batch, steps, width = x.shape
        return x.view(batch, steps, self.heads, width // self.heads).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two linear layers, for each step alone."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, width))


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward part, each added to what went in."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width, hidden, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, may_see: Tensor) -> Tensor:
        """(B, T, width), `may_see` as in `MultiHeadAttention` -> (B, T, width)."""
        before = self.norms[0](x)
        x = x + self.dropout(self.attention(before, before, may_see))
        out: Tensor = x + self.dropout(self.feed_forward(self.norms[1](x)))
        return out


class DecoderLayer(nn.Module):
    """Self-attention, attention to the encoder's output, and a feed-forward part."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(width, heads)
        self.cross_attention = MultiHeadAttention(width, heads)
        self.feed_forward = FeedForward(width, hidden, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, may_see: Tensor, may_see_memory: Tensor) -> Tensor:
        """(B, T, width) with (B, S, width) -> (B, T, width)."""
        before = self.norms[0](x)
        x = x + self.dropout(self.self_attention(before, before, may_see))
        x = x + self.dropout(self.cross_attention(self.norms[1](x), memory, may_see_memory))
        out: Tensor = x + self.dropout(self.feed_forward(self.norms[2](x)))
        return out
