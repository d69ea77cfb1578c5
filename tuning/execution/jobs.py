"""Studies as jobs of a cluster, by Ray's Jobs API over HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shlex
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)
from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE
from ray._private.runtime_env.packaging import GCS_STORAGE_MAX_SIZE
from ray.dashboard.modules.dashboard_sdk import SubmissionClient
from ray.dashboard.utils import ray_address_to_api_server_url
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from tuning.errors import ExecutionError, InputError

LARGEST_PACKAGE_BYTES = min(DASHBOARD_CLIENT_MAX_SIZE, GCS_STORAGE_MAX_SIZE)
"""What a head takes in one upload: the dashboard reads no larger request, the GCS no larger message."""

STOP_WAIT_S = 300
"""Time between SIGTERM and SIGKILL when a job is stopped, in which what runs writes its checkpoints."""

# Ray lets these override whatever address its client is given.
_ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
_DEFAULT_ADDRESS = "http://127.0.0.1:8265"
# They tell that authentication is on, of each upload, and of each log that ends.
_TALKATIVE = (
    maybe_enable_token_auth_if_token_available.__module__,
    SubmissionClient.__module__,
    JobSubmissionClient.__module__,
)
_ANSWER_S = 10.0
# For a request, which may bring a whole package.
_REQUEST_S = 120.0
_POLL_S = 0.5
_STUDY, _STORAGE = "tuning_study", "tuning_storage"


class JobState(StrEnum):
    """Where a job is; the words are Ray's."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobState.PENDING, JobState.RUNNING)


@dataclass(frozen=True)
class StudyJob:
    """One run of a study on a cluster.

    Attributes:
        id: Ray's submission id, `<study>.<number>`.
        study: name of the study.
        storage: folder of the studies on the cluster, or a URI.
        state: where it is.
        started_at: when it was submitted, in UTC.
        ended_at: when it ended; None while it lives.
        exit_code: of its `tuning` command; None while it lives, and where a signal ended it.
        message: what Ray says of its state.
    """

    id: str
    study: str
    storage: str
    state: JobState
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    message: str


class _Client(JobSubmissionClient):  # type: ignore[misc]
    """Gives up on a dashboard that takes a request and does not answer; Ray's own client waits for ever."""

    def _do_request(self, method: str, endpoint: str, **rest: Any) -> Any:
        return super()._do_request(method, endpoint, timeout=(_ANSWER_S, _REQUEST_S), **rest)


