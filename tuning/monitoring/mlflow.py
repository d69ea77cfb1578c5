"""MLflow: one run per trial, in an experiment named after the study."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from tuning.config.url import mask_password
from tuning.errors import ConfigError
from tuning.monitoring._base import FollowedStudy, final_scalars, iteration_scalars, test_scalars
from tuning.store import Status, TrialRecord
from tuning.surroundings import environment, log_levels
from tuning.trial import Report, TrialSpec

T = TypeVar("T")

ARTIFACTS = "mlflow"
BEST = "best"
STUDY_TAG, TRIAL_TAG, STATUS_TAG = "tuning.study", "tuning.trial", "status"

_RUN_STATUS = {
    Status.COMPLETED: "FINISHED",
    Status.PRUNED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.DIVERGED: "FAILED",
    Status.INTERRUPTED: "KILLED",
}
_DONE = frozenset({"FINISHED", "FAILED"})
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SEND_EVERY_S = 1.0
_MOST_METRICS, _MOST_PARAMS, _MOST_RUNS = 1000, 100, 1000
_LONGEST_TEXT = 5000
# MLflow's own patience is minutes a request. Its usage statistics are nobody's business here.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

# What fails in the end is told once, by whoever asked.
_LOG_LEVELS = {"mlflow": logging.WARNING, "alembic": logging.WARNING, "urllib3": logging.ERROR}
_LONGEST_REASON = 120


@contextmanager
def surroundings() -> Iterator[None]:
    """Give MLflow little patience and few words for the block; what the user has set stays."""
    unset = {name: value for name, value in _SETTINGS.items() if name not in os.environ}
    with environment(unset), log_levels(_LOG_LEVELS):
        yield


def connect(uri: str) -> MlflowClient:
    """A client of the tracking server or database that answers.

    Raises:
        ConfigError: it does not, or MLflow refuses the URI.
    """
    try:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        reason = mask_password(str(error).strip().splitlines()[0])[:_LONGEST_REASON]
        raise ConfigError(
            f"monitoring.mlflow: {mask_password(uri)} does not answer ({reason}); "
            "start the server, give another URI (sqlite:////path/mlflow.db), or none."
        ) from error
    return client


@dataclass
class _RunState:
    """What MLflow has of one trial.

    Attributes:
        run: id of its run.
        is_done: the trial's end was written, whole.
        has_test: its test metrics were.
        iterations: that its curve has; None: not asked yet.
        pending: metrics that were not sent yet.
        sent_s: when metrics were sent last.
    """

    run: str
    is_done: bool = False
    has_test: bool = False
    iterations: set[int] | None = None
    pending: list[Metric] = field(default_factory=list)
    sent_s: float = 0.0


class MlflowMonitor:
    """Logs hyperparameters, the score by iteration, metrics, times, the state and the best checkpoint.

    A run belongs to a trial by its tags, so a resumed study goes on in the same runs.

    Args:
        uri: of the tracking server or database.
        study: what is followed.

    Raises:
        ConfigError: the server does not answer, or has the study's experiment among the deleted.
    """

    def __init__(self, uri: str, study: FollowedStudy) -> None:
        self._study = study
        self._identity = f"{study.name} {study.created_at}"
        self._client = connect(uri)
        self._experiment = _experiment(self._client, uri, study)
        self._trials = {run.data.tags[TRIAL_TAG]: _state(run) for run in self._runs()}

    def catch_up(self, records: Sequence[TrialRecord]) -> None:
        for record in records:
            state = self._trials.get(record.id)
            if state is None or not state.is_done:
                self.end(record)
            elif record.test and not state.has_test:
                self._log_test(state, record)

    def start(self, spec: TrialSpec) -> None:
        if spec.id not in self._trials:
            self._create(spec.id, spec.model, spec.params, _now_ms())
        elif spec.attempt > 1:
            self._client.update_run(self._trials[spec.id].run, status="RUNNING")

    def report(self, spec: TrialSpec, report: Report) -> None:
        if report.value is None:
            return
        state = self._trials.get(spec.id) or self._create(spec.id, spec.model, spec.params, _now_ms())
        self._add(state, report.iteration, iteration_scalars(self._study.metric, report))
        if time.monotonic() - state.sent_s >= _SEND_EVERY_S:
            self._send(state)

    def end(self, record: TrialRecord) -> None:
        """Write a trial's end; the run's status is last, so that a half-written end is written again."""
        state = self._trials.get(record.id) or self._create(
            record.id, record.model, record.params, _ms(record.started_at)
        )
        for iteration, value in record.values.items():
            self._add(state, iteration, {f"iteration/{self._study.metric}": value})
        if record.status.is_finished:
            state.pending += _metrics(final_scalars(record), record.iterations)
        self._send(state)
        self._client.log_batch(state.run, tags=_tags(record))
        if record.status.is_finished and record.checkpoint is not None:
            with suppress(FileNotFoundError):  # Trials that ended since have beaten it, and it is not kept.
                self._client.log_artifacts(state.run, str(self._study.folder / record.checkpoint), BEST)
        if record.test and not state.has_test:
            self._log_test(state, record)
        self._client.set_terminated(state.run, _RUN_STATUS[record.status], _ms(record.ended_at))
        state.is_done = record.status.is_finished

    def close(self) -> None:
        """Nothing is left open."""

    def _runs(self) -> Iterator[Run]:
        """The study's runs, of this run of it and earlier ones."""
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment],
                filter_string=f"tags.`{STUDY_TAG}` = '{self._identity}'",
                run_view_type=ViewType.ACTIVE_ONLY,
                max_results=_MOST_RUNS,
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _create(self, trial: str, model: str, params: Mapping[str, Any], started_ms: int) -> _RunState:
        tags = {STUDY_TAG: self._identity, TRIAL_TAG: trial, "tuning.model": model, STATUS_TAG: "running"}
        run = self._client.create_run(self._experiment, started_ms, tags, run_name=trial)
        state = self._trials[trial] = _RunState(run.info.run_id, iterations=set())
        entries = [Param(name, str(value)[:_LONGEST_TEXT]) for name, value in params.items()]
        for some in _in_batches(entries, _MOST_PARAMS):
            self._client.log_batch(state.run, params=some)
        return state

    def _add(self, state: _RunState, iteration: int, scalars: Mapping[str, float]) -> None:
        """Put an iteration's metrics in line, once."""
        if state.iterations is None:
            history = self._client.get_metric_history(state.run, f"iteration/{self._study.metric}")
            state.iterations = {metric.step for metric in history}
        if iteration not in state.iterations:
            state.iterations.add(iteration)
            state.pending += _metrics(scalars, iteration)

    def _send(self, state: _RunState) -> None:
        for some in _in_batches(state.pending, _MOST_METRICS):
            self._client.log_batch(state.run, metrics=some)
        state.pending.clear()
        state.sent_s = time.monotonic()

    def _log_test(self, state: _RunState, record: TrialRecord) -> None:
        self._client.log_batch(state.run, metrics=_metrics(test_scalars(record), record.iterations))
        state.has_test = True


