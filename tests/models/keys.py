"""Whether a family reads every key of its YAML: change one at a time, and something must come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from cases import Config, active_config, default_config, sampled_configs
from conformance import BUDGET_FIELDS, SMALL_BUDGET, SMALL_WIDTHS, Case
from pydantic import ValidationError

from tuning.models._torch import TorchModel

PLATEAU_UNITS = 40  # more than any schedule is patient for
RANDOM_CONFIGS = 5
FALLBACKS = (1, 1e-3)  # for a key whose fixed value is null

Fingerprint = tuple[int, int | None, bytes]


def unread_keys(cases: Sequence[Case]) -> set[str]:
    """The keys of a family that change nothing at any of its tasks.

    A change shows in the budget, in the patience, or in the predictions after two epochs or blocks with
    a long plateau of the validation loss between them. Half precision is tried on the CPU.
    """
    space = cases[0].space
    unread = {*space["parameters"], *(space.get("fixed") or {})}
    for case in cases:
        unread = {key for key in unread if not is_read(case, key)}
    return unread


def is_read(case: Case, key: str) -> bool:
    """Whether any other value of the key makes another model, or trains it otherwise."""
    known = cache(lambda config: _fingerprint(case, json.loads(config)))
    with _half_precision_on_cpu() if key == "mixed_precision" else nullcontext():
        return any(known(one) != known(other) for one, other in _pairs(case, key))


def _fingerprint(case: Case, config: Config) -> Fingerprint:
    model = case.model_class(case.model_class.Params(**config), case.problem.schema, seed=0)
    model.bind(case.problem.train, case.problem.valid)
    model.advance()
    for _ in range(PLATEAU_UNITS):
        model.observe(1.0)
    model.advance()
    return model.total_units, model.patience_units, model.predict(case.problem.valid).tobytes()


def _half_precision_on_cpu() -> AbstractContextManager[Any]:
    return patch.object(TorchModel, "_half_precision", return_value=torch.bfloat16)


def _pairs(case: Case, key: str) -> Iterator[tuple[str, str]]:
    """Configurations that differ in the key alone (and in what it makes active), as JSON.

    The others are the defaults, then random ones: leaves, say, cannot matter where rows are too few for
    the default size of a leaf.
    """
    space = {**case.space, "fixed": _without_null(case, key)}
    defaults = {name: spec["default"] for name, spec in space["parameters"].items()}
    for drawn in ({}, *sampled_configs(space, RANDOM_CONFIGS)):
        values = {**defaults, **drawn, **_small(space), **_that_activate(space, key)}
        base = active_config(space, values)
        for other in _other_values(space, key, base[key]):
            changed = active_config(space, {**values, key: other})
            if _is_valid(case, changed):
                yield json.dumps(base), json.dumps(changed)


def _small(space: Config) -> Config:
    """Small budgets and widths, for those that the family has."""
    small = {**dict.fromkeys(BUDGET_FIELDS, SMALL_BUDGET), **SMALL_WIDTHS}
    return {name: value for name, value in small.items() if name in {*space["parameters"], *space["fixed"]}}


def _without_null(case: Case, key: str) -> Config:
    """The fixed values, with one in place of each null but the key's own: other keys need it to act."""
    fixed = case.space.get("fixed") or {}
    return {
        name: _fallback(case, name) if value is None and name != key else value
        for name, value in fixed.items()
    }


def _that_activate(space: Config, key: str) -> Config:
    """Values of the parameters that the key depends on, under which it is active."""
    when = space["parameters"].get(key, {}).get("when", {})
    wanted = {name: value[0] if isinstance(value, list) else value for name, value in when.items()}
    return {**wanted, **{k: v for name in when for k, v in _that_activate(space, name).items()}}


def _other_values(space: Config, key: str, value: Any) -> list[Any]:
    spec = space["parameters"].get(key)
    if spec is None:
        others = [not value] if isinstance(value, bool) else [*FALLBACKS, *_near(value)]
    else:
        others = spec["choices"] if spec["type"] == "categorical" else [spec["low"], spec["high"]]
    return [other for other in others if other != value]


def _near(value: Any) -> list[Any]:
    return [value * 2, value / 2] if isinstance(value, int | float) else []


def _fallback(case: Case, key: str) -> Any:
    """A valid value for a key that is null."""
    default = default_config(case.space)
    return next((other for other in FALLBACKS if _is_valid(case, {**default, key: other})), None)


def _is_valid(case: Case, config: Config) -> bool:
    try:
        case.model_class.Params(**config)
    except ValidationError:
        return False
    return True