class StudyJobs:
    """The studies' jobs of one cluster.

    Args:
        address: URL of the cluster's dashboard, `http://HOST:8265`; None: from RAY_API_SERVER_ADDRESS or
            RAY_ADDRESS, else this machine's.

    Raises:
        InputError: no dashboard answers there, or it wants a token that is missing here.
    """

    def __init__(self, address: str | None) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.ERROR)
        _follow_token_authentication()
        self.url = _find_dashboard(address)
        self._option = "" if address is None else f" --address {shlex.quote(address)}"
        with self._told(), _without_address_variables():
            _check_port(self.url)
            self._client = _Client(self.url)

    def all(self) -> list[StudyJob]:
        """Every study's job that the cluster remembers, the newest last."""
        with self._told():
            details = self._client.list_jobs()
        jobs = [_read(job) for job in details if job.submission_id and _STUDY in (job.metadata or {})]
        return sorted(jobs, key=lambda job: (job.started_at is None, job.started_at, job.id))

    def latest(self, study: str) -> StudyJob:
        """The last job of a study.

        Raises:
            InputError: the cluster knows none.
        """
        jobs = self.all()
        own = [job for job in jobs if job.study == study]
        if not own:
            known = ", ".join(dict.fromkeys(job.study for job in jobs)) or "none"
            raise InputError(f"The cluster at {self.url} has no job of a study {study}; it has: {known}.")
        return own[-1]

    def submit(
        self, study: str, storage: str, command: str, package: Path, runtime_env: Mapping[str, Any]
    ) -> StudyJob:
        """Start a job of a study.

        Args:
            study: name of the study.
            storage: folder of the studies on the cluster.
            command: for the head's shell.
            package: zip file with the job's working directory, at most `LARGEST_PACKAGE_BYTES`.
            runtime_env: further entries of Ray's runtime environment; `env_vars` reach driver and trials.

        Raises:
            InputError: a job of this study lives, or the package is too large.
        """
        _check_size(package)
        own = [job for job in self.all() if job.study == study]
        for job in own:
            if not job.state.is_over:
                target = f"{study}{self._option}"
                raise InputError(
                    f"The study {study} is {job.state.lower()} as job {job.id} on {self.url}; "
                    f"see 'tuning logs {target}', or end it by 'tuning stop {target}'."
                )
        env_vars = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), **runtime_env.get("env_vars", {})}
        with self._told():
            self._client.submit_job(
                entrypoint=command,
                submission_id=f"{study}.{_next_number(own)}",
                metadata={_STUDY: study, _STORAGE: storage, "job_name": study},
                runtime_env={**runtime_env, "working_dir": str(package), "env_vars": env_vars},
            )
        return self.latest(study)

    def logs(self, job: StudyJob) -> str:
        """All that a job has written until now."""
        with self._told():
            return str(self._client.get_job_logs(job.id))

    def follow(self, job: StudyJob) -> Iterator[str]:
        """What a job has written and writes, in parts, until it ends."""
        parts = self._client.tail_job_logs(job.id)

        async def next_part() -> str | None:
            return await anext(parts, None)

        with self._told(), asyncio.Runner() as loop:
            while (part := loop.run(next_part())) is not None:
                yield part

    def stop(self, job: StudyJob) -> None:
        """Ask a job to end: its driver gets SIGTERM, and SIGKILL after `STOP_WAIT_S`."""
        with self._told():
            self._client.stop_job(job.id)

    def wait(self, job: StudyJob, timeout_s: float) -> StudyJob:
        """The job once it has ended, or as it is after the time."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            with self._told():
                job = _read(self._client.get_job_info(job.id))
            if job.state.is_over or time.monotonic() > deadline_s:
                return job
            time.sleep(_POLL_S)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures of the connection and of the cluster, in one sentence."""
        try:
            yield
        except AuthenticationError as error:
            raise InputError(
                f"The cluster at {self.url} refused the request ({_first_line(error)}); put its token into "
                "~/.ray/auth_token or RAY_AUTH_TOKEN."
            ) from error
        except (ConnectionError, OSError, ValueError) as error:
            # Requests' own errors are OSErrors too.
            raise InputError(
                f"--address: no Ray dashboard answers at {self.url} ({_first_line(error)}); give its URL, "
                "http://HOST:8265."
            ) from error
        except RuntimeError as error:
            raise ExecutionError(f"The cluster at {self.url} failed: {_first_line(error)}") from error


def _follow_token_authentication() -> None:
    """Turn it on where a token lies, as `ray start` does by itself."""
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def _find_dashboard(address: str | None) -> str:
    """The dashboard's URL; `auto` is the cluster that runs on this machine."""
    given = address or next(filter(None, map(os.environ.get, _ADDRESS_VARIABLES)), _DEFAULT_ADDRESS)
    if given == "auto":
        try:
            return str(ray_address_to_api_server_url("auto"))
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError("--address: no Ray cluster runs on this machine; give its URL.") from error
    url = given if "://" in given else f"http://{given}"
    if not re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?(/.*)?", url):
        raise InputError(f"--address: {given!r} is not the URL of a Ray dashboard, as in http://HOST:8265.")
    return url.rstrip("/")


def _check_port(url: str) -> None:
    """Fail within seconds where nothing listens; Ray's client would wait for minutes."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname or "", port), timeout=_ANSWER_S).close()


@contextmanager
def _without_address_variables() -> Iterator[None]:
    taken = {name: os.environ.pop(name) for name in _ADDRESS_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)


def _check_size(package: Path) -> None:
    size = package.stat().st_size
    if size > LARGEST_PACKAGE_BYTES:
        raise InputError(
            f"The study comes to {size / 2**20:.0f} MiB with its data, and a Ray cluster takes at most "
            f"{LARGEST_PACKAGE_BYTES / 2**20:.0f} MiB with a job; put the data where the cluster sees them, "
            "and name them by --cluster-data."
        )


def _next_number(jobs: Iterable[StudyJob]) -> int:
    """One more than the highest: a job that was deleted from the cluster leaves a gap."""
    return 1 + max((int(job.id.rpartition(".")[2]) for job in jobs), default=0)


def _read(details: Any) -> StudyJob:
    """A study's job from Ray's `JobDetails`."""
    metadata = details.metadata or {}
    return StudyJob(
        id=details.submission_id,
        study=metadata[_STUDY],
        storage=metadata.get(_STORAGE, ""),
        state=JobState(details.status.value),
        started_at=_time(details.start_time),
        ended_at=_time(details.end_time),
        exit_code=details.driver_exit_code,
        message=details.message or "",
    )


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
