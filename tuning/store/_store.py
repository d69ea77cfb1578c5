"""The durable record of a study: one Optuna study per family in one storage, written by the driver alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tuning.errors import RecordError
from tuning.metrics import Direction
from tuning.storage import Remote
from tuning.store._backend import open_storage
from tuning.store._lock import is_driven
from tuning.store._reading import (
    BEST,
    DETAILS,
    DRIVER_DEATHS,
    DROPPED,
    RESULT,
    TEST,
    TEST_DETAILS,
    WHOLE_GPU,
    best_of,
    best_so_far,
    checkpoint_of,
    read_trial,
)
from tuning.store._record import (
    Details,
    DriverDeaths,
    Metrics,
    Placement,
    Result,
    Run,
    Status,
    TrialRecord,
    trial_id,
)

_STATES = {
    Status.COMPLETED: TrialState.COMPLETE,
    Status.PRUNED: TrialState.PRUNED,
    Status.FAILED: TrialState.FAIL,
    Status.DIVERGED: TrialState.FAIL,
}
_RUNS = "runs"
_STUDY = "study"
_NOTHING: Details = MappingProxyType({})


class Store:
    """Reads and writes the record of one study.

    Every write is durable when the method returns, and each leaves the record readable: a driver that
    is killed between two writes loses neither.

    Args:
        folder: study folder.
        url: database of the record; None: the journal file in `folder`.
        name: study name.
        direction: whether low or high scores are better.
        remote: the study's place in an object store; None: the folder is all there is.

    Attributes:
        place: what holds the record, for messages.
    """

    def __init__(
        self, folder: Path, url: str | None, name: str, direction: Direction, remote: Remote | None = None
    ) -> None:
        self.folder = folder
        self.direction = direction
        self.place = "journal" if url is None else "database"
        self._name = name
        self._remote = remote
        self._storage: BaseStorage = open_storage(folder, url, remote)
        self._studies: dict[str, int] = {}
        self._trials: dict[tuple[str, int], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def families(self) -> tuple[str, ...]:
        """Families that the record knows, in the order of their first trial."""
        prefix = f"{self._name}/"
        names = (study.study_name for study in self._storage.get_all_studies())
        return tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def add_family(self, model: str) -> None:
        """Make room for a family's trials; a family that is there already is left as it is."""
        if model in self.families():
            return
        optuna.create_study(
            storage=self._storage,
            study_name=f"{self._name}/{model}",
            direction=self.direction.value,
            sampler=optuna.samplers.RandomSampler(),
        )

    def frozen_trials(self, model: str) -> list[FrozenTrial]:
        """A family's trials as Optuna sees them, by number."""
        return self._storage.get_all_trials(self._study(model))

    def trials(self, model: str | None = None, *, driven: bool | None = None) -> list[TrialRecord]:
        """Trials of one family or of all.

        Args:
            model: family; None: all.
            driven: whether the study is being run now, which tells running from interrupted trials;
                None: look.
        """
        live = is_driven(self.folder, self._remote) if driven is None else driven
        models = self.families() if model is None else (model,)
        return [record for name in models for record in self._read_family(name, live)]

    def trial(self, model: str, number: int) -> TrialRecord:
        """One trial.

        Raises:
            RecordError: there is no such trial.
        """
        try:
            frozen = self._storage.get_trial(self._trial(model, number))
        except KeyError as error:
            raise RecordError(f"The record has no trial {trial_id(model, number)}.") from error
        return self._read(model, frozen, is_driven(self.folder, self._remote), self._family(model))

    def create(
        self,
        model: str,
        searched: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        params: Mapping[str, Any],
        system_attrs: Mapping[str, Any],
    ) -> int:
        """Record a new running trial, whole, in one write.

        Args:
            model: family.
            searched: searched hyperparameters, as Optuna drew them.
            distributions: their distributions.
            params: all hyperparameters, as the model takes them.
            system_attrs: what the sampler keeps with the trial.

        Returns:
            the trial's number in its family.
        """
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=dict(searched),
            distributions=dict(distributions),
            user_attrs={"model": model, "params": dict(params)},
            system_attrs=dict(system_attrs),
        )
        trial = self._storage.create_new_trial(self._study(model), template_trial=template)
        return self._storage.get_trial_number_from_id(trial)

    def checkpoint(self, model: str, number: int) -> str | None:
        """A trial's latest checkpoint that is recorded, relative to the study folder."""
        return checkpoint_of(self._storage.get_trial(self._trial(model, number)))

    def drop_model(self, model: str, number: int) -> None:
        """Record that a finished trial's model is not kept; it is closed, so its family holds that."""
        self._storage.set_study_user_attr(self._study(model), f"{DROPPED}/{number}", True)

    def set_attempt(self, model: str, number: int, attempt: int) -> None:
        """Record that a trial is started for the `attempt`-th time."""
        self._storage.set_trial_user_attr(self._trial(model, number), "attempts", attempt)

    def set_whole_gpu(self, model: str, number: int) -> None:
        """Record that a trial is to have a GPU of its own from its next start on."""
        self._storage.set_trial_user_attr(self._trial(model, number), WHOLE_GPU, True)

    def set_driver_deaths(self, model: str, number: int, deaths: DriverDeaths) -> None:
        """Record how often the driver died while a trial ran."""
        self._storage.set_trial_user_attr(self._trial(model, number), DRIVER_DEATHS, asdict(deaths))

    def set_placement(self, model: str, number: int, placement: Placement) -> None:
        """Record where a trial runs."""
        self._storage.set_trial_user_attr(self._trial(model, number), "placement", asdict(placement))

    def set_checkpoint(
        self,
        model: str,
        number: int,
        checkpoint: str,
        train_seconds: float,
        *,
        value: float | None = None,
        best_iteration: int | None = None,
    ) -> None:
        """Record a trial's latest checkpoint.

        Args:
            model: family.
            number: number within the family.
            checkpoint: folder relative to the study folder.
            train_seconds: time spent until then.
            value: validation score of the best state in it.
            best_iteration: iteration at which that was reached.
        """
        state = {
            "path": checkpoint,
            "train_seconds": train_seconds,
            "value": value,
            "best_iteration": best_iteration,
        }
        self._storage.set_trial_user_attr(self._trial(model, number), "checkpoint", state)

    def report(
        self, model: str, number: int, iteration: int, value: float, best_value: float | None = None
    ) -> float:
        """Record a validation score; an iteration that is recorded already keeps its first score.

        Args:
            model: family.
            number: number within the family.
            iteration: 1..R.
            value: score of the state at the end of the iteration.
            best_value: score of the best state so far, which may lie between two iterations; None: of
                those that were reported.

        Returns:
            the best score until this iteration, as the record holds it; `value` where none is finite.
        """
        trial = self._trial(model, number)
        known = self._storage.get_trial(trial)
        if iteration in known.intermediate_values:
            return best_so_far(known, self.direction)[iteration]

        so_far = self._best([*best_so_far(known, self.direction).values(), value])
        best = self._best([value if best_value is None else best_value, so_far])
        if best != so_far:
            # First, and on its own only here: mostly it follows from the scores.
            self._storage.set_trial_user_attr(trial, f"{BEST}/{iteration}", best)
        self._storage.set_trial_intermediate_value(trial, iteration, value)
        return value if best is None else best

    def finish(
        self,
        model: str,
        number: int,
        result: Result,
        *,
        checkpoint: str | None = None,
        train_seconds: float | None = None,
    ) -> None:
        """Record how a trial ended.

        Args:
            model: family.
            number: number within the family.
            result: how it ended.
            checkpoint: its final checkpoint, relative to the study folder; None: the latest recorded one.
                It is written together with the result: no kill leaves a trial that would go on from it.
            train_seconds: time spent in all; None: as recorded with the latest checkpoint.
        """
        trial = self._trial(model, number)
        ending = {**asdict(result), "checkpoint": checkpoint, "train_seconds": train_seconds}
        details = ending.pop(DETAILS)
        if details:
            # On their own and first: they may be large, and mean nothing before there is a result.
            self._storage.set_trial_user_attr(trial, DETAILS, details)
        self._storage.set_trial_user_attr(trial, RESULT, ending)
        self._close(trial, result.status, result.value)

    def finish_half_written(self) -> None:
        """Close trials whose result was recorded but whose state was not, because a kill came between."""
        for _, trial in self._half_written():
            result = trial.user_attrs[RESULT]
            self._close(trial._trial_id, Status(result["status"]), result["value"])

    def half_written(self) -> tuple[str, ...]:
        """Ids of the trials whose result is recorded but whose state is not."""
        return tuple(trial_id(model, trial.number) for model, trial in self._half_written())

    def _half_written(self) -> Iterator[tuple[str, FrozenTrial]]:
        for model in self.families():
            for trial in self.frozen_trials(model):
                if RESULT in trial.user_attrs and not trial.state.is_finished():
                    yield model, trial

    def set_test(
        self, model: str, number: int, metrics: Metrics, checkpoint: str, details: Details = _NOTHING
    ) -> None:
        """Record the metrics and the details of a trial's checkpoint on the test rows.

        They hold as long as that is the trial's checkpoint. A finished trial is closed, so the family
        holds them.
        """
        study = self._study(model)
        if details:
            entry = {"checkpoint": checkpoint, DETAILS: dict(details)}
            self._storage.set_study_user_attr(study, f"{TEST_DETAILS}/{number}", entry)
        tested = {"checkpoint": checkpoint, "metrics": dict(metrics)}
        self._storage.set_study_user_attr(
            study, TEST, {**self._family(model).get(TEST, {}), str(number): tested}
        )

    def study(self) -> Mapping[str, str]:
        """Return what identifies the study whose record this is; empty in a record that does not tell."""
        if not self.families():
            return {}
        told: dict[str, str] = self._storage.get_study_user_attrs(self._first_study()).get(_STUDY, {})
        return told

    def set_study(self, identity: Mapping[str, str]) -> None:
        """Record whose record this is; its first family, which must be there, holds it."""
        self._storage.set_study_user_attr(self._first_study(), _STUDY, dict(identity))

    def runs(self) -> tuple[Run, ...]:
        """The study's runs so far, the first one first."""
        if not self.families():
            return ()
        raw = self._storage.get_study_user_attrs(self._first_study()).get(_RUNS, [])
        return tuple(Run(**entry) for entry in raw)

    def set_runs(self, runs: Sequence[Run]) -> None:
        """Record the study's runs; its first family, which must be there, holds them."""
        raw = [asdict(run) for run in runs]
        self._storage.set_study_user_attr(self._first_study(), _RUNS, raw)

    def close(self) -> None:
        """Let go of the storage's connections."""
        self._storage.remove_session()
        if isinstance(self._storage, RDBStorage):
            self._storage.engine.dispose()

    def _close(self, trial: int, status: Status, value: float | None) -> None:
        state = _STATES[status]
        if state is TrialState.PRUNED:
            # As Optuna's own `tell` does it: a pruned trial's value is its last report.
            curve = self._storage.get_trial(trial).intermediate_values
            value = curve[max(curve)] if curve else None
        if state is TrialState.FAIL or value is None or not math.isfinite(value):
            self._storage.set_trial_state_values(trial, state)
        else:
            self._storage.set_trial_state_values(trial, state, [value])

    def _first_study(self) -> int:
        return self._study(self.families()[0])

    def _study(self, model: str) -> int:
        if model not in self._studies:
            self._studies[model] = self._storage.get_study_id_from_name(f"{self._name}/{model}")
        return self._studies[model]

    def _trial(self, model: str, number: int) -> int:
        key = (model, number)
        if key not in self._trials:
            study = self._study(model)
            self._trials[key] = self._storage.get_trial_id_from_study_id_trial_number(study, number)
        return self._trials[key]

    def _family(self, model: str) -> dict[str, Any]:
        """What is recorded of a family as a whole."""
        attributes: dict[str, Any] = self._storage.get_study_user_attrs(self._study(model))
        return attributes

    def _read_family(self, model: str, driven: bool) -> list[TrialRecord]:
        family = self._family(model)
        numbered = sorted(self.frozen_trials(model), key=lambda trial: trial.number)
        return [self._read(model, trial, driven, family) for trial in numbered]

    def _read(self, model: str, trial: FrozenTrial, driven: bool, family: Mapping[str, Any]) -> TrialRecord:
        return read_trial(model, trial, self.direction, family, driven=driven)

    def _best(self, values: Sequence[float | None]) -> float | None:
        return best_of([value for value in values if value is not None], self.direction)
