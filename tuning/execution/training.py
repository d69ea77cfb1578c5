"""Ray Train: one function in several worker processes that reach each other."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray.train
from ray.exceptions import RayError
from ray.train.v2._internal.exceptions import RayTrainError, UserExceptionWithTraceback
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from tuning.errors import DiskFullError
from tuning.execution.gpu_memory import GpuMemoryError
from tuning.models import Distribution, WorkerGroup
from tuning.storage import is_disk_full
from tuning.surroundings import environment

# Of Ray Train, which takes these from the environment only: notice at once that a worker has ended, and start
# no processes for what is not used.
_TRAIN_SETTINGS = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

# What is heard of a lost peer by those who were in the middle of an exchange with it.
_PEER_LOST = ("connection closed by peer", "connection reset by peer", "socket", "nccl error", "broken pipe")


class WorkersLostError(RuntimeError):
    """A worker process died, or its node; the others of its group were ended."""


class WorkerFailedError(RuntimeError):
    """The training function raised in a worker; the message is its traceback."""


@dataclass(frozen=True)
class GroupSize:
    """The workers of one training run.

    Attributes:
        workers: how many.
        cpus: CPUs of each.
        gpus: GPUs of each.
    """

    workers: int
    cpus: float
    gpus: float = 0.0

    @property
    def threads(self) -> int:
        """CPU threads of each worker's model."""
        return max(1, int(self.cpus))


def train_on_workers(
    function: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    distribution: Distribution | None,
    size: GroupSize,
) -> None:
    """Run the function in every worker, and wait until all have returned.

    Ray Train reserves what they need in a placement group of its own, all or nothing, and waits for it.

    Args:
        function: called with `config` in each worker.
        config: whatever the function needs.
        distribution: how the workers reach each other; None: there is one alone.
        size: of the group.

    Raises:
        WorkersLostError: a worker died.
        WorkerFailedError: the function raised.
        GpuMemoryError, DiskFullError: the function raised that.
        KeyboardInterrupt: Ctrl-C ended the workers; only in the main thread.
    """
    with (
        environment(_TRAIN_SETTINGS),
        tempfile.TemporaryDirectory(prefix="tuning-") as scratch,
        _own_signals(),
    ):
        try:
            _make_trainer(function, config, distribution, size, scratch).fit()
        except ray.train.WorkerGroupError as error:
            raise _explain(error) from error
        except ray.train.TrainingFailedError as error:
            raise WorkersLostError(str(error)) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Let Ctrl-C be the interrupt that it is everywhere else, in the block and after it.

    Ray Train ends its workers at SIGINT and then the process, as if all had gone well, and its handler stays.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as ended:
        raise KeyboardInterrupt from ended
    finally:
        signal.signal(signal.SIGINT, handler)


def _make_trainer(
    function: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    distribution: Distribution | None,
    size: GroupSize,
    scratch: str,
) -> DataParallelTrainer:
    resources = {"CPU": size.cpus, **({"GPU": size.gpus} if size.gpus else {})}
    options: dict[str, Any] = {
        "train_loop_config": config,
        "scaling_config": ray.train.ScalingConfig(
            num_workers=size.workers, use_gpu=size.gpus > 0, resources_per_worker=resources
        ),
        "run_config": ray.train.RunConfig(
            name="workers",
            # Checkpoints are the trial's own; nothing is reported to Ray Train.
            storage_path=scratch,
            failure_config=ray.train.FailureConfig(max_failures=0, max_preemption_failures=0),
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
        ),
    }
    match distribution:
        case Distribution.TORCH:
            from ray.train.torch import TorchConfig, TorchTrainer

            return TorchTrainer(function, torch_config=TorchConfig(_torch_backend(size)), **options)
        case Distribution.XGBOOST:
            from ray.train.xgboost import XGBoostTrainer

            return XGBoostTrainer(function, **options)
        case Distribution.LIGHTGBM:
            from ray.train.lightgbm import LightGBMTrainer

            return LightGBMTrainer(function, **options)
        case None:
            return DataParallelTrainer(function, **options)


def _torch_backend(size: GroupSize) -> str:
    """NCCL refuses two workers on one GPU, which shares of GPUs lead to; gloo does not."""
    return "nccl" if size.gpus >= 1 else "gloo"


def own_group(distribution: Distribution | None) -> WorkerGroup:
    """The group that this worker belongs to; only inside a function of `train_on_workers`."""
    context = ray.train.get_context()
    rank, size = context.get_world_rank(), context.get_world_size()
    if distribution is not Distribution.LIGHTGBM or size == 1:
        return WorkerGroup(rank, size)
    from ray.train.lightgbm import get_network_params

    return WorkerGroup(rank, size, get_network_params())


def own_device() -> str:
    """`cuda` where Ray gave this worker a GPU, else `cpu`."""
    return "cuda" if ray.get_gpu_ids() else "cpu"


def _explain(
    error: ray.train.WorkerGroupError,
) -> WorkersLostError | WorkerFailedError | GpuMemoryError | DiskFullError:
    """A worker that died takes its peers along, which complain of a lost connection."""
    failures = {rank: _raised(each) for rank, each in error.worker_failures.items()}
    for each in failures.values():
        if isinstance(each, GpuMemoryError):
            return each
        if is_disk_full(each):
            return DiskFullError(str(each))
    lost = [rank for rank, each in failures.items() if isinstance(each, RayTrainError | RayError)]
    own = [rank for rank, each in failures.items() if rank not in lost and not _is_about_a_peer(each)]
    if own and not lost:
        return WorkerFailedError(str(error))
    ranks = ", ".join(str(rank) for rank in sorted(lost or failures))
    return WorkersLostError(f"of the trial's workers, number {ranks} ended unexpectedly")


def _raised(failure: BaseException) -> BaseException:
    """What a worker raised, out of what Ray Train may wrap it in."""
    return failure._base_exc if isinstance(failure, UserExceptionWithTraceback) else failure


def _is_about_a_peer(error: BaseException) -> bool:
    text = str(error).casefold()
    return any(sign in text for sign in _PEER_LOST)
