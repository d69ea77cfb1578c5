"""Waiting for GPUs before a study plans with them; an autoscaling cluster starts nodes for what waits."""

from __future__ import annotations

import ray
from ray.util.placement_group import placement_group, remove_placement_group

from tuning.config.duration import format_duration
from tuning.errors import InputError
from tuning.execution.cluster import ray_cluster


def gather_gpus(address: str, count: int, timeout_s: float) -> None:
    """Wait until so many GPUs are free at once.

    They are asked for by a placement group. One that waits makes an autoscaler start nodes, as nothing
    but a demand does; and it goes away with this process, whatever ends it.

    Args:
        address: of the cluster, as in `ray_cluster`.
        count: GPUs.
        timeout_s: how long.

    Raises:
        InputError: there is no cluster, or it does not come to so many GPUs in the time.
    """
    with ray_cluster(address):
        group = placement_group([{"GPU": 1}] * count, strategy="PACK")
        try:
            if not group.wait(timeout_s):
                there = int(ray.cluster_resources().get("GPU", 0))
                raise InputError(
                    f"--gpus: after {format_duration(timeout_s)} the cluster has not {count} free GPUs; "
                    f"it has {there} in all. Ask for fewer, or give it more time by --within."
                )
        finally:
            remove_placement_group(group)
