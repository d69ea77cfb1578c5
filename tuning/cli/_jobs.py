"""`tuning jobs`, `logs`, `stop` and `await`: the studies that run on a cluster."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from tuning.cli._console import make_console
from tuning.config.duration import parse_duration_s
from tuning.errors import ConfigError, ExecutionError

if TYPE_CHECKING:
    from tuning.execution.jobs import StudyJob, StudyJobs

_INTERRUPTED = 130
_STOP_REPORT_S = 330.0

ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="URL",
        help="The cluster's dashboard, http://HOST:8265, or auto on the head itself "
        "[RAY_API_SERVER_ADDRESS, else RAY_ADDRESS, else http://127.0.0.1:8265].",
    ),
]
JobStudy = Annotated[str, typer.Argument(metavar="NAME", help="The study; 'tuning jobs' shows them.")]


def jobs(address: ClusterAddress = None) -> None:
    """List the studies that were submitted to a cluster, the newest last."""
    cluster = connect(address)
    table = Table("study", "job", "state", "since", "storage", "said last")
    for job in cluster.all():
        since = job.ended_at or job.started_at
        cells = (job.study, job.id, job.state.lower(), _local(since), job.storage, _said_last(cluster, job))
        table.add_row(*(Text(cell) for cell in cells))
    make_console(200).print(table)


def logs(
    name: JobStudy,
    wait: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on printing until the study ends, and end as it ends.")
    ] = False,
    address: ClusterAddress = None,
) -> None:
    """Print what a study's last job has written."""
    cluster = connect(address)
    job = cluster.latest(name)
    if wait:
        follow(cluster, job, address)
    else:
        typer.echo(cluster.logs(job), nl=False)


def stop(name: JobStudy, address: ClusterAddress = None) -> None:
    """End a study's job: what runs writes a checkpoint first, and the study can be resumed."""
    cluster = connect(address)
    job = cluster.latest(name)
    if job.state.is_over:
        typer.echo(f"The study {name} has ended already: job {job.id} {job.state.lower()}.", err=True)
        return
    cluster.stop(job)
    job = cluster.wait(job, _STOP_REPORT_S)
    if not job.state.is_over:
        raise ExecutionError(f"Job {job.id} was asked to end and has not yet; see 'tuning jobs'.")
    _tell_resume(job, address)


def await_gpus(
    gpus: Annotated[int, typer.Option("--gpus", metavar="N", min=1, help="Free GPUs to wait for.")],
    within: Annotated[str, typer.Option(metavar="15m", help="How long to wait.")] = "15m",
    address: Annotated[str, typer.Option(metavar="ADDR", help="auto or host:port.")] = "auto",
) -> None:
    """Wait until a cluster has so many free GPUs; an autoscaling one starts nodes for them.

    A study plans with the GPUs that are there when it starts: on a cluster without any, type this first.
    """
    try:
        timeout_s = parse_duration_s(within)
    except ValueError as error:
        raise ConfigError(f"--within: {error}.") from error
    from tuning.execution.gather import gather_gpus

    typer.echo(f"Waiting for {gpus} free GPUs, {within} at most.", err=True)
    gather_gpus(address, gpus, timeout_s)


def connect(address: str | None) -> StudyJobs:
    """The jobs of the cluster at an address."""
    from tuning.execution.jobs import StudyJobs

    return StudyJobs(address)


def follow(cluster: StudyJobs, job: StudyJob, address: str | None) -> None:
    """Print what a job writes until it ends, and end with its exit code."""
    try:
        for part in cluster.follow(job):
            sys.stdout.write(part)
            sys.stdout.flush()
        job = cluster.wait(job, timeout_s=10.0)
    except KeyboardInterrupt:
        stop_line = with_address(f"tuning stop {job.study}", address)
        typer.echo(f"\nThe study {job.study} goes on; end it with: {stop_line}", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    _end_as(job, address)


def _end_as(job: StudyJob, address: str | None) -> None:
    from tuning.execution.jobs import JobState

    if job.state is JobState.SUCCEEDED:
        return
    if job.state is JobState.STOPPED or job.exit_code == _INTERRUPTED:
        _tell_resume(job, address)
        raise typer.Exit(_INTERRUPTED)
    if not job.state.is_over:
        again = with_address(f"tuning logs {job.study} --follow", address)
        raise ExecutionError(f"The log of job {job.id} broke off, the study goes on; follow it with: {again}")
    if job.exit_code is None:
        raise ExecutionError(f"Job {job.id} is {job.state.lower()}: {job.message.strip()}")
    raise typer.Exit(job.exit_code)


def _tell_resume(job: StudyJob, address: str | None) -> None:
    line = with_address(f"tuning submit --resume {job.study}", address)
    typer.echo(f"The study {job.study} has ended ({job.state.lower()}). Go on with: {line}", err=True)


def with_address(command: str, address: str | None) -> str:
    """A command with the address that was given, for the user to type."""
    return command if address is None else f"{command} --address {shlex.quote(address)}"


def _local(time: datetime | None) -> str:
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def _said_last(cluster: StudyJobs, job: StudyJob) -> str:
    """The last line of a living job's log, which tells its progress; why an ended one failed."""
    if job.state.is_over:
        return job.message.strip().rpartition("\n")[2]
    return cluster.logs(job).strip().rpartition("\n")[2]
