"""The main job, from top to bottom: check, tune on Ray, score the winners on untouched rows, rank."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import optuna

from tuning.errors import BusyError, DiskFullError, StorageError
from tuning.execution import (
    Fit,
    Node,
    Shares,
    StudyMetrics,
    WorkerContext,
    check_nodes,
    cluster_nodes,
    plan_within_memory,
    ray_cluster,
    run_session,
)
from tuning.execution.search import FamilySearch
from tuning.leaderboard import Leaderboard
from tuning.models import ModelClass
from tuning.monitoring import FollowedStudy, Monitor, open_monitors
from tuning.progress import NullView, View
from tuning.session import Session, StudyFolder, told_place
from tuning.storage import full_disk_told
from tuning.store import Store, drop_torn_line
from tuning.study._clock import RunClock, next_budget_s
from tuning.study._conclude import conclude
from tuning.study._memory import expected_rows_gib
from tuning.study._saving import TransformsSaving
from tuning.study._setup import PreparedStudy
from tuning.trial import FoldRows

_ONE = threading.RLock()

NOTHING_LEFT = "nothing left to do: give --trials or --time-budget"


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        leaderboard: every trial of the record, ranked.
        interrupted: a signal ended the run; the study can be resumed.
        notice: what to tell the user beside the leaderboard, None mostly.
    """

    leaderboard: Leaderboard
    interrupted: bool
    notice: str | None = None


def run_study(
    study: PreparedStudy,
    view: View | None = None,
    *,
    new_time_budget: bool = False,
    new_trials: bool = False,
) -> Outcome:
    """Run a study that was set up or taken up, until its trials or its time are used up.

    Args:
        study: from `set_up` or `take_up`.
        view: where progress is shown.
        new_time_budget: the time budget was given for this run, and counts from now; otherwise the run
            has what the one before left of its own.
        new_trials: a number of trials was given for this run; it lifts a time budget that is used up.

    Raises:
        InputError: another process runs it, another thread runs any, or the cluster cannot hold a trial.
        DiskFullError: nothing more can be written.
    """
    with (
        one_at_a_time(study.folder.name),
        _way_back(study.folder),
        study.folder.lock() as lock,
        _quiet_optuna(),
        _open_record(study) as store,
        open_monitors(study.header.config.monitoring, _followed(study)) as monitors,
    ):
        budget_s = study.header.config.search.time_budget_s
        clock = RunClock(
            store,
            next_budget_s(store.runs(), budget_s, new_budget=new_time_budget, more_trials=new_trials),
        )
        _catch_up(monitors, store)
        session, interrupted = _tune(study, store, view or NullView(), clock, monitors, lock.check)
        if session.disk_full is not None:
            raise session.disk_full
        leaderboard = conclude(study, store)
        _catch_up(monitors, store)
        clock.end()
    nothing_done = session.started == 0 and not interrupted
    return Outcome(leaderboard, interrupted, NOTHING_LEFT if nothing_done else None)


@contextmanager
def one_at_a_time(study: str) -> Iterator[None]:
    """Keep other threads of this process from running a study during the block, which may run one itself.

    Ray Tune and Optuna keep what they know of a run for the whole process, where two would mix.

    Raises:
        BusyError: another thread does.
    """
    if not _ONE.acquire(blocking=False):
        raise BusyError(
            f"{study}: another thread of this process runs a study, and one process runs one at a time: wait "
            "for its end, or start this one in a process of its own."
        )
    try:
        yield
    finally:
        _ONE.release()


@contextmanager
def _way_back(folder: StudyFolder) -> Iterator[None]:
    """Say how to go on where the object store was lost, or a disk was full, during the block."""
    try:
        with full_disk_told(folder.root):
            yield
    except DiskFullError as error:
        raise DiskFullError(
            f"{error} No trial failed of it, and what was recorded is safe: free some room, then type "
            f"{folder.command('resume')}."
        ) from error
    except StorageError as error:
        raise StorageError(
            f"{error} What was recorded is safe: when the store is back, type {folder.command('resume')}."
        ) from error


@contextmanager
def _open_record(study: PreparedStudy) -> Iterator[Store]:
    """The study's record, put right after a kill, with room for every family."""
    drop_torn_line(study.folder.root)
    with study.header.open_store(study.folder) as store:
        store.finish_half_written()
        for family in study.header.families:
            store.add_family(family.name)
        study.header.check_identity(store)
        store.set_study(study.header.identity)
        yield store


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Leave out Optuna's line for every study that it opens; the view tells what matters."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _followed(study: PreparedStudy) -> FollowedStudy:
    header = study.header
    return FollowedStudy(header.config.name, header.metric, header.created_at, study.folder.root)


def _catch_up(monitors: Sequence[Monitor], store: Store) -> None:
    """Have the monitors show what the record holds; nothing runs now."""
    if monitors:
        records = store.trials(driven=False)
        for monitor in monitors:
            monitor.catch_up(records)


