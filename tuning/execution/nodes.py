"""The cluster's nodes as they come and go, and what that means for the trials at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import ray
from ray.exceptions import (
    ActorPlacementGroupRemoved,
    ActorUnavailableError,
    ActorUnschedulableError,
    RayActorError,
)

from tuning.execution.shares import Node, Shares
from tuning.session import Session

_LOOK_EVERY_S = 1.0

# Of a worker that died by itself, its node tells; these say that nobody tells, or that its place is gone.
_WITHOUT_NODE = (ActorPlacementGroupRemoved, ActorUnavailableError, ActorUnschedulableError)


def alive_nodes() -> tuple[Node, ...]:
    """CPUs and GPUs of every node that Ray takes for alive."""
    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return tuple(Node(float(has.get("CPU", 0.0)), int(has.get("GPU", 0))) for has in alive)


def died_with_node(error: Exception) -> bool:
    """Whether a worker is gone because its whole node is.

    Ray names the node in its message; that the node is dead is asked of Ray.
    """
    if isinstance(error, _WITHOUT_NODE):
        return True
    if not isinstance(error, RayActorError):
        return False
    text = str(error)
    return error.preempted or any(node["NodeID"] in text for node in ray.nodes() if not node["Alive"])


class Capacity:
    """Keeps the session's trials at once in step with the nodes of the cluster, and with the GPUs it holds.

    Args:
        session: told how many trials may run.
        shares: what each trial gets; stays as planned, so that workers can be used again.
    """

    def __init__(self, session: Session, shares: Shares) -> None:
        self._session = session
        self._shares = shares
        self._nodes: Sequence[Node] = alive_nodes()
        self._held_slots: int | None = None
        self._looked_s = time.monotonic()

    def hold_gpu_slots(self, slots: int) -> None:
        """How many trials the GPUs that the study holds can take has changed."""
        self._held_slots = slots
        self._tell()

    def follow_nodes(self) -> None:
        """Look every second at which nodes there are."""
        if time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        nodes = alive_nodes()
        if nodes != self._nodes:
            self._nodes = nodes
            self._shares = self._shares.on(nodes)
            self._tell()

    def _tell(self) -> None:
        self._session.set_slots(self._shares.max_concurrent)
        slots = self._shares.gpu_slots
        if slots is not None:
            held = slots if self._held_slots is None else self._held_slots
            self._session.set_gpu_slots(min(held, slots))
