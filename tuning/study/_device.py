"""Where a trained model predicts."""

from __future__ import annotations

from enum import StrEnum

from tuning.errors import ConfigError


class Device(StrEnum):
    """A kind of processor."""

    CPU = "cpu"
    CUDA = "cuda"


def check_device(name: str) -> None:
    """Refuse a device that there is not.

    Raises:
        ConfigError: an unknown name, or cuda without a GPU.
    """
    if name not in set(Device):
        raise ConfigError(f"device: there is no {name!r}; choose from {', '.join(Device)}.")
    if name == Device.CUDA:
        import torch  # seconds, that a CPU does without

        if not torch.cuda.is_available():
            raise ConfigError("device: this machine has no GPU that CUDA can use; predict on cpu.")
