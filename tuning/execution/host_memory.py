"""Whether the trials that run at once fit in the memory of their nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuning.config import ResourceConfig
from tuning.errors import InputError
from tuning.execution.shares import Node, Shares, plan_shares

GIB = 2**30

PROCESS_GIB = 0.5
"""A worker with its libraries, without what it shares with others."""


@dataclass(frozen=True)
class Fit:
    """What the memory of the nodes makes of a plan.

    Attributes:
        shares: the plan that fits.
        notices: what to tell the user; empty where nothing was changed.
    """

    shares: Shares
    notices: tuple[str, ...] = ()


def plan_within_memory(
    config: ResourceConfig,
    nodes: Sequence[Node],
    rows_gib: float,
    *,
    uses_gpu: bool,
    only_gpu: bool = False,
) -> Fit:
    """Divide the nodes by `plan_shares`, with no more trials at once than they have memory for.

    A trial is expected to take `PROCESS_GIB` in each worker, and what training holds beside the rows, which
    lie once in a node's object store. Where that is more than a node has for all its CPUs, Ray is told the
    trial's memory, so that it starts no more of them on that node.

    Args:
        config: what the user asks for.
        nodes: the cluster; one whose memory is unknown is taken to have enough.
        rows_gib: memory that a trial's models hold beside the rows.
        uses_gpu: some family of the study uses a GPU.
        only_gpu: every family does.

    Raises:
        InputError: a trial asks for more than a node has, or a given `max_concurrent` is more than fits.
    """
    shares = plan_shares(config, nodes, uses_gpu=uses_gpu, only_gpu=only_gpu)
    needed_gib = PROCESS_GIB + rows_gib
    fitting = sum(_fitting(node, shares, needed_gib) for node in nodes) // shares.workers
    by_cpus = sum(_by_cpus(node, shares) for node in nodes) // shares.workers
    concurrent = min(shares.max_concurrent, by_cpus)
    if fitting >= by_cpus or not concurrent:
        return Fit(shares)
    if not fitting:
        return Fit(_alone(shares), (_too_large(nodes, needed_gib),))
    if concurrent <= fitting:
        return Fit(replace(shares, memory_gib=needed_gib))
    sentence = _expected(nodes, needed_gib)
    if config.max_concurrent is not None:
        raise InputError(
            f"resources.max_concurrent: {sentence}, so {fitting} fit at once, not {config.max_concurrent}; "
            f"lower it to {fitting}."
        )
    lowered = config.model_copy(update={"max_concurrent": fitting})
    planned = plan_shares(lowered, nodes, uses_gpu=uses_gpu, only_gpu=only_gpu)
    notice = f"{planned.max_concurrent} trials at once instead of {concurrent}: {sentence}."
    return Fit(replace(planned, memory_gib=needed_gib), (notice,))


def _by_cpus(node: Node, shares: Shares) -> int:
    return int(node.cpus // shares.cpus)


def _fitting(node: Node, shares: Shares, needed_gib: float) -> int:
    by_cpus = _by_cpus(node, shares)
    return by_cpus if node.memory_gib is None else min(by_cpus, int(node.memory_gib // needed_gib))


def _alone(shares: Shares) -> Shares:
    """One trial after the other: the expectation may be too high, and less is not to be had."""
    return replace(shares, max_concurrent=1, wanted=1)


def _too_large(nodes: Sequence[Node], needed_gib: float) -> str:
    return f"One trial at once: {_expected(nodes, needed_gib)}."


def _expected(nodes: Sequence[Node], needed_gib: float) -> str:
    least_gib = min(node.memory_gib for node in nodes if node.memory_gib is not None)
    node = "node" if len(nodes) == 1 else "smallest node"
    return f"a trial is expected to take {needed_gib:.2g} GiB of memory, the {node} has {least_gib:.2g} GiB"
