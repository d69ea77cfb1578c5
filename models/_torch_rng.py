"""Random streams of one network, kept apart from torch's global ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

_CPU, _CUDA = "cpu", "cuda"


class IsolatedRng:
    """The streams that one network's initial weights, shuffling and dropout are drawn from.

    Layers such as dropout can only draw from torch's global streams. `active` puts this network's
    streams in their place for the length of a block, so that what a network draws depends on its seed
    alone and nothing else in the process notices.

    >>> rng, before = IsolatedRng(seed=0, device=torch.device("cpu")), torch.get_rng_state()
    >>> with rng.active():
    ...     first = torch.rand(2)
    >>> torch.equal(before, torch.get_rng_state())
    True
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._states = {_CPU: torch.Generator().manual_seed(seed).get_state()}
        if device.type == _CUDA:
            self._states[_CUDA] = torch.Generator(device).manual_seed(seed).get_state()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Run a block on these streams; they go on where the last block left them."""
        outer = self._global_states()
        self._set_global(self._states)
        try:
            yield
        finally:
            self._states = self._global_states()
            self._set_global(outer)

    def state(self) -> dict[str, Tensor]:
        """The streams' states, uint8 vectors by kind of device."""
        return dict(self._states)

    def load_state(self, states: Mapping[str, Tensor]) -> None:
        """Go on from `state()`; a stream that only this device has keeps its own state."""
        self._states.update({kind: state for kind, state in states.items() if kind in self._states})

    def _global_states(self) -> dict[str, Tensor]:
        states = {_CPU: torch.get_rng_state()}
        if _CUDA in self._states:
            states[_CUDA] = torch.cuda.get_rng_state(self._device)
        return states

    def _set_global(self, states: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(states[_CPU])
        if _CUDA in states:
            torch.cuda.set_rng_state(states[_CUDA], self._device)
