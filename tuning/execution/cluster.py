"""Starting or joining Ray, and what it offers."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray._private import worker
from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuning.errors import InputError
from tuning.execution._ray_internals import DriverJob, leave_terminal_as_it_is
from tuning.execution.shares import Node
from tuning.execution.signals import sigterm_held_back
from tuning.session import DriverPlace

logger = logging.getLogger(__name__)

# Ray gives a node with a card that it recognises such a resource; with a number of GPUs by hand, none.
_CARD = "accelerator_type:"
_ANSWER_S = 10.0
GIB = 2**30

JOB_NAME = "job_name"
"""Entry of a job's metadata that the dashboard's list of jobs shows as its name."""

# Tune takes these from the environment only. The loggers cost a quarter of a short trial's time, the
# snapshot is never restored from (the record is the truth), and signals are the session's.
_TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextmanager
def ray_cluster(address: str, study: str = "") -> Iterator[DriverPlace]:
    """Ray, for the time of a study: started here (`local`) or joined; yields where that is.

    Args:
        address: `local`, `auto` or HOST:PORT.
        study: name of the study; the dashboard's page of the job shows it.

    Raises:
        InputError: there is no cluster at the address.
    """
    os.environ.update(_TUNE_SETTINGS)
    if ray.is_initialized():
        # Somebody else's Ray, in a notebook or a test: used as it is, and left running.
        yield _driver_place()
        return
    if address != "local":
        # `ray start` turns token authentication on by itself where a token lies; a driver has to follow.
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    try:
        _start(address, study)
        leave_terminal_as_it_is()
        yield _driver_place()
    finally:
        ray.shutdown()


def _start(address: str, study: str) -> None:
    try:
        with sigterm_held_back():
            ray.init(
                address=address,
                job_config=DriverJob({JOB_NAME: study} if study else {}),
                include_dashboard=True if address == "local" else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"address: no Ray cluster at {address!r} ({reason}); use local to start one."
        ) from error


def _driver_place() -> DriverPlace:
    context = ray.get_runtime_context()
    dashboard, node = worker.get_dashboard_url(), worker.global_worker.node
    return DriverPlace(
        host=ray.util.get_node_ip_address(),
        ray_address=context.gcs_address,
        job_id=context.get_job_id(),
        dashboard_url=f"http://{dashboard}" if dashboard else None,
        session_folder=None if node is None else node.get_session_dir_path(),
    )


def cluster_nodes() -> tuple[Node, ...]:
    """The machines of the cluster that Ray runs on."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    memory = _gpu_memory(alive)
    return tuple(
        Node(
            cpus=float(node["Resources"].get("CPU", 0.0)),
            gpus=int(node["Resources"].get("GPU", 0)),
            gpu_gib=memory.get(node["NodeID"]),
            memory_gib=node["Resources"].get("memory", 0.0) / GIB or None,
        )
        for node in alive
    )


def _gpu_memory(nodes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """GiB of the smallest GPU by node id, where Ray has found a real card and its driver tells."""
    real = [node for node in nodes if any(name.startswith(_CARD) for name in node["Resources"])]
    asked = {
        node["NodeID"]: _ask_gpu_memory.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote()
        for node in real
    }
    answered, _ = (
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=_ANSWER_S) if asked else ([], [])
    )
    told = {node: ray.get(answer) for node, answer in asked.items() if answer in answered}
    return {node: gib for node, gib in told.items() if gib is not None}


@ray.remote(num_cpus=0)  # type: ignore[untyped-decorator]
def _ask_gpu_memory() -> float | None:
    return smallest_gpu_gib()


def smallest_gpu_gib() -> float | None:
    """Memory in GiB of this machine's smallest NVIDIA GPU, None when its driver does not tell."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=True).stdout
        return min(float(mib) for mib in told.split()) / 1024
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
