"""Studies driven without Ray: real trials in a plain loop, and a record that can be killed at any write."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.trial.rows import PROBE, RMSE, small_folds
from tuning.config import StudyConfig, validate_config
from tuning.execution.search import FamilySearch
from tuning.families import Family, resolve_families
from tuning.metrics import Direction
from tuning.models import Task
from tuning.monitoring import Monitor
from tuning.session import Session, StudyFolder
from tuning.store import Result, Status, Store, TrialRecord
from tuning.trial import FoldRows, Report, TrialLoop, TrialSpec

ROWS = small_folds()


class Killed(BaseException):
    """Stands for a SIGKILL of the driver."""


class MortalStore(Store):
    """A record whose process is killed instead of its `lives`-th write."""

    lives = 10**9

    def _spend(self) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise Killed

    def create(self, *args: Any, **kwargs: Any) -> int:
        self._spend()
        return super().create(*args, **kwargs)

    def report(self, *args: Any, **kwargs: Any) -> float:
        self._spend()
        return super().report(*args, **kwargs)

    def set_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self._spend()
        super().set_checkpoint(*args, **kwargs)

    def finish(self, *args: Any, **kwargs: Any) -> None:
        self._spend()
        super().finish(*args, **kwargs)

    def _close(self, *args: Any, **kwargs: Any) -> None:
        self._spend()
        super()._close(*args, **kwargs)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Study:
    """A study folder, and sessions on it one after another, as runs of a driver are."""

    metric = RMSE

    def __init__(self, storage: Path, families: tuple[Family, ...] = (), **sections: Any) -> None:
        raw = {
            "name": "demo",
            "data": {"path": "none.csv", "target": "y"},
            "models": [PROBE],
            "pruning": {"max_iterations": 9},
            "search": {"trials": 6, "startup_trials": 3},
        }
        self.config: StudyConfig = validate_config(raw | sections, "study.yaml")
        self.families = families or resolve_families([PROBE], Task.REGRESSION, {})
        self.folder = StudyFolder(storage, "demo")
        self.folder.root.mkdir(parents=True, exist_ok=True)
        self.store: Store = self.open_store()

    def open_store(self) -> MortalStore:
        return MortalStore(self.folder.root, None, "demo", Direction.MINIMIZE)

    def begin(
        self,
        lives: int = 10**9,
        clock: Callable[[], float] = time.monotonic,
        gpu_families: Collection[str] = (),
        gpu_slots: int | None = None,
        trials_per_gpu: int = 1,
        monitors: Sequence[Monitor] = (),
    ) -> Session:
        """A new driver: a fresh view of the record, and a session on it."""
        store = self.open_store()
        store.finish_half_written()
        store.lives = lives
        self.store = store
        return Session(
            self.config,
            self.families,
            store,
            self.folder,
            lambda family: FamilySearch(self.config.search, family, Direction.MINIMIZE),
            clock=clock,
            gpu_families=gpu_families,
            gpu_slots=gpu_slots,
            trials_per_gpu=trials_per_gpu,
            monitors=monitors,
        )

    def drive(self, session: Session, *, slots: int = 1, rows: tuple[FoldRows, ...] = ROWS) -> None:
        """Run real trials in turns until the session is over."""
        for _ in self.reports(session, slots=slots, rows=rows):
            pass

    def reports(
        self, session: Session, *, slots: int = 1, rows: tuple[FoldRows, ...] = ROWS
    ) -> Iterator[Report]:
        live: dict[str, tuple[TrialSpec, TrialLoop]] = {}
        models = {family.name: family.load_model() for family in self.families}
        stop_file = self.folder.stop_file
        while not session.is_over():
            while len(live) < slots and (spec := session.next_trial()) is not None:
                loop = TrialLoop(
                    spec,
                    models[spec.model],
                    rows,
                    self.metric,
                    self.folder.root,
                    should_stop=stop_file.exists,
                )
                live[spec.id] = (spec, loop)
            for name, (spec, loop) in list(live.items()):
                report = loop.step()
                if session.report(spec, report):
                    del live[name]
                yield report

    def records(self, model: str | None = None) -> list[TrialRecord]:
        return self.open_store().trials(model)


def twin_families(folder: Path, *names: str) -> tuple[Family, ...]:
    """The probe under several names."""
    for name in names:
        (folder / f"{name}.py").write_text(Path(PROBE).read_text())
        (folder / f"{name}.yaml").write_text(Path(PROBE).with_suffix(".yaml").read_text())
    return resolve_families([str(folder / f"{name}.py") for name in names], Task.REGRESSION, {})


def family_without_parameters(folder: Path, name: str) -> Family:
    """The probe with everything fixed, as baselines have it."""
    (folder / f"{name}.py").write_text(Path(PROBE).read_text())
    (folder / f"{name}.yaml").write_text("description: fixed\nparameters: {}\nfixed: {level: 2.0}\n")
    return resolve_families([str(folder / f"{name}.py")], Task.REGRESSION, {})[0]


def done(value: float = 1.0, seconds: float = 1.0, iteration: int = 9) -> Report:
    return Report(iteration, value, seconds, result=Result(Status.COMPLETED, value, iteration))


def failed(error: str = "ValueError: broken") -> Report:
    return Report(0, None, 0.001, result=Result(Status.FAILED, error=error))


def started(session: Session) -> TrialSpec:
    spec = session.next_trial()
    assert spec is not None
    return spec


def comparable(records: list[TrialRecord]) -> list[Any]:
    """What must not depend on interruptions: all but times, places and attempts."""
    drop = {"placement", "train_seconds", "started_at", "ended_at", "attempts"}
    return [{k: v for k, v in vars(record).items() if k not in drop} for record in records]
