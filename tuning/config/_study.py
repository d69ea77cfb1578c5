"""The sections of a study's configuration. Frozen; an unknown key is an error."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from tuning.config.duration import parse_duration_s
from tuning.data.config import DataConfig, SplitConfig, TargetConfig

DurationS = Annotated[float, BeforeValidator(parse_duration_s)]
"""Seconds; also written as `90s`, `10m`, `1h30m`."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SamplerName(StrEnum):
    """How new configurations are drawn; each is Optuna's."""

    TPE = "tpe"
    GP = "gp"
    CMAES = "cmaes"
    QMC = "qmc"
    RANDOM = "random"


class PrunerName(StrEnum):
    """How weak trials are stopped early."""

    ASHA = "asha"
    MEDIAN = "median"
    NONE = "none"


class SearchConfig(_Section):
    """How much is searched, and how.

    Attributes:
        sampler: how new configurations are drawn.
        startup_trials: random trials per family before the sampler learns (TPE, GP, CMA-ES).
        trials: trials per family.
        total_trials: trials over all families.
        time_budget_s: wall time after which nothing new starts and what runs is stopped.
        seed: seed of the sampler, the splits and the models.
    """

    sampler: SamplerName = SamplerName.TPE
    startup_trials: int = Field(default=10, ge=1)
    trials: int | None = Field(default=None, ge=1)
    total_trials: int | None = Field(default=None, ge=1)
    time_budget_s: DurationS | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)


class PruningConfig(_Section):
    """When weak trials are stopped.

    Attributes:
        pruner: the rule.
        max_iterations: R, the number of steps into which every trial's budget is divided.
        reduction_factor: ASHA keeps the best 1/reduction_factor at each rung.
        grace_iterations: first rung of ASHA; no trial is pruned before it.
        startup_trials: finished trials that the median pruner waits for.
        warmup_iterations: iterations that the median pruner leaves alone.
    """

    pruner: PrunerName = PrunerName.ASHA
    max_iterations: int = Field(default=27, ge=1, le=1000)
    reduction_factor: int = Field(default=3, ge=2)
    grace_iterations: int = Field(default=1, ge=1)
    startup_trials: int = Field(default=5, ge=1)
    warmup_iterations: int = Field(default=10, ge=0)


class ResourceConfig(_Section):
    """What a trial gets, and how many run at once.

    Attributes:
        cpus_per_trial: CPUs, also the model's thread count; None: the CPUs divided by the trials at once.
        gpus_per_trial: GPU fraction of families that use one; "auto": from the GPUs and the concurrency.
        workers_per_trial: workers that train one trial together, where its family can be distributed; the
            CPUs and GPUs above are then those of each worker.
        max_concurrent: trials at once; None: one per CPU, or per as many CPUs as a trial has workers.
        trial_time_limit_s: training time after which a trial ends, when the unit that it is in does, as
            completed with its best state; after three times as long without such an end it counts as hung.
        max_retries: times that a trial goes on after its worker died.
    """

    cpus_per_trial: float | None = Field(default=None, gt=0)
    gpus_per_trial: float | Literal["auto"] = "auto"
    workers_per_trial: int = Field(default=1, ge=1)
    max_concurrent: int | None = Field(default=None, ge=1)
    trial_time_limit_s: DurationS | None = Field(default=None, gt=0)
    max_retries: int = Field(default=1, ge=0)

    @field_validator("gpus_per_trial", mode="before")
    @classmethod
    def _check_gpus(cls, value: Any) -> Any:
        if value == "auto":
            return value
        try:
            share = float(value)
        except (TypeError, ValueError):
            share = math.nan
        if not (0 <= share <= 1 or (share > 1 and share.is_integer())):
            raise ValueError(f"a GPU share is auto, 0 to 1, or a whole number of GPUs, not {value!r}")
        return share


class StorageConfig(_Section):
    """Where the study lives.

    Attributes:
        folder: folder that holds the study folders; relative to the working directory, also in a study
            file. Or the URI of their place in an object store, as `pyarrow` takes it: `s3://bucket/studies`;
            `${NAME}` in it stands for an environment variable, and credentials are not kept with the study.
        url: database for the record (postgresql://, mysql://, sqlite://); None: a journal file in the
            study folder. `${NAME}` stands for an environment variable, read whenever the record is opened,
            which keeps a password out of the study's files.
        keep_trials: trials of each family, the best of those that ended, that keep their models; "all": every
            one. The record of the others stays.
    """

    folder: str = "studies"
    url: str | None = None
    keep_trials: Literal["all"] | int = "all"

    @property
    def kept_trials(self) -> int | None:
        """Trials of each family that keep their models; None: all."""
        return None if self.keep_trials == "all" else self.keep_trials

    @field_validator("keep_trials", mode="before")
    @classmethod
    def _check_keep_trials(cls, value: Any) -> Any:
        text = str(value)
        if text != "all" and not (text.isdecimal() and int(text) > 0):
            raise ValueError(f"it is all, or the number of each family's best trials to keep, not {value!r}")
        return value if text == "all" else int(text)


class MonitoringConfig(_Section):
    """Where the trials are shown beside the record; nowhere by default, as it costs time.

    Attributes:
        tensorboard: write event files into `tensorboard/` of the study folder.
        mlflow: URI of an MLflow tracking server or database (https://, sqlite:///); None or "none": not.
            `${NAME}` stands for an environment variable.
    """

    tensorboard: bool = False
    mlflow: str | None = Field(default=None, min_length=1)

    @field_validator("mlflow", mode="before")
    @classmethod
    def _read_none(cls, value: Any) -> Any:
        return None if value == "none" else value


def _check_address(value: str) -> str:
    if value.startswith("ray://"):
        raise ValueError(
            f"{value} would run the study away from its folder; "
            "run it on the cluster's head with --address auto"
        )
    if not re.fullmatch(r"local|auto|[\w.-]+:\d+", value):
        raise ValueError(f"an address is local, auto or HOST:PORT, not {value!r}")
    return value


Address = Annotated[str, AfterValidator(_check_address)]


class StudyConfig(_Section):
    """Everything that defines a study.

    Attributes:
        name: name of the study and of its folder.
        metric: what is searched on; None: the task's default.
        models: families by name, or paths of model files.
        spaces: per family, changes of its search space.
        address: `local` starts Ray here, `auto` joins the running cluster of this machine, `HOST:PORT` the
            one with that head.
    """

    name: str
    data: DataConfig
    target: TargetConfig = TargetConfig()
    split: SplitConfig = SplitConfig()
    metric: str | None = None
    models: tuple[str, ...] = Field(default=("all",), min_length=1)
    spaces: dict[str, dict[str, Any]] = Field(default_factory=dict)
    search: SearchConfig = SearchConfig()
    pruning: PruningConfig = PruningConfig()
    resources: ResourceConfig = ResourceConfig()
    storage: StorageConfig = StorageConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    address: Address = "local"

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
            shown = repr(value) if len(value) <= 100 else f"{value[:20]!r}... of {len(value)} characters"
            raise ValueError(
                "a study's name is letters, digits, '.', '_' and '-' (of a to z, at most 100 characters, "
                f"the first a letter or a digit), not {shown}"
            )
        return value

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if not self.data.is_forecasting and max(self.split.valid, self.split.test) >= 1:
            raise ValueError("split.valid and split.test are shares below 1 for every task but forecasting")
        return self

    @field_validator("models", mode="before")
    @classmethod
    def _split_models(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value
