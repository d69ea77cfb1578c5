"""Rows as tensors: made once, kept on the device where they fit, sliced into batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tuning.models._group import ALONE, WorkerGroup
from tuning.models._torch_memory import usable_bytes
from tuning.models.errors import DivergedError

# Several trials may share one GPU, and activations need room too.
_SHARE_OF_FREE_MEMORY = 0.25

# Of a batch size that is left to the number of rows.
_AUTO_STEPS_PER_EPOCH = 128
_AUTO_SIZES = (32, 512)

# Rows of as many batches are sorted by length together: enough for batches of nearly one length, few
# enough for batches that differ from epoch to epoch.
_BATCHES_PER_POOL = 16


class Batch(NamedTuple):
    """B rows on the device.

    Attributes:
        inputs: tensors (B, ...).
        target: (B, ...).
        weight: (B,) row weights, or None.
        scale: what the mean loss of these rows is multiplied by, so that its mean over the processes of a
            group is that of all their rows.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor | None
    scale: float = 1.0


def as_tensor(array: npt.NDArray[Any]) -> Tensor:
    """The array as a CPU tensor on the same memory, which must not be written to.

    `torch.from_numpy` warns of read-only arrays (views of shared memory). The loop only ever reads
    its rows, so the warning does not apply and copying every table would cost memory for nothing.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(array))


def rows_per_step(batch_size: int | str, rows: int) -> int:
    """The batch size at so many rows, where it is "full" or "auto".

    >>> [rows_per_step("auto", rows) for rows in (270, 4_100, 10_500, 30_000, 70_000)]
    [32, 32, 64, 256, 512]
    """
    if isinstance(batch_size, int):
        return batch_size
    if batch_size == "full":
        return rows
    low, high = _AUTO_SIZES
    return min(high, max(low, 1 << round(math.log2(max(1, rows / _AUTO_STEPS_PER_EPOCH)))))


@dataclass(frozen=True)
class Rows:
    """n rows as tensors, all on the device (`resident`) or all in host memory.

    Attributes:
        inputs: what the network's `forward` takes, each (n, ...).
        target: (n, ...), None where there is nothing to learn from.
        weight: (n,) with mean 1, or None.
        device: where batches are wanted.
        resident: whether the tensors lie on the device already.
        lengths: (n,) on the CPU, of sequences that are padded to the longest of their batch: rows of
            like length are then batched together. None where all rows cost the same.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor | None
    weight: Tensor | None
    device: torch.device
    resident: bool
    lengths: Tensor | None = None

    @classmethod
    def place(
        cls,
        inputs: tuple[Tensor, ...],
        target: Tensor | None,
        weight: Tensor | None,
        device: torch.device,
        lengths: Tensor | None = None,
    ) -> Rows:
        """Put CPU tensors on the device if they fit there."""
        given = [tensor for tensor in (*inputs, target, weight) if tensor is not None]
        if not _fits(given, device):
            return cls(inputs, target, weight, device, resident=False, lengths=lengths)
        return cls(
            tuple(tensor.to(device) for tensor in inputs),
            None if target is None else target.to(device),
            None if weight is None else weight.to(device),
            device,
            resident=True,
            lengths=lengths,
        )

    def __len__(self) -> int:
        return len(self.inputs[0])

    def require_finite(self, what: str) -> None:
        """Refuse NaN and inf.

        Raises:
            DivergedError: an input, a target or a weight is not finite; `what` names the rows.
        """
        for part, tensors in (
            ("inputs", self.inputs),
            ("targets", (self.target,)),
            ("weights", (self.weight,)),
        ):
            if not all(_all_finite(tensor) for tensor in tensors if tensor is not None):
                raise DivergedError(
                    f"The {part} of the {what} rows hold NaN or inf: impute or drop them first."
                )

    def shuffled_batches(self, size: int, max_batches: int | None = None) -> Iterator[Batch]:
        """Batches of one pass in random order, drawn from torch's global CPU stream."""
        return self.batches(self.shuffled_chunks(size, max_batches))

    def shuffled_chunks(
        self, size: int, max_batches: int | None = None, fewest: int = 2
    ) -> list[Tensor | slice]:
        """The rows of each batch of one pass in random order, drawn from torch's global CPU stream.

        A last batch of fewer than `fewest` rows is merged into the one before it: batch normalisation has no
        variance to go by in one row, and every process of a group needs a row. A batch that holds every
        row keeps their order and copies nothing. A single row is taken twice.
        """
        if len(self) == 1:
            return [torch.zeros(2, dtype=torch.int64)]
        if size >= len(self):
            return [slice(None)]
        chunks = _without_small_end(torch.split(self._shuffled(size), size), min(size, fewest))
        return list(islice(self._reordered(chunks), max_batches))

    def batches(self, chunks: Iterable[Tensor | slice], group: WorkerGroup = ALONE) -> Iterator[Batch]:
        """The batches that hold these rows; of each, a process of a group gets its share."""
        for chunk in chunks:
            if group.is_alone:
                yield self._batch(self._on_device(chunk))
                continue
            rows = torch.arange(len(self)) if isinstance(chunk, slice) else chunk
            own = rows[group.share]
            batch = self._batch(self._on_device(own))
            yield batch._replace(scale=len(own) * group.size / len(rows))

    def input_batches(self, size: int, which: slice = slice(None)) -> Iterator[tuple[Tensor, ...]]:
        """The inputs in row order, `size` rows at a time; of these batches the ones that `which` picks."""
        for start in range(0, len(self), size)[which]:
            yield tuple(self._take(tensor, slice(start, start + size)) for tensor in self.inputs)

    def _shuffled(self, size: int) -> Tensor:
        """(n,) row numbers in random order; with lengths, sorted by them within pools of batches."""
        order = torch.randperm(len(self))
        if self.lengths is None:
            return order
        pools = torch.split(order, size * _BATCHES_PER_POOL)
        return torch.cat([pool[self.lengths[pool].argsort(stable=True)] for pool in pools])

    def _reordered(self, chunks: tuple[Tensor, ...]) -> Iterable[Tensor]:
        """The batches in random order where sorting has put the short ones first."""
        if self.lengths is None:
            return chunks
        return [chunks[i] for i in torch.randperm(len(chunks)).tolist()]

    def _on_device(self, rows: Tensor | slice) -> Tensor | slice:
        return rows.to(self.device) if self.resident and isinstance(rows, Tensor) else rows

    def _batch(self, rows: Tensor | slice) -> Batch:
        if self.target is None:
            raise ValueError("rows without a target cannot be trained on")
        return Batch(
            tuple(self._take(tensor, rows) for tensor in self.inputs),
            self._take(self.target, rows),
            None if self.weight is None else self._take(self.weight, rows),
        )

    def _take(self, tensor: Tensor, rows: Tensor | slice) -> Tensor:
        taken = tensor[rows] if isinstance(rows, slice) else tensor.index_select(0, rows)
        if self.resident:
            return taken
        # The pinned copy comes from torch's host cache, which reuses it only after the transfer.
        return taken.pin_memory().to(self.device, non_blocking=True)


def _fits(tensors: list[Tensor], device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    return sum(tensor.nbytes for tensor in tensors) <= _SHARE_OF_FREE_MEMORY * usable_bytes(device)


def _all_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _without_small_end(chunks: tuple[Tensor, ...], fewest: int) -> tuple[Tensor, ...]:
    if len(chunks) == 1 or len(chunks[-1]) >= fewest:
        return chunks
    return (*chunks[:-2], torch.cat(chunks[-2:]))
