"""`tuning submit`: a study as a job of a cluster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuning.cli._configure import configure, name_stem
from tuning.cli._jobs import ClusterAddress, connect, follow, with_address
from tuning.cli._options import (
    PLACE_PANEL,
    CpusPerTrial,
    GpusPerTrial,
    MaxConcurrent,
    WorkersPerTrial,
    given,
    number_or_text,
)
from tuning.config import StudyConfig
from tuning.errors import ConfigError, InputError
from tuning.paths import from_home

if TYPE_CHECKING:
    from tuning.execution.jobs import StudyJobs

_SENT_PANEL = "What is sent"
_SEARCH_PANEL = "How much to search"
# What `tuning resume` can change; anything else of a study stays as it began.
_RESUMABLE = {
    "search.trials": "--trials",
    "search.total_trials": "--total-trials",
    "search.time_budget_s": "--time-budget",
    "resources.max_concurrent": "--max-concurrent",
    "resources.cpus_per_trial": "--cpus-per-trial",
    "resources.gpus_per_trial": "--gpus-per-trial",
    "resources.workers_per_trial": "--workers-per-trial",
}


def submit(
    study_file: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.yaml]", help="Study file; options override its entries.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Go on with this study of the cluster instead, as 'tuning resume'."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Data file here. It is sent, and kept beside the studies, so that they can be resumed.",
            rich_help_panel=_SENT_PANEL,
        ),
    ] = None,
    cluster_data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Data file that the cluster's head sees under this absolute path. It is not sent.",
            rich_help_panel=_SENT_PANEL,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="Environment variable of the study and its trials, with its value here if none is given.",
            rich_help_panel=_SENT_PANEL,
        ),
    ] = None,
    send_code: Annotated[
        bool,
        typer.Option(
            "--send-code/--installed-code",
            help="Run this installation's code, or the one that is installed on the cluster.",
            rich_help_panel=_SENT_PANEL,
        ),
    ] = True,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Have every node install the libraries in the versions found here: for a cluster that "
            "has Ray alone. Takes minutes once a node.",
            rich_help_panel=_SENT_PANEL,
        ),
    ] = False,
    target: Annotated[str | None, typer.Option(metavar="COL", help="Column to predict.")] = None,
    metric: Annotated[str | None, typer.Option(metavar="M", help="As in 'tuning run'.")] = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="A,B|all",
            help="Families, or paths of your own model files here, which are sent.",
            rich_help_panel=_SEARCH_PANEL,
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trials per family.", rich_help_panel=_SEARCH_PANEL)
    ] = None,
    total_trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trials over all families.", rich_help_panel=_SEARCH_PANEL)
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(metavar="10m", help="Wall time.", rich_help_panel=_SEARCH_PANEL)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="0", help="Seed of everything.", rich_help_panel=_SEARCH_PANEL)
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the study [the data file's and the time].",
            rich_help_panel=PLACE_PANEL,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Where the cluster keeps the studies: an absolute path or ~/path that all of its nodes see, "
            "or a URI [~/tuning-studies, which is enough where the head is the only node].",
            rich_help_panel=PLACE_PANEL,
        ),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Begin once the cluster has N free GPUs; an autoscaling one starts nodes for them.",
            rich_help_panel=PLACE_PANEL,
        ),
    ] = None,
    max_concurrent: MaxConcurrent = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    workers_per_trial: WorkersPerTrial = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY.PATH=VALUE", help="Any entry of a study file, as in 'tuning run'."
        ),
    ] = None,
    address: ClusterAddress = None,
    wait: Annotated[
        bool, typer.Option("--follow", "-f", help="Print what the study writes, and end as it ends.")
    ] = False,
) -> None:
    """Send a study to a cluster, where it runs as a job of its own.

    The study is checked here, then sent with its data and its own model files:

        tuning submit study.yaml --address http://HOST:8265

        tuning submit study.yaml --cluster-data /mnt/data/big.parquet --storage /mnt/studies --gpus 8

    This machine may then be switched off. 'tuning jobs', 'tuning logs NAME' and 'tuning stop NAME' look
    after the study, and a stopped one goes on with:

        tuning submit --resume NAME
    """
    options = given(
        {
            "data.path": _data_path(data, cluster_data),
            "data.target": target,
            "metric": metric,
            "models": models,
            "search.trials": trials,
            "search.total_trials": total_trials,
            "search.time_budget_s": time_budget,
            "search.seed": seed,
            "name": name,
            "storage.folder": storage,
            "resources.max_concurrent": max_concurrent,
            "resources.cpus_per_trial": cpus_per_trial,
            "resources.gpus_per_trial": number_or_text(gpus_per_trial),
            "resources.workers_per_trial": workers_per_trial,
        }
    )
    runtime_env = _runtime_env(env or [], install=install)
    if resume is None:
        config = configure(study_file and from_home(study_file), options, {}, settings or [], _timed_name)
        study = config.name
        jobs = _send_study(
            config, address, runtime_env, gpus, send_data=not cluster_data, send_code=send_code
        )
    else:
        if study_file or settings or cluster_data:
            raise ConfigError(
                "--resume: a study goes on as it began; leave out STUDY.yaml, --set and --cluster-data."
            )
        study = resume
        jobs = _send_resume(resume, options, address, runtime_env, gpus, data, send_code=send_code)
    _tell(jobs, study, address)
    if wait:
        follow(jobs, jobs.latest(study), address)


def _data_path(data: Path | None, cluster_data: str | None) -> str | None:
    if cluster_data is None:
        return None if data is None else str(from_home(data).absolute())
    if data is not None:
        raise ConfigError("--cluster-data: these data are not sent, those of --data are: give one of them.")
    if not cluster_data.startswith("/"):
        raise ConfigError(f"--cluster-data: this is an absolute path on the cluster, not {cluster_data!r}.")
    return cluster_data


def _timed_name(raw: Mapping[str, Any]) -> str:
    """`abalone-20300131-235959`: which names are taken on the cluster cannot be seen from here."""
    return f"{name_stem(raw)}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _send_study(
    config: StudyConfig,
    address: str | None,
    runtime_env: Mapping[str, Any],
    gpus: int | None,
    *,
    send_data: bool,
    send_code: bool,
) -> StudyJobs:
    from tuning.submission import (
        DEFAULT_PLACE,
        check_place,
        check_study,
        check_urls,
        pack_study,
        run_command,
    )

    named = "folder" in config.storage.model_fields_set
    place = check_place(config.storage.folder if named else DEFAULT_PLACE)
    check_urls(config)
    check_study(config, has_data=send_data)
    jobs = connect(address)
    with tempfile.TemporaryDirectory(prefix="tuning-") as scratch:
        target = Path(scratch) / "study.zip"
        package = pack_study(config, target, send_data=send_data, send_code=send_code)
        jobs.submit(config.name, place, run_command(package, place, gpus=gpus), package.file, runtime_env)
    return jobs


def _send_resume(
    name: str,
    options: Mapping[str, Any],
    address: str | None,
    runtime_env: Mapping[str, Any],
    gpus: int | None,
    data: Path | None,
    *,
    send_code: bool,
) -> StudyJobs:
    from tuning.submission import check_place, pack_resume, resume_command

    words = _resume_options(options)
    jobs = connect(address)
    place = check_place(str(options.get("storage.folder") or jobs.latest(name).storage))
    families = [family.strip() for family in options.get("models", "").split(",") if family.strip()]
    with tempfile.TemporaryDirectory(prefix="tuning-") as scratch:
        package = pack_resume(families, data, Path(scratch) / "study.zip", send_code=send_code)
        command = resume_command(name, package, place, words, gpus=gpus)
        jobs.submit(name, place, command, package.file, runtime_env)
    return jobs


def _resume_options(options: Mapping[str, Any]) -> list[str]:
    """The options of `tuning resume` on the cluster, as words."""
    known = {*_RESUMABLE, "models", "storage.folder", "data.path"}
    for key in options:
        if key not in known:
            raise ConfigError(
                f"--resume: a study goes on as it began; {key} cannot be changed, but {_listed()} can."
            )
    return [
        word for key, option in _RESUMABLE.items() if key in options for word in (option, str(options[key]))
    ]


def _listed() -> str:
    return ", ".join([*_RESUMABLE.values(), "--models"])


def _runtime_env(variables: Sequence[str], *, install: bool) -> dict[str, Any]:
    """Entries of Ray's runtime environment."""
    entries: dict[str, Any] = {"env_vars": dict(_variable(text) for text in variables)}
    if install:
        from tuning.versions import pinned_requirements

        entries["pip"] = pinned_requirements()
    return entries


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        if name not in os.environ:
            raise InputError(f"--env {name}: it has no value here; export it, or write --env {name}=VALUE.")
        value = os.environ[name]
    return name, value


def _tell(jobs: StudyJobs, study: str, address: str | None) -> None:
    job = jobs.latest(study)
    typer.echo(job.id)
    typer.echo(
        f"The study {study} runs as job {job.id} on {jobs.url}, in {job.storage}. Look after it with:\n"
        f"  {with_address(f'tuning logs {study} --follow', address)}\n"
        f"  {with_address(f'tuning stop {study}', address)}",
        err=True,
    )