def _experiment(client: MlflowClient, uri: str, study: FollowedStudy) -> str:
    """Id of the experiment of the study's name, made where there is none."""
    known = client.get_experiment_by_name(study.name)
    if known is not None and known.lifecycle_stage == "deleted":
        raise ConfigError(
            f"monitoring.mlflow: the experiment {study.name} is among MLflow's deleted ones; "
            "restore it there, or give the study another --name."
        )
    if known is not None:
        return str(known.experiment_id)
    # A server knows where its artifacts lie; with a bare database MLflow would take the working directory.
    is_database = uri.split(":")[0].split("+")[0] in _DATABASES
    location = (study.folder / ARTIFACTS).as_uri() if is_database else None
    return str(client.create_experiment(study.name, artifact_location=location))


def _state(run: Run) -> _RunState:
    has_test = any(name.startswith("test/") for name in run.data.metrics)
    return _RunState(run.info.run_id, run.info.status in _DONE, has_test)


def _tags(record: TrialRecord) -> list[RunTag]:
    tags = {
        STATUS_TAG: record.status.value,
        "attempts": str(record.attempts),
        "node": record.placement.node,
        "device": record.placement.device,
        "error": (record.error or "")[-_LONGEST_TEXT:],
    }
    return [RunTag(name, value) for name, value in tags.items() if value]


def _metrics(scalars: Mapping[str, float], step: int) -> list[Metric]:
    now_ms = _now_ms()
    return [Metric(name, value, now_ms, step) for name, value in scalars.items()]


def _in_batches(entries: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (entries[start : start + size] for start in range(0, len(entries), size))


def _now_ms() -> int:
    return int(time.time() * 1000)


def _ms(moment: datetime | None) -> int:
    return _now_ms() if moment is None else int(moment.timestamp() * 1000)
