"""Placement groups that are given up before Ray has placed them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group

_END_S = 2.0


@dataclass(frozen=True)
class Asked:
    """A placement group of one bundle that Ray was asked for.

    Attributes:
        group: the group.
        ready: resolves when it is placed.
        bundle: what it holds.
    """

    group: PlacementGroup
    ready: ray.ObjectRef
    bundle: dict[str, float]


class UnwantedGroups:
    """Groups that nobody waits for any more; each can be removed, or used after all, once it is placed.

    Whatever a group has reserved is lost to its node for ever when it is removed before that is committed,
    milliseconds later (https://github.com/ray-project/ray/issues/64693). A group is given up when resources
    become free elsewhere, and that is when Ray places those that wait: so it is left to be placed first.
    """

    def __init__(self) -> None:
        self._asked: dict[ray.ObjectRef, Asked] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, asked: Asked) -> None:
        """Give a group up."""
        self._asked[asked.ready] = asked

    def futures(self) -> Iterable[ray.ObjectRef]:
        """Each resolves when a group is placed."""
        return list(self._asked)

    def take_placed(self, timeout_s: float = 0.0) -> list[Asked]:
        """Those that Ray has placed, which are the caller's to remove."""
        if not self._asked:
            return []
        futures = list(self._asked)
        placed, _ = ray.wait(futures, num_returns=len(futures), timeout=timeout_s)
        return [self._asked.pop(future) for future in placed]

    def clear(self) -> None:
        """Remove all; those that wait for resources which others keep, after a moment."""
        deadline_s = time.monotonic() + _END_S
        while self._asked and time.monotonic() < deadline_s:
            for asked in self.take_placed(timeout_s=0.1):
                remove_placement_group(asked.group)
        for asked in self._asked.values():
            remove_placement_group(asked.group)
        self._asked.clear()
