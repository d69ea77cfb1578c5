"""Sequences of variable length, one per row: steps of numbers, or the characters of a string."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SequenceSchema:
    """What is needed to build a network on sequences.

    Attributes:
        channels: numbers per step; 0 for characters.
        vocabulary: characters known from training; 0 for numbers.
        max_length: steps of the longest sequence in training; longer ones are cut there.
    """

    channels: int
    vocabulary: int
    max_length: int


@dataclass(frozen=True)
class Sequences:
    """n sequences one after another; sequence i is `steps[offsets[i]:offsets[i + 1]]`.

    Attributes:
        steps: (total, channels) float32, standardised per channel, nothing missing; or (total,) int32
            codes of characters in [1, vocabulary], 0 for a character unseen in training.
        offsets: (n + 1,) int64, from 0 to total.
    """

    steps: npt.NDArray[np.generic]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(n,) steps of each sequence; 0 where it is missing."""
        return np.diff(self.offsets)

    def take(self, rows: npt.NDArray[np.integer]) -> Sequences:
        """The given sequences, in the given order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        starts = np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Sequences(self.steps[starts + np.arange(offsets[-1])], offsets)

    def padded(self, max_length: int) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.int64]]:
        """Sequences cut at `max_length` and padded with 0 at the end to the longest of them.

        Returns:
            (n, longest, ...) steps, longest at least 1, and (n,) their lengths.
        """
        lengths = np.minimum(self.lengths, max_length)
        places = np.arange(lengths.max(initial=1))
        known = places < lengths[:, np.newaxis]  # (L,), (n, 1) -> (n, L)
        out = np.zeros((*known.shape, *self.steps.shape[1:]), dtype=self.steps.dtype)
        out[known] = self.steps[(self.offsets[:-1, np.newaxis] + places)[known]]
        return out, lengths
