"""Layers for sequences of unequal length: padding changes nothing that they compute for real steps.

A batch of sequences is (B, T, C), padded at the end to its longest, with a `Padding` beside it that
tells the real steps; without one (None) every step is real.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuning.models._layers import Dropout


@dataclass(frozen=True)
class Padding:
    """Which steps of a padded batch are real.

    Attributes:
        lengths: (B,) real steps of each sequence, at least 1.
        mask: (B, T) True at real steps.
        real: (N,) positions of the real steps among all B * T.
    """

    lengths: Tensor
    mask: Tensor
    real: Tensor

    @classmethod
    def of(cls, lengths: Tensor, steps: int) -> Padding:
        """The padding of sequences of `lengths` (B,), padded to `steps`."""
        mask = torch.arange(steps, device=lengths.device) < lengths[:, None]  # (T,), (B, 1) -> (B, T)
        return cls(lengths, mask, mask.flatten().nonzero().squeeze(1))

    def pick(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (N, C), the real steps alone."""
        return x.flatten(0, 1).index_select(0, self.real)

    def put_back(self, steps: Tensor) -> Tensor:
        """(N, C) -> (B, T, C), 0 at padding."""
        batch, longest = self.mask.shape
        padded = steps.new_zeros(batch * longest, steps.shape[1])
        return padded.index_copy(0, self.real, steps).view(batch, longest, -1)

    def halved(self) -> Padding:
        """The padding after pooling pairs of steps."""
        return Padding.of((self.lengths + 1) // 2, (self.mask.shape[1] + 1) // 2)


class ConvolutionBlock(nn.Module):
    """Convolution over the steps, ReLU, batch normalisation, dropout.

    Padding is 0 for the convolution, as what lies beyond an end is, and takes no part in the
    statistics of the normalisation.
    """

    def __init__(self, inputs: int, channels: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(inputs, channels, kernel_size, padding=kernel_size // 2)
        self.after = nn.Sequential(nn.ReLU(), nn.BatchNorm1d(channels), Dropout(dropout))

    def forward(self, x: Tensor, padding: Padding | None) -> Tensor:
        """(B, T, inputs), 0 at padding -> (B, T, channels), 0 at padding."""
        out = self._convolved(x)
        if padding is not None:
            return padding.put_back(self.after(padding.pick(out)))
        steps: Tensor = self.after(out.flatten(0, 1))  # (B, T, C) -> (B * T, C)
        return steps.view(out.shape)

    def _convolved(self, x: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, T, channels)."""
        layer = self.convolution
        weight = layer.weight.unsqueeze(2)  # (channels, inputs, k) -> (channels, inputs, 1, k)
        pad = layer.kernel_size[0] // 2
        return _as_steps(functional.conv2d(_as_image(x), weight, layer.bias, padding=(0, pad)))


class PairPooling(nn.Module):
    """The larger of each two neighbouring steps; a last step without a neighbour stays."""

    def forward(self, x: Tensor, padding: Padding | None) -> Tensor:
        """(B, T, C) -> (B, ceil(T / 2), C), 0 at padding."""
        if padding is not None:
            x = x.masked_fill(~padding.mask[..., None], -torch.inf)
        out = _as_steps(functional.max_pool2d(_as_image(x), (1, 2), ceil_mode=True))
        if padding is not None:
            out = out.masked_fill(out == -torch.inf, 0.0)
        return out


def _as_image(x: Tensor) -> Tensor:
    """(B, T, C) -> (B, C, 1, T), a view: torch's layout with channels last, in which nothing is copied.

    Convolution, normalisation and pooling take about two thirds of their time in (B, C, T) so on a CPU.
    """
    return x.transpose(1, 2).unsqueeze(2)


def _as_steps(x: Tensor) -> Tensor:
    """(B, C, 1, T) -> (B, T, C), a view."""
    return x.squeeze(2).transpose(1, 2)


class BidirectionalLSTM(nn.Module):
    """An LSTM in each direction (Schuster and Paliwal, 1997), their outputs side by side.

    The backward one starts at each sequence's own last step. Two plain LSTMs on reversed copies are
    three times as fast on a CPU as torch's packed sequences, and as fast on a GPU.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(inputs, hidden, batch_first=True)
        self.back = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, x: Tensor, padding: Padding | None) -> Tensor:
        """(B, T, inputs) -> (B, T, 2 * hidden); what stands at padding means nothing."""
        ahead, _ = self.ahead(x)
        back, _ = self.back(_reversed(x, padding))
        return torch.cat([ahead, _reversed(back, padding)], dim=2)


def _reversed(x: Tensor, padding: Padding | None) -> Tensor:
    """(B, T, C) -> (B, T, C): the real steps of each sequence in reverse order, then its padding."""
    if padding is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device)
    sources = torch.where(padding.mask, padding.lengths[:, None] - 1 - steps, steps)  # (B, T)
    return x.gather(1, sources[..., None].expand_as(x))


class AdditiveAttention(nn.Module):
    """Weighted mean over the steps, with weights from a small network (Bahdanau et al., 2015)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.scores = nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, 1, bias=False))

    def forward(self, x: Tensor, padding: Padding | None) -> Tensor:
        """(B, T, C) -> (B, C)."""
        scores: Tensor = self.scores(x)  # (B, T, C) -> (B, T, 1)
        if padding is not None:
            scores = scores.masked_fill(~padding.mask[..., None], -torch.inf)
        return (scores.softmax(dim=1).mT @ x).squeeze(1)  # (B, 1, T) @ (B, T, C) -> (B, 1, C) -> (B, C)


class MeanOverSteps(nn.Module):
    """Plain mean over the real steps."""

    def forward(self, x: Tensor, padding: Padding | None) -> Tensor:
        """(B, T, C) -> (B, C)."""
        if padding is None:
            return x.mean(dim=1)
        return x.masked_fill(~padding.mask[..., None], 0.0).sum(dim=1) / padding.lengths[:, None]
