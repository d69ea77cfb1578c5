"""The durable record of a study: one Optuna study per family in one storage, written by the driver alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tuning.errors import RecordError
from tuning.metrics import Direction
from tuning.store._backend import open_storage
from tuning.store._lock import is_driven
from tuning.store._record import Placement, Result, Status, TrialRecord, trial_id

_STATES = {
    Status.COMPLETED: TrialState.COMPLETE,
    Status.PRUNED: TrialState.PRUNED,
    Status.FAILED: TrialState.FAIL,
    Status.DIVERGED: TrialState.FAIL,
}
_TEST = "test"


class Store:
    """Reads and writes the record of one study.

    Every write is durable when the method returns, and each leaves the record readable: a driver that
    is killed between two writes loses neither.

    Args:
        folder: study folder.
        url: database of the record; None: the journal file in `folder`.
        name: study name.
        direction: whether low or high scores are better.
    """

    def __init__(self, folder: Path, url: str | None, name: str, direction: Direction) -> None:
        self.folder = folder
        self.direction = direction
        self._name = name
        self._storage: BaseStorage = open_storage(folder, url)
        self._studies: dict[str, int] = {}
        self._trials: dict[tuple[str, int], int] = {}

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
        live = is_driven(self.folder) if driven is None else driven
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
        return self._read(model, frozen, is_driven(self.folder), self._tests(model))

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

    def set_attempt(self, model: str, number: int, attempt: int) -> None:
        """Record that a trial is started for the `attempt`-th time."""
        self._storage.set_trial_user_attr(self._trial(model, number), "attempts", attempt)

    def set_placement(self, model: str, number: int, placement: Placement) -> None:
        """Record where a trial runs."""
        self._storage.set_trial_user_attr(self._trial(model, number), "placement", asdict(placement))

    def set_checkpoint(self, model: str, number: int, checkpoint: str, train_seconds: float) -> None:
        """Record a trial's latest checkpoint, relative to the study folder."""
        state = {"path": checkpoint, "train_seconds": train_seconds}
        self._storage.set_trial_user_attr(self._trial(model, number), "checkpoint", state)

    def report(self, model: str, number: int, iteration: int, value: float) -> float:
        """Record a validation score; an iteration that is recorded already keeps its first score.

        Returns:
            the score that the record holds.
        """
        trial = self._trial(model, number)
        known = self._storage.get_trial(trial).intermediate_values
        if iteration not in known:
            self._storage.set_trial_intermediate_value(trial, iteration, value)
        return known.get(iteration, value)

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
        self._storage.set_trial_user_attr(trial, "result", ending)
        self._close(trial, result.status, result.value)

    def finish_half_written(self) -> None:
        """Close trials whose result was recorded but whose state was not, because a kill came between."""
        for model in self.families():
            for trial in self.frozen_trials(model):
                result = trial.user_attrs.get("result")
                if result and not trial.state.is_finished():
                    self._close(trial._trial_id, Status(result["status"]), result["value"])

    def set_test(self, model: str, number: int, metrics: Mapping[str, float]) -> None:
        """Record a trial's metrics on the test rows; a finished trial is closed, so the family holds them."""
        tests = {**self._tests(model), str(number): dict(metrics)}
        self._storage.set_study_user_attr(self._study(model), _TEST, tests)

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

    def _tests(self, model: str) -> dict[str, dict[str, float]]:
        """Metrics on the test rows by trial number (as text)."""
        tests: dict[str, dict[str, float]] = self._storage.get_study_user_attrs(self._study(model)).get(
            _TEST, {}
        )
        return tests

    def _read_family(self, model: str, driven: bool) -> list[TrialRecord]:
        tests = self._tests(model)
        numbered = sorted(self.frozen_trials(model), key=lambda trial: trial.number)
        return [self._read(model, trial, driven, tests) for trial in numbered]

    def _read(
        self, model: str, trial: FrozenTrial, driven: bool, tests: Mapping[str, Mapping[str, float]]
    ) -> TrialRecord:
        result = trial.user_attrs.get("result", {})
        latest = trial.user_attrs.get("checkpoint", {})
        return TrialRecord(
            model=model,
            number=trial.number,
            status=_status(trial, driven),
            params=trial.user_attrs.get("params", {}),
            values=dict(sorted(trial.intermediate_values.items())),
            value=result.get("value", self._best(trial.intermediate_values)),
            checkpoint=result.get("checkpoint") or latest.get("path"),
            placement=_placement(trial.user_attrs.get("placement")),
            train_seconds=result.get("train_seconds") or latest.get("train_seconds", 0.0),
            started_at=trial.datetime_start,
            ended_at=trial.datetime_complete,
            best_iteration=result.get("best_iteration"),
            train=result.get("train", {}),
            valid=result.get("valid", {}),
            test=tests.get(str(trial.number), {}),
            error=result.get("error"),
            attempts=trial.user_attrs.get("attempts", 1),
        )

    def _best(self, values: Mapping[int, float]) -> float | None:
        finite = [value for value in values.values() if math.isfinite(value)]
        if not finite:
            return None
        return min(finite) if self.direction is Direction.MINIMIZE else max(finite)


def _status(trial: FrozenTrial, driven: bool) -> Status:
    if not trial.state.is_finished():
        return Status.RUNNING if driven else Status.INTERRUPTED
    if "result" in trial.user_attrs:
        return Status(trial.user_attrs["result"]["status"])
    return {TrialState.COMPLETE: Status.COMPLETED, TrialState.PRUNED: Status.PRUNED}.get(
        trial.state, Status.FAILED
    )


def _placement(raw: Mapping[str, Any] | None) -> Placement:
    return Placement() if raw is None else Placement(raw["node"], raw["device"], tuple(raw["gpus"]))
