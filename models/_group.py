"""The processes that train one model together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Distribution(StrEnum):
    """How the processes of a group reach each other.

    Whoever starts the group sets this up before a model joins it: torch's default process group, XGBoost's
    communicator in the thread that trains, or the addresses that LightGBM connects to.
    """

    TORCH = "torch"
    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"


@dataclass(frozen=True)
class WorkerGroup:
    """One process's place among those that train one model together, each on its share of the rows.

    Attributes:
        rank: number of this process, from 0.
        size: N, how many there are.
        network: LightGBM's `machines`, `num_machines` and `local_listen_port`; empty for the others.
    """

    rank: int = 0
    size: int = 1
    network: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_alone(self) -> bool:
        """Whether one process does it all."""
        return self.size == 1

    @property
    def share(self) -> slice:
        """This process's rows: every N-th. The shares differ by one row at most, however rows are sorted.

        >>> list(range(7))[WorkerGroup(rank=1, size=3).share]
        [1, 4]
        """
        return slice(self.rank, None, self.size)


ALONE = WorkerGroup()
