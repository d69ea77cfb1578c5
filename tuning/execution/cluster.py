"""Starting or joining Ray, and what it offers."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
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
from tuning.execution.machine import check_scratch, usable_cpus
from tuning.execution.shares import Node
from tuning.execution.signals import sigterm_held_back
from tuning.session import DriverPlace
from tuning.surroundings import environment, log_levels

logger = logging.getLogger(__name__)

# Ray gives a node with a card that it recognises such a resource; with a number of GPUs by hand, none.
_CARD = "accelerator_type:"
_ANSWER_S = 10.0
GIB = 2**30

_SET_BY_RAY = ("PYTHONBREAKPOINT", "RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED")
_LOGGERS = ("ray", "ray.tune", "ray.train", "ray.air", "ray.data", "ray.serve", "ray.rllib")

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


# Ray starts its own processes in the working folder, where Python looks first: its dashboard would import a
# person's yaml.py, and end.
_START_SETTINGS = {"PYTHONSAFEPATH": "1"}


@contextmanager
def ray_cluster(address: str, study: str = "") -> Iterator[DriverPlace]:
    """Give a study Ray for its time: started here (`local`) or joined; yields where that is.

    A Ray that this process is connected to already, in a notebook or a test, is used as it is and left
    running. What is changed for the whole process is put back at the end.

    Args:
        address: `local`, `auto` or HOST:PORT.
        study: name of the study; the dashboard's page of the job shows it.

    Raises:
        InputError: there is no cluster at the address, this process is connected to another, or Ray cannot
            start here.
    """
    with environment(_TUNE_SETTINGS, _SET_BY_RAY), _put_back_loggers():
        if ray.is_initialized():
            _check_joined(address)
            yield _driver_place()
            return
        try:
            _start(address, study)
            leave_terminal_as_it_is()
            yield _driver_place()
        finally:
            ray.shutdown()


@contextmanager
def _put_back_loggers() -> Iterator[None]:
    """Let Ray's loggers be after the block what they were; Ray sets their levels at its start."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with log_levels(levels):
        yield


def _check_joined(address: str) -> None:
    """Refuse the Ray that this process is connected to, where it is not the one that was asked for.

    Raises:
        InputError: it is another cluster's, or a client's, which runs where no file of here is seen.
    """
    # Not at the top: this object raises at whoever looks into it, as tools do that walk through a module.
    from ray.util.client import ray as ray_client

    if ray_client.is_connected():
        raise InputError(
            "address: this process is connected to Ray as a client (ray://), away from the study's folder; "
            "call ray.shutdown() first, and run it on the cluster's head with address auto."
        )
    joined = ray.get_runtime_context().gcs_address
    if address not in ("local", "auto") and _resolved(address) != _resolved(joined):
        raise InputError(
            f"address: this process is connected to the Ray at {joined} already, not to {address}; leave the "
            "address out to use that, or call ray.shutdown() first."
        )


def _resolved(address: str) -> tuple[str, str]:
    """Return the IP address and the port; every name of this machine is one address."""
    host, _, port = address.rpartition(":")
    try:
        number = socket.gethostbyname(host)
    except OSError:
        return host, port
    is_here = ipaddress.ip_address(number).is_loopback
    return (ray.util.get_node_ip_address() if is_here else number), port


def _start(address: str, study: str) -> None:
    is_local = address == "local"
    if is_local:
        check_scratch()
    else:
        # `ray start` turns token authentication on by itself where a token lies; a driver has to follow.
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    try:
        # What it prints of a process that does not start is said in one sentence.
        with (
            environment(_START_SETTINGS if is_local else {}),
            log_levels({"ray._private.services": logging.CRITICAL}),
            sigterm_held_back(),
        ):
            ray.init(
                address=address,
                num_cpus=usable_cpus() if is_local else None,
                job_config=DriverJob({JOB_NAME: study} if study else {}),
                include_dashboard=True if is_local else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:  # Ray itself raises bare ones where one of its processes does not start.
        raise _explain(address, error) from error


def _explain(address: str, error: Exception) -> InputError:
    """Say in one sentence why there is no Ray."""
    text = str(error)
    reason = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    log = re.search(r"\S+\.(?:log|err)\b", reason)
    reason = f"one of its processes ended, see {log[0]}" if log else reason.rstrip(".:")
    if address != "local":
        return InputError(f"address: no Ray cluster at {address!r} ({reason}); use local to start one.")
    return InputError(
        f"address: Ray does not start on this machine ({reason}); see that its disk, its memory and its "
        "ports are not used up, and try again."
    )


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
