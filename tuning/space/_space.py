"""A family's search space: YAML -> validated parameters -> Optuna, conditional parameters included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import optuna
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tuning.config.explain import closest, explain, full_stop
from tuning.errors import ConfigError
from tuning.models import ModelClass, Params
from tuning.space._parameter import Parameter

_SHIPPED = Path(__file__).parents[1] / "search_spaces"


class Space(BaseModel):
    """What is searched for one family, in the order of the file, and what is held fixed.

    >>> space = Space.model_validate({
    ...     "description": "demo",
    ...     "parameters": {
    ...         "kind": {"type": "categorical", "choices": ["a", "b"], "default": "b"},
    ...         "depth": {"type": "int", "low": 1, "high": 9, "default": 3, "when": {"kind": "b"}},
    ...     },
    ...     "fixed": {"rounds": 10},
    ... })
    >>> space.defaults()
    {'kind': 'b', 'depth': 3}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    fixed: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        seen = set(self.fixed)
        for name, parameter in self.parameters.items():
            if name in self.fixed:
                raise ValueError(f"{name} is both searched and fixed; keep one")
            for other in parameter.when:
                if other not in seen:
                    raise ValueError(f"{name}: 'when' names {other}, which must be listed above it")
            seen.add(name)
        return self

    def suggest(self, trial: optuna.Trial) -> None:
        """Ask the trial for every active parameter, in order (Optuna's define-by-run)."""
        chosen: dict[str, Any] = dict(self.fixed)
        for name, parameter in self.parameters.items():
            if parameter.is_active(chosen):
                chosen[name] = parameter.decode(parameter.suggest(trial, name))

    def defaults(self, forced: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The well-known default configuration, or its nearest kin with some values forced.

        Only active parameters are in it.
        """
        chosen: dict[str, Any] = dict(self.fixed)
        for name, parameter in self.parameters.items():
            if parameter.is_active(chosen):
                chosen[name] = (forced or {}).get(name, parameter.first())
        return {name: value for name, value in chosen.items() if name not in self.fixed}

    def decode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Optuna's values -> the model's searched hyperparameters."""
        return {name: self.parameters[name].decode(value) for name, value in params.items()}

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The model's searched hyperparameters -> Optuna's values."""
        return {name: self.parameters[name].encode(value) for name, value in params.items()}

    def full(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The searched hyperparameters together with the fixed ones: what a model is built from."""
        return {**self.fixed, **params}

    def override(self, changes: Mapping[str, Any], place: str) -> Space:
        """The space with some entries replaced.

        A scalar or list fixes the hyperparameter; a mapping changes its entries (`low`, `high`,
        `choices`, ...).

        Raises:
            ConfigError: an unknown hyperparameter or a change that does not fit.
        """
        raw = self.model_dump(exclude_unset=True)
        raw.setdefault("parameters", {})
        raw.setdefault("fixed", {})
        for name, change in changes.items():
            self._check_known(name, place)
            if isinstance(change, Mapping):
                raw["parameters"][name] = {**raw["parameters"].get(name, {}), **change}
                raw["fixed"].pop(name, None)
            else:
                raw["parameters"].pop(name, None)
                raw["fixed"][name] = change
        return _validated(raw, place)

    def _check_known(self, name: str, place: str) -> None:
        known = [*self.parameters, *self.fixed]
        if name not in known:
            raise ConfigError(
                full_stop(f"{place}.{name}: there is no such hyperparameter{closest(name, known)}")
            )


def load_space(family: str, file: Path | None = None) -> Space:
    """The space of a shipped family, or of a YAML file.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, key, rule and value.
    """
    path = file or _SHIPPED / f"{family}.yaml"
    if not path.is_file():
        raise ConfigError(f"There is no search space {path}: the model {family} needs one beside it.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    return _validated(raw, str(path))


def _validated(raw: Any, place: str) -> Space:
    try:
        return Space.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(explain(error, place, Space)) from error


def check_against_model(space: Space, model: ModelClass, place: str) -> None:
    """Refuse a space whose keys or values the model does not take.

    Raises:
        ConfigError: an unknown hyperparameter, a required one left out, or a value that the model refuses.
    """
    fields = set(model.Params.model_fields)
    for name in (*space.parameters, *space.fixed):
        if name not in fields:
            raise ConfigError(
                full_stop(f"{place}.{name}: the model has no such hyperparameter{closest(name, fields)}")
            )
    for forced in ({}, *_extremes(space)):
        build_params(model, space.full(space.defaults(forced)), place)


def _extremes(space: Space) -> list[dict[str, Any]]:
    """Each parameter's outermost values with what it depends on.

    If the model takes these, it takes what lies between.
    """
    extremes = []
    for name, parameter in space.parameters.items():
        needed = {other: _one(wanted) for other, wanted in parameter.when.items()}
        extremes += [{**needed, name: value} for value in parameter.extremes()]
    return extremes


def _one(wanted: Any) -> Any:
    return wanted[0] if isinstance(wanted, list) else wanted


def build_params(model: ModelClass, params: Mapping[str, Any], place: str) -> Params:
    """The model's validated hyperparameters.

    Raises:
        ConfigError: a value that the model refuses, with its place.
    """
    try:
        return model.Params.model_validate(dict(params))
    except ValidationError as error:
        raise ConfigError(explain(error, place, model.Params)) from error
