"""One searched hyperparameter: its Optuna distribution, its default and when it applies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import optuna
from optuna.distributions import CategoricalChoiceType
from pydantic import BaseModel, ConfigDict, Field, model_validator

Condition = Mapping[str, Any]


class _Parameter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: dict[str, Any] = Field(default_factory=dict)
    """Other parameters' values under which this one exists; a list means any of them."""

    def is_active(self, params: Mapping[str, Any]) -> bool:
        """Whether `params`, chosen so far, let this parameter exist."""
        return all(
            name in params and params[name] in (wanted if isinstance(wanted, list) else [wanted])
            for name, wanted in self.when.items()
        )

    def decode(self, value: Any) -> Any:
        """The model's value for Optuna's value."""
        return value

    def encode(self, value: Any) -> Any:
        """Optuna's value for the model's value."""
        return value


class _Range(_Parameter):
    log: bool = False

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        low, high, default = (getattr(self, name) for name in ("low", "high", "default"))
        if low > high:
            raise ValueError(f"low = {low} is above high = {high}; give low <= high")
        if self.log and low <= 0:
            raise ValueError(f"a log range cannot start at {low}; give a low above 0")
        if default is not None and not low <= default <= high:
            raise ValueError(f"default = {default} lies outside {low} to {high}")
        return self


class FloatParameter(_Range):
    """A real number, uniform or log-uniform between `low` and `high`, both included."""

    type: Literal["float"]
    low: float
    high: float
    step: float | None = Field(default=None, gt=0)
    default: float | None = None

    @model_validator(mode="after")
    def _check_step(self) -> Self:
        if self.log and self.step is not None:
            raise ValueError("a log range takes no step; drop one of the two")
        return self

    def suggest(self, trial: optuna.Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def extremes(self) -> list[float]:
        return [self.low, self.high]

    def first(self) -> float:
        return self.low if self.default is None else self.default


class IntParameter(_Range):
    """A whole number between `low` and `high`, both included."""

    type: Literal["int"]
    low: int
    high: int
    step: int = Field(default=1, ge=1)
    default: int | None = None

    @model_validator(mode="after")
    def _check_step(self) -> Self:
        if self.log and self.step != 1:
            raise ValueError("a log range takes no step; drop one of the two")
        if self.default is not None and (self.default - self.low) % self.step:
            raise ValueError(
                f"default = {self.default} is not {self.low} plus a multiple of step {self.step}"
            )
        return self

    def suggest(self, trial: optuna.Trial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def extremes(self) -> list[int]:
        return [self.low, self.high]

    def first(self) -> int:
        return self.low if self.default is None else self.default


class CategoricalParameter(_Parameter):
    """One of `choices`. Lists among them are kept as JSON text in the record."""

    type: Literal["categorical"]
    choices: list[Any] = Field(min_length=1)
    default: Any = None

    @model_validator(mode="after")
    def _check_default(self) -> Self:
        if self.default is not None and self.default not in self.choices:
            raise ValueError(f"default = {self.default!r} is not one of {self.choices}")
        return self

    def suggest(self, trial: optuna.Trial, name: str) -> CategoricalChoiceType:
        return trial.suggest_categorical(name, [self.encode(choice) for choice in self.choices])

    def extremes(self) -> list[Any]:
        return self.choices

    def first(self) -> Any:
        return self.choices[0] if self.default is None else self.default

    def encode(self, value: Any) -> CategoricalChoiceType:
        return json.dumps(value) if isinstance(value, list) else value

    def decode(self, value: Any) -> Any:
        return next(choice for choice in self.choices if self.encode(choice) == value)


Parameter = Annotated[FloatParameter | IntParameter | CategoricalParameter, Field(discriminator="type")]
