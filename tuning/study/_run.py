"""The main job, from top to bottom: check, tune on Ray, score the winners on untouched rows, rank."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import optuna

from tuning.config import StudyConfig
from tuning.execution import WorkerContext, plan_shares, ray_cluster, run_session
from tuning.execution.search import FamilySearch
from tuning.leaderboard import Leaderboard, build_leaderboard
from tuning.progress import NullView, View
from tuning.session import Session, StudyFolder, write_atomically
from tuning.store import DriverLock, Status, Store, drop_torn_line
from tuning.study._bundle import export_bundle, save_transforms
from tuning.study._restore import score_on_test
from tuning.study._setup import PreparedStudy, StudyHeader
from tuning.trial import FoldRows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        leaderboard: every trial of the record, ranked.
        interrupted: a signal ended the run; the study can be resumed.
    """

    leaderboard: Leaderboard
    interrupted: bool


def run_study(study: PreparedStudy, view: View | None = None, *, new_time_budget: bool = False) -> Outcome:
    """Run a study that was set up or taken up, until its trials or its time are used up.

    Args:
        study: from `set_up` or `take_up`.
        view: where progress is shown.
        new_time_budget: the time budget counts from now; otherwise what earlier runs used is taken off.

    Raises:
        InputError: another process runs it, or the cluster cannot hold a trial.
    """
    view = view or NullView()
    started_s = time.monotonic()
    with DriverLock(study.folder.root), _quiet_optuna():
        drop_torn_line(study.folder.root)
        store = study.header.open_store(study.folder)
        store.finish_half_written()
        try:
            # Saving loads libraries for seconds; they are saved while Ray and its workers start.
            with ThreadPoolExecutor(max_workers=1) as pool:
                saved = pool.submit(save_transforms, study)
                interrupted = _tune(study, store, view, started_s, new_time_budget)
                saved.result()
            return Outcome(_conclude(study, store), interrupted)
        finally:
            store.close()


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Leave out Optuna's line for every study that it opens; the view tells what matters."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _tune(study: PreparedStudy, store: Store, view: View, started_s: float, new_time_budget: bool) -> bool:
    header, folder = study.header, study.folder
    config = header.config
    models = {family.name: family.load_model() for family in header.families}
    gpu_families = frozenset(name for name, model in models.items() if model.uses_gpu)
    with ray_cluster(config.address) as dashboard_url:
        shares = plan_shares(config.resources, bool(gpu_families))
        session = Session(
            config,
            header.families,
            store,
            folder,
            lambda family: FamilySearch(config.search, family, header.direction),
            slots=shares.max_concurrent,
            metric=header.metric,
        )
        spent_s = 0.0 if new_time_budget else session.spent_seconds / shares.max_concurrent
        budget_s = _time_left_s(config, spent_s)
        if budget_s is not None:
            session.set_time_budget(budget_s - (time.monotonic() - started_s))
        view.start(_headline(study, dashboard_url, shares.max_concurrent, shares.cpus, shares.gpus))
        try:
            return run_session(
                session,
                _worker_context(study, shares.threads),
                folder,
                shares,
                gpu_families,
                lambda: view.update(session.snapshot()),
            )
        finally:
            view.update(session.snapshot())
            view.stop()


def _worker_context(study: PreparedStudy, threads: int) -> WorkerContext:
    return WorkerContext(
        folds=tuple(FoldRows(fold.schema, fold.train, fold.valid) for fold in study.data.folds),
        task=study.header.task,
        metric=study.header.metric,
        study_folder=study.folder.root,
        stop_file=study.folder.stop_file,
        model_files={family.name: family.file for family in study.header.families},
        threads=threads,
    )


def _time_left_s(config: StudyConfig, spent_s: float) -> float | None:
    """What earlier runs left of the time budget, None without one."""
    budget_s = config.search.time_budget_s
    return None if budget_s is None else max(0.0, budget_s - spent_s)


def _conclude(study: PreparedStudy, store: Store) -> Leaderboard:
    """Score the best of each family on the test rows, once, and write the leaderboard and the bundle."""
    leaderboard = read_leaderboard(study.header, store, driven=False)
    for row in leaderboard.rows:
        if row.best_of_family and row.test is None and len(study.data.folds[0].test):
            record = store.trial(row.model, row.number)
            store.set_test(row.model, row.number, score_on_test(study, record))
    leaderboard = read_leaderboard(study.header, store, driven=False)
    write_leaderboard(leaderboard, study.folder)
    if leaderboard.rows and leaderboard.rows[0].rank == 1:
        best = leaderboard.rows[0]
        export_bundle(study, store.trial(best.model, best.number))
    return leaderboard


def read_leaderboard(header: StudyHeader, store: Store, *, driven: bool | None = None) -> Leaderboard:
    """The ranked trials, from the record."""
    records = store.trials(driven=driven)
    return build_leaderboard(header.config.name, header.task.value, header.metric, header.direction, records)


def write_leaderboard(leaderboard: Leaderboard, folder: StudyFolder) -> None:
    """Write leaderboard.json and leaderboard.csv."""
    write_atomically(folder.leaderboard_json, leaderboard.to_json())
    write_atomically(folder.leaderboard_csv, leaderboard.to_csv())


def all_failed(leaderboard: Leaderboard) -> bool:
    """Whether trials ended, and none of them with a score that ranks."""
    ended = [row for row in leaderboard.rows if row.status is not Status.RUNNING]
    return bool(ended) and all(row.rank is None for row in ended)


def _headline(
    study: PreparedStudy, dashboard_url: str | None, slots: int, cpus: float, gpus: float
) -> Sequence[str]:
    header, fold = study.header, study.data.folds[0]
    share = f"{cpus:g} CPU" + (f" + {gpus:.3g} GPU" if gpus else "")
    lines = [
        f"Study {header.config.name}: {header.task} of {header.config.data.target}, "
        f"{header.metric} ({header.direction}), {', '.join(family.name for family in header.families)}",
        f"Rows: {len(fold.train)} train, {len(fold.valid)} valid, {len(fold.test)} test"
        + (f", {len(study.data.folds)} folds" if len(study.data.folds) > 1 else ""),
        f"{slots} trials at once, {share} each; results in {study.folder.root}",
        *study.data.notes,
    ]
    return [*lines, f"Ray dashboard: {dashboard_url}"] if dashboard_url else lines
