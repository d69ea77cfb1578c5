"""How much of a GPU's memory torch may take in a process that shares the GPU with others."""

from __future__ import annotations

import torch

CONTEXT_BYTES = 2**29
"""What CUDA itself takes of a GPU in every process, outside of torch's allocator: about half a GiB."""


def limit_gpu_memory(device: torch.device, share: float) -> None:
    """Keep torch's allocator within a share of the GPU's memory; a share of 1 lifts the limit.

    The limit is the process's, not a model's: the last call holds. Beyond it torch raises
    `torch.cuda.OutOfMemoryError`, also when the GPU has memory left.
    """
    if device.type == "cuda":
        total_bytes = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(allocator_fraction(share, total_bytes), device)


def usable_bytes(device: torch.device) -> int:
    """What is free of the GPU's memory, and no more than this process may take of it."""
    free_bytes, total_bytes = torch.cuda.mem_get_info(device)
    return min(free_bytes, int(total_bytes * torch.cuda.get_per_process_memory_fraction(device)))


def allocator_fraction(share: float, total_bytes: int) -> float:
    """The part of the GPU's memory for torch's allocator: the share less CUDA's own part of it.

    >>> allocator_fraction(1.0, 16 * 2**30), allocator_fraction(0.5, 16 * 2**30)
    (1.0, 0.46875)
    >>> allocator_fraction(0.25, 2 * 2**30)  # Too small a GPU for four: half of the share is left.
    0.125
    """
    if share >= 1:
        return 1.0
    return max(share - CONTEXT_BYTES / total_bytes, share / 2)
