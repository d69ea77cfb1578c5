"""Sequences: lists of steps in the values of a column, or the characters of its strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tuning.data._values import FloatArray, as_text, is_missing, json_list
from tuning.data.config import SequenceLayout
from tuning.models import Sequences, SequenceSchema

STATISTICS = ("mean", "std", "min", "max", "first", "last")
MOST_STEPS = 1000  # of a sequence as networks see it: longer ones are cut
_LIMIT = 10.0  # standard deviations, as of other numbers for networks


@dataclass(frozen=True)
class StepFormat:
    """How the lists of a column hold their steps.

    Attributes:
        channels: numbers per step.
        layout: what the outer of two nested lists holds; of plain lists, steps.
    """

    channels: int
    layout: SequenceLayout


def read_array(value: object) -> FloatArray | None:
    """A list of numbers as (T,), one of lists of one length as (A, B), also from JSON text; else None."""
    if isinstance(value, str):
        value = json_list(value)
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    nested = list(value) if isinstance(value, np.ndarray) and value.dtype == object else value
    try:
        array = np.asarray(nested, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.ndim in (1, 2) else None


def step_format(
    column: pd.Series[Any], layout: SequenceLayout = SequenceLayout.AUTO, share: float = 1.0
) -> StepFormat | None:
    """How at least `share` of the present values hold their steps; None where they are no sequences.

    Of nested lists the channels are the axis that is equally long in all rows. Where both are, the
    longer one holds the steps, and of two equal ones the outer, unless `layout` says which.
    """
    present = [value for value in column if not is_missing(value)]
    arrays = [array for value in present if (array := read_array(value)) is not None]
    shapes = {array.shape for array in arrays if array.size}
    dimensions = {len(shape) for shape in shapes}
    if len(arrays) < max(1.0, share * len(present)) or len(dimensions) > 1:
        return None
    if dimensions <= {1}:  # of no steps at all, too
        return StepFormat(1, SequenceLayout.STEPS_FIRST)
    return _nested_format(shapes, layout)


def _nested_format(shapes: set[tuple[int, ...]], layout: SequenceLayout) -> StepFormat | None:
    outer, inner = {shape[0] for shape in shapes}, {shape[1] for shape in shapes}
    steps_first = StepFormat(min(inner), SequenceLayout.STEPS_FIRST) if len(inner) == 1 else None
    channels_first = StepFormat(min(outer), SequenceLayout.CHANNELS_FIRST) if len(outer) == 1 else None
    match layout:
        case SequenceLayout.STEPS_FIRST:
            return steps_first
        case SequenceLayout.CHANNELS_FIRST:
            return channels_first
    if steps_first and channels_first:
        return steps_first if max(outer) >= max(inner) else channels_first
    return steps_first or channels_first


def read_steps(column: pd.Series[Any], form: StepFormat) -> Sequences:
    """n sequences of (channels,) float64 steps, nan as given; empty where missing or of another form."""
    arrays = [_steps(value, form) for value in column]
    offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])]).astype(np.int64)
    flat = np.concatenate([np.empty((0, form.channels)), *arrays])
    return Sequences(np.where(np.isfinite(flat), flat, np.nan), offsets)


def _steps(value: object, form: StepFormat) -> FloatArray:
    """(T, channels)."""
    array = read_array(value)
    if array is not None and array.ndim == 1 and form.channels == 1:
        return array[:, np.newaxis]  # (T,) -> (T, 1)
    if array is not None and form.layout is SequenceLayout.CHANNELS_FIRST:
        array = array.T
    if array is None or array.ndim != 2 or array.shape[1] != form.channels:
        return np.empty((0, form.channels))
    return array


def summary_names(name: str, channels: int) -> tuple[str, ...]:
    """Names of the columns of `summaries`; of characters (no channels) the length alone."""
    of_channels = (f"{name}.{channel}.{part}" for part in STATISTICS for channel in range(channels))
    return (*of_channels, f"{name}.length")


def summaries(column: pd.Series[Any], form: StepFormat | None) -> FloatArray:
    """(n,) -> (n, 6 * channels + 1): statistics of each channel, and the length; nan where missing.

    What is not given as a number counts for none of the statistics.
    """
    if form is None:
        return np.array([[len(text)] for text in as_text(column)], dtype=np.float64).reshape(-1, 1)
    sequences = read_steps(column, form)
    n = len(sequences)
    rows = np.repeat(np.arange(n), sequences.lengths)
    groups = pd.DataFrame(sequences.steps).groupby(rows)
    parts: list[pd.DataFrame] = [
        groups.std(ddof=0) if part == "std" else getattr(groups, part)() for part in STATISTICS
    ]
    blocks = [part.reindex(range(n)).to_numpy(np.float64) for part in parts]
    return np.concatenate([*blocks, sequences.lengths[:, np.newaxis]], axis=1)


@dataclass(frozen=True)
class SequenceEncoder:
    """What networks see of a column of sequences; fitted on training rows.

    Steps are standardised per channel and limited to 10 standard deviations, missing numbers are 0, the
    mean. Characters become codes by their place among those of the training rows, 0 for another one.

    Attributes:
        form: of the steps; None for characters.
        max_length: of the longest sequence, at most 1,000.
        mean: per channel.
        std: per channel.
        characters: known ones, sorted.
    """

    form: StepFormat | None
    max_length: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    characters: str = ""

    @classmethod
    def fit(cls, column: pd.Series[Any], form: StepFormat | None) -> SequenceEncoder:
        """Fit on the training rows."""
        if form is None:
            text = as_text(column)
            return cls(None, _max_length(map(len, text)), characters="".join(sorted(set().union(*text))))
        sequences = read_steps(column, form)
        mean, std = _moments(np.asarray(sequences.steps, dtype=np.float64))
        return cls(form, _max_length(sequences.lengths.tolist()), tuple(mean.tolist()), tuple(std.tolist()))

    @property
    def schema(self) -> SequenceSchema:
        """Of what `apply` gives."""
        return SequenceSchema(len(self.mean), len(self.characters), self.max_length)

    def apply(self, column: pd.Series[Any]) -> Sequences:
        """(n,) -> n sequences, empty where missing."""
        if self.form is None:
            return self._codes(as_text(column))
        sequences = read_steps(column, self.form)
        scaled = (np.asarray(sequences.steps, dtype=np.float64) - self.mean) / self.std
        limited = np.nan_to_num(np.clip(scaled, -_LIMIT, _LIMIT))
        return Sequences(limited.astype(np.float32), sequences.offsets)

    def _codes(self, text: Sequence[str]) -> Sequences:
        known, points = _code_points(self.characters), _code_points("".join(text))
        places = np.minimum(np.searchsorted(known, points), len(known) - 1)
        codes = np.where(known[places] == points, places + 1, 0).astype(np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(string) for string in text])]).astype(np.int64)
        return Sequences(codes, offsets)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        form = None if self.form is None else [self.form.channels, self.form.layout.value]
        return {**self.__dict__, "form": form}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SequenceEncoder:
        """From what `to_json` gave."""
        form = None
        if value["form"] is not None:
            form = StepFormat(int(value["form"][0]), SequenceLayout(value["form"][1]))
        lists = {name: tuple(value[name]) for name in ("mean", "std")}
        return cls(**{**value, **lists, "form": form})


def _max_length(lengths: Any) -> int:
    return max(1, min(MOST_STEPS, max(lengths, default=0)))


def _moments(steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(total, channels) with nan -> mean and standard deviation (channels,); of constant channels 1."""
    known = np.isfinite(steps)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, steps, 0.0).sum(axis=0) / counts
    std = np.sqrt((np.where(known, steps - mean, 0.0) ** 2).sum(axis=0) / counts)
    return mean, np.where(std > 0, std, 1.0)


def _code_points(text: str) -> Any:
    """(len(text),) numbers of its characters in Unicode."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
