"""A model trained by several processes of this machine, as Ray Train would start them."""

from __future__ import annotations

import multiprocessing
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.models.cases import Inputs, Problem, make_problem, make_sequence_problem
from tests.models.series_cases import make_forecasting_problem
from tuning.models import ALONE, Distribution, ModelClass, Task, WorkerGroup, load_family
from tuning.models.errors import ModelError

TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Job:
    """What every process trains: a family, its configuration, and for how long.

    Attributes:
        config: hyperparameters.
        units: units to train.
        task: of the problem.
        rows: training rows of the problem.
        weighted: the training rows have weights.
        inputs: what the rows are.
        seed: of the model.
    """

    family: str
    config: dict[str, Any]
    units: int = 3
    task: Task = Task.REGRESSION
    rows: int = 240
    weighted: bool = False
    inputs: Inputs = Inputs.FEATURES
    seed: int = 0

    @property
    def problem(self) -> Problem:
        if self.task is Task.FORECASTING:
            return make_forecasting_problem()
        if self.inputs is not Inputs.FEATURES:
            return make_sequence_problem(self.task, self.inputs, n_train=self.rows)
        problem = make_problem(self.task, n_train=self.rows)
        if not self.weighted:
            return problem
        weight = np.random.default_rng(3).uniform(0.1, 5.0, self.rows)
        return replace(problem, train=replace(problem.train, weight=weight))

    @property
    def model_class(self) -> ModelClass:
        return load_family(self.family)


@dataclass(frozen=True)
class Trained:
    """What came of it: validation outputs and training loss after each unit, or why it ended."""

    outputs: list[npt.NDArray[np.float64]]
    losses: list[float | None]
    error: str = ""


def train(job: Job, group: WorkerGroup = ALONE) -> Trained:
    """Train in this process."""
    problem = job.problem
    params = job.model_class.Params.model_validate(job.config)
    model = job.model_class(params, problem.schema, seed=job.seed)
    model.join(group)
    outputs: list[npt.NDArray[np.float64]] = []
    losses: list[float | None] = []
    try:
        model.bind(problem.train, problem.valid)
        for _ in range(job.units):
            model.advance()
            outputs.append(model.predict_valid())
            losses.append(model.train_loss)
    except ModelError as error:
        return Trained(outputs, losses, f"{type(error).__name__}: {error}")
    return Trained(outputs, losses)


class Workers:
    """Processes that train together, job after job: a start costs more than a job."""

    def __init__(self, distribution: Distribution, size: int = 2) -> None:
        self._size = size
        ports = [_start_tracker(size)] if distribution is Distribution.XGBOOST else _free_ports(size)
        context = multiprocessing.get_context("spawn")
        pipes = [context.Pipe() for _ in range(size)]
        self._pipes = [pipe for pipe, _ in pipes]
        self._processes = [
            context.Process(target=_serve, args=(distribution, rank, size, ports, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process in self._processes:
            process.start()

    def train(self, job: Job) -> list[Trained]:
        """Run the job; one result a process, in the order of their ranks."""
        for pipe in self._pipes:
            pipe.send(job)
        answers = []
        for pipe in self._pipes:
            assert pipe.poll(TIMEOUT_S), "a process hangs"
            answers.append(pipe.recv())
        return answers

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def _serve(distribution: Distribution, rank: int, size: int, ports: list[int], pipe: Connection) -> None:
    with _connected(distribution, rank, size, ports) as group:
        while True:
            pipe.send(train(pipe.recv(), group))


@contextmanager
def _connected(distribution: Distribution, rank: int, size: int, ports: list[int]) -> Iterator[WorkerGroup]:
    match distribution:
        case Distribution.TORCH:
            import torch

            torch.set_num_threads(1)
            address = f"tcp://127.0.0.1:{ports[0]}"
            torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=size)
            yield WorkerGroup(rank, size)
        case Distribution.LIGHTGBM:
            machines = ",".join(f"127.0.0.1:{port}" for port in ports)
            network = {"machines": machines, "num_machines": size, "local_listen_port": ports[rank]}
            yield WorkerGroup(rank, size, network)
        case Distribution.XGBOOST:
            from xgboost.collective import CommunicatorContext

            tracker = {"dmlc_tracker_uri": "127.0.0.1", "dmlc_tracker_port": ports[0]}
            with CommunicatorContext(dmlc_communicator="rabit", dmlc_task_id=str(rank), **tracker):
                yield WorkerGroup(rank, size)


def _start_tracker(size: int) -> int:
    """Start what XGBoost's processes find each other by; returns its port."""
    from xgboost import RabitTracker

    tracker = RabitTracker(n_workers=size, host_ip="127.0.0.1", sortby="task")
    tracker.start()
    threading.Thread(target=tracker.wait_for, daemon=True).start()
    return int(tracker.worker_args()["dmlc_tracker_port"])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
