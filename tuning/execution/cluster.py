"""Starting or joining Ray, and what it offers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray
from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)

from tuning.config import ResourceConfig
from tuning.errors import InputError

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class Shares:
    """What each trial gets, and how many run at once.

    Attributes:
        cpus: CPUs of every trial.
        gpus: GPUs of a trial whose family uses one, on top.
        max_concurrent: trials at once.
        total_gpus: GPUs of the cluster.
    """

    cpus: float
    gpus: float
    max_concurrent: int
    total_gpus: float = 0.0

    @property
    def gpu_slots(self) -> int | None:
        """Trials that can hold their share of the GPUs at once, None when no trial asks for any."""
        return int(self.total_gpus / self.gpus + 1e-9) if self.gpus else None

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))


@contextmanager
def ray_cluster(address: str) -> Iterator[str | None]:
    """Ray, for the time of a study: started here (`local`) or joined; yields the dashboard's URL.

    Raises:
        InputError: there is no cluster at the address.
    """
    os.environ.update(_TUNE_SETTINGS)
    if ray.is_initialized():
        # Somebody else's Ray, in a notebook or a test: used as it is, and left running.
        yield None
        return
    if address != "local":
        # `ray start` turns token authentication on by itself where a token lies; a driver has to follow.
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    try:
        context = ray.init(
            address=address,
            include_dashboard=True if address == "local" else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"address: no Ray cluster at {address!r} ({reason}); use local to start one."
        ) from error
    try:
        yield _url(context.dashboard_url)
    finally:
        ray.shutdown()


def _url(host: str | None) -> str | None:
    return f"http://{host}" if host else None


def plan_shares(config: ResourceConfig, needs_gpu: bool) -> Shares:
    """Divide the cluster's CPUs and GPUs among the trials that run at once.

    Raises:
        InputError: a trial asks for more than the cluster has.
    """
    total = ray.cluster_resources()
    cpus, gpus = float(total.get("CPU", 1)), float(total.get("GPU", 0))
    most = _largest_node_cpus()
    concurrent = config.max_concurrent or max(1, int(cpus // (config.cpus_per_trial or 1)))
    share = config.cpus_per_trial or min(most, max(1.0, cpus // concurrent))
    if share > most:
        raise InputError(
            f"resources.cpus_per_trial: a trial asks for {share:g} CPUs, "
            f"the largest node has {most:g}; lower it."
        )
    gpu_share = _gpu_share(config, gpus if needs_gpu else 0.0, concurrent)
    return Shares(share, gpu_share, concurrent, gpus)


def _largest_node_cpus() -> float:
    """A trial runs on one node, however many there are."""
    nodes = [node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]]
    return float(max(nodes, default=1.0))


def _gpu_share(config: ResourceConfig, gpus: float, concurrent: int) -> float:
    """The GPUs of a trial that uses one.

    Automatically: one GPU is shared by up to four trials; of several, each trial gets a whole one,
    because Ray packs fractions onto the first.
    """
    if config.gpus_per_trial != "auto":
        if config.gpus_per_trial > gpus > 0:
            raise InputError(
                f"resources.gpus_per_trial: a trial asks for {config.gpus_per_trial:g} GPUs, "
                f"the cluster has {gpus:g}; lower it."
            )
        return float(config.gpus_per_trial) if gpus else 0.0
    if gpus < 1:
        return 0.0
    return 1.0 if gpus > 1 else 1.0 / min(4, concurrent)