def _tune(
    study: PreparedStudy,
    store: Store,
    view: View,
    clock: RunClock,
    monitors: Sequence[Monitor],
    check_lock: Callable[[], None],
) -> tuple[Session, bool]:
    """Run the study's trials on Ray; the session at its end, and whether a signal ended it."""
    config, folder = study.header.config, study.folder
    models = {family.name: family.load_model() for family in study.header.families}
    with ray_cluster(config.address, config.name) as place, told_place(folder, place):
        check_nodes(folder)
        fit = _divide(study, models)
        shares = fit.shares
        session = _open_session(study, store, shares, models, monitors)
        if clock.left_s is not None:
            session.set_time_budget(clock.left_s)
        context = _worker_context(study, shares, models)
        headline = _headline(study, place.dashboard_url, shares, context)
        view.start([*headline, *fit.notices])
        metrics = StudyMetrics(config.name)
        saving = TransformsSaving(study)

        def on_tick() -> None:
            check_lock()
            saving.begin()
            clock.tick()
            snapshot = session.snapshot()
            view.update(snapshot)
            if metrics.is_due():
                metrics.update(snapshot)

        try:
            interrupted = run_session(session, context, folder, shares, _on_gpus(models), on_tick)
        finally:
            clock.save()
            snapshot = session.snapshot()
            view.update(snapshot)
            metrics.update(snapshot)
            view.stop()
    saving.wait()
    return session, interrupted


def _open_session(
    study: PreparedStudy,
    store: Store,
    shares: Shares,
    models: Mapping[str, ModelClass],
    monitors: Sequence[Monitor],
) -> Session:
    header, config = study.header, study.header.config
    return Session(
        config,
        header.families,
        store,
        study.folder,
        lambda family: FamilySearch(config.search, family, header.direction),
        slots=shares.max_concurrent,
        metric=header.metric,
        gpu_families=_on_gpus(models),
        gpu_slots=shares.gpu_slots,
        trials_per_gpu=shares.trials_per_gpu,
        monitors=monitors,
    )


def _on_gpus(models: Mapping[str, ModelClass]) -> frozenset[str]:
    """The families that use a GPU."""
    return frozenset(name for name, model in models.items() if model.uses_gpu)


def _divide(study: PreparedStudy, models: Mapping[str, ModelClass]) -> Fit:
    """What each trial gets of the cluster, and how many run at once."""
    nodes, on_gpus = cluster_nodes(), _on_gpus(models)
    fit = plan_within_memory(
        study.header.config.resources,
        nodes,
        expected_rows_gib(study, models),
        uses_gpu=bool(on_gpus),
        only_gpu=len(on_gpus) == len(models),
    )
    return replace(fit, notices=(*fit.notices, *_nodes_to_come(nodes)))


def _worker_context(study: PreparedStudy, shares: Shares, models: Mapping[str, ModelClass]) -> WorkerContext:
    groups = {
        name: shares.group(uses_gpu=model.uses_gpu)
        for name, model in models.items()
        if shares.workers > 1 and model.distribution is not None
    }
    return WorkerContext(
        folds=tuple(FoldRows(fold.schema, fold.train, fold.valid) for fold in study.data.folds),
        task=study.header.task,
        metric=study.header.metric,
        folder=study.folder,
        model_files={family.name: family.file for family in study.header.families},
        threads=shares.threads,
        groups=groups,
    )


def _headline(
    study: PreparedStudy, dashboard_url: str | None, shares: Shares, context: WorkerContext
) -> Sequence[str]:
    header, fold = study.header, study.data.folds[0]
    share = f"{shares.cpus:g} CPU" + (f" + {shares.gpus:.3g} GPU" if shares.gpus else "")
    if shares.workers > 1:
        share = f"{shares.workers} workers of {share}"
    reason = f" ({shares.gpu_reason})" if shares.gpu_reason else ""
    lines = [
        f"Study {header.config.name}: {header.task} of {header.config.data.target}, "
        f"{header.metric} ({header.direction}), {', '.join(family.name for family in header.families)}",
        f"Rows: {len(fold.train)} train, {len(fold.valid)} valid, {len(fold.test)} test"
        + (f", {len(study.data.folds)} folds" if len(study.data.folds) > 1 else ""),
        f"{_at_once(shares)}, {share} each{reason}; results in {study.folder}",
        *_lone_families(study, shares, context),
        *study.data.notes,
    ]
    return [*lines, f"Ray dashboard: {dashboard_url}"] if dashboard_url else lines


def _at_once(shares: Shares) -> str:
    return "1 trial at once" if shares.max_concurrent == 1 else f"{shares.max_concurrent} trials at once"


def _nodes_to_come(nodes: Sequence[Node]) -> Sequence[str]:
    """What is waited for on a cluster that scales from nothing."""
    if any(node.cpus for node in nodes):
        return ()
    return ("The cluster has no node for trials yet; they start, more at once, as nodes join.",)


def _lone_families(study: PreparedStudy, shares: Shares, context: WorkerContext) -> Sequence[str]:
    """Who is trained by one worker although several were asked for."""
    lone = [family.name for family in study.header.families if family.name not in context.groups]
    if shares.workers == 1 or not lone:
        return ()
    names = ", ".join(lone)
    return (f"One worker with {shares.cpus_alone:g} CPU trains {names}: they cannot be distributed.",)
