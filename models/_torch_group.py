"""One network in several processes: averaged gradients, shared statistics, sums over the group.

All of it goes through torch's default process group, which whoever starts the processes has set up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tuning.models._group import WorkerGroup


class GroupBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation by the statistics of the whole group's batch, so that N shares act as one batch.

    What `torch.nn.SyncBatchNorm` is on GPUs, on any device. Its state has the names of `BatchNorm1d`.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> GroupBatchNorm1d:
        """The same layer, with the same parameters and buffers."""
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        for name, parameter in norm.named_parameters(recurse=False):
            setattr(made, name, parameter)
        for name, buffer in norm.named_buffers(recurse=False):
            setattr(made, name, buffer)
        return made.train(norm.training)

    def forward(self, input: Tensor) -> Tensor:
        """(B, C) or (B, C, L) -> the same shape."""
        if not self.training:
            return super().forward(input)
        x = input.float()
        over = [axis for axis in range(x.dim()) if axis != 1]
        shape = (1, -1) + (1,) * (x.dim() - 2)  # (C,) -> (1, C) or (1, C, 1)
        count = torch.full((1,), x.numel() / x.shape[1], device=x.device)
        sums = _sum_with_gradient(torch.cat([x.sum(over), count]))  # (C + 1,)
        total = sums[-1].detach()
        mean = sums[:-1] / total
        centred = x - mean.view(shape)
        variance = _sum_with_gradient(centred.square().sum(over)) / total
        self._track(mean.detach(), variance.detach(), total)
        scaled: Tensor = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    def _track(self, mean: Tensor, variance: Tensor, total: Tensor) -> None:
        """Move the running statistics towards (C,) the batch's, the variance without bias."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * total / (total - 1), weight)


def replicate(network: nn.Module) -> nn.Module:
    """The network as one replica of the group's: what it learns from is averaged over all replicas.

    The network itself is changed too: its batch normalisation looks at the whole group's batch.
    """
    _share_statistics(network)
    return DistributedDataParallel(network)


def _share_statistics(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d):
            setattr(module, name, GroupBatchNorm1d.of(child))
        else:
            _share_statistics(child)


class _GroupSum(torch.autograd.Function):
    """The sum over the group, through which gradients flow back to every process's part."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        summed = tensor.clone()
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        summed = gradient.contiguous().clone()
        distributed.all_reduce(summed)
        return summed


def _sum_with_gradient(tensor: Tensor) -> Tensor:
    summed: Tensor = _GroupSum.apply(tensor)  # type: ignore[no-untyped-call]
    return summed


def group_sum(tensor: Tensor, group: WorkerGroup) -> Tensor:
    """The sum of every process's tensor, of one shape; the same bits in every process."""
    if not group.is_alone:
        distributed.all_reduce(tensor)
    return tensor


def gather_shares(parts: list[Tensor], group: WorkerGroup) -> list[Tensor]:
    """Every process's share of a list, as `WorkerGroup.share` deals it -> the whole list, on the CPU."""
    if group.is_alone:
        return parts
    shares: list[list[Tensor]] = [[] for _ in range(group.size)]
    distributed.all_gather_object(shares, [part.cpu() for part in parts])
    count = sum(len(share) for share in shares)
    return [shares[number % group.size][number // group.size] for number in range(count)]


def noise_seed(seed: int, unit: int, rank: int) -> int:
    """Seed of what one process draws for its own rows (dropout) in one unit.

    It follows from the numbers alone: the processes' draws differ, need no place in a checkpoint, and leave
    the stream that shuffles the rows, which must stay the same everywhere, alone.
    """
    word = np.random.SeedSequence((seed, unit, rank)).generate_state(1, np.uint64)[0]
    return int(word) >> 1  # 63 bits: torch's seeds are signed
