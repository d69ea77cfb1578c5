"""Samplers: a draw follows from the record, the seed, the family and the number, and from nothing else."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from tuning.config import SamplerName, SearchConfig
from tuning.sampling import derive_seed, make_sampler
from tuning.space import Space

ROOT = Path(__file__).parents[2]
EVERY = pytest.mark.parametrize("name", list(SamplerName))

SPACE = Space.model_validate(
    {
        "parameters": {
            "kind": {"type": "categorical", "choices": ["tree", "net"], "default": "tree"},
            "rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
            "depth": {"type": "int", "low": 2, "high": 9, "when": {"kind": "tree"}},
            "width": {"type": "float", "low": 0.25, "high": 1.0, "when": {"kind": "net"}},
        }
    }
)


def config(name: SamplerName, seed: int = 0) -> SearchConfig:
    return SearchConfig(sampler=name, seed=seed, startup_trials=3)


def loss(params: dict[str, Any]) -> float:
    return abs(params["rate"] - 0.01) + (0.1 if params["kind"] == "net" else 0.01 * params["depth"])


def draw(
    study: optuna.Study, search: SearchConfig, number: int, space: Space = SPACE, family: str = "probe"
) -> optuna.Trial:
    study.sampler = make_sampler(search, family, number)
    trial = study.ask()
    space.suggest(trial)
    return trial


def run(search: SearchConfig, trials: int, space: Space = SPACE) -> list[dict[str, Any]]:
    """Configurations of a study that is told each score before the next draw."""
    study = optuna.create_study()
    for number in range(trials):
        trial = draw(study, search, number, space)
        study.tell(trial, loss(trial.params))
    return [trial.params for trial in study.trials]


def test_a_seed_depends_on_every_part_and_on_nothing_else() -> None:
    seeds = {derive_seed(*parts) for parts in [(0, "a", 1), (0, "a", 2), (1, "a", 1), (0, "b", 1), (0, "a")]}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)


@EVERY
def test_draws_lie_in_the_space_and_keep_its_conditions(name: SamplerName) -> None:
    for params in run(config(name), 8):
        assert set(params) == {"kind", "rate", "depth" if params["kind"] == "tree" else "width"}
        assert 1e-4 <= params["rate"] <= 1e-1
        assert params.get("depth", 2) in range(2, 10)
        assert 0.25 <= params.get("width", 0.25) <= 1.0


@EVERY
def test_the_same_seed_draws_the_same_and_another_does_not(name: SamplerName) -> None:
    first = run(config(name), 5)
    assert first == run(config(name), 5)
    assert first != run(config(name, seed=1), 5)


@EVERY
def test_draws_of_different_numbers_differ(name: SamplerName) -> None:
    drawn = [json.dumps(params) for params in run(config(name), 8)]
    assert len(set(drawn)) == len(drawn)


@EVERY
def test_trials_that_are_drawn_before_any_score_differ(name: SamplerName) -> None:
    study = optuna.create_study()
    rates = [draw(study, config(name), number).params["rate"] for number in range(6)]
    assert len(set(rates)) == len(rates)


@pytest.mark.parametrize("name", [name for name in SamplerName if name is not SamplerName.GP])
def test_parameters_under_a_condition_differ_too(name: SamplerName) -> None:
    drawn_params = run(config(name), 24)
    for kind, child in (("tree", "depth"), ("net", "width")):
        drawn = {params[child] for params in drawn_params if params["kind"] == kind}
        assert len(drawn) > 1


@EVERY
def test_a_resumed_study_draws_what_the_unbroken_one_would_have(name: SamplerName) -> None:
    unbroken = run(config(name), 7)
    broken = optuna.create_study()
    for number in range(5):
        trial = draw(broken, config(name), number)
        broken.tell(trial, loss(trial.params))
    resumed = optuna.create_study()
    resumed.add_trials(broken.trials)
    for number in range(5, 7):
        trial = draw(resumed, config(name), number)
        resumed.tell(trial, loss(trial.params))
    assert [trial.params for trial in resumed.trials] == unbroken


def test_a_draw_does_not_depend_on_the_process() -> None:
    code = (
        "import json, optuna\n"
        "from tuning.config import SearchConfig\n"
        "from tuning.sampling import make_sampler\n"
        "trial = optuna.create_study(sampler=make_sampler(SearchConfig(), 'probe', 5)).ask()\n"
        "print(json.dumps(trial.suggest_float('rate', 0, 1)))\n"
    )
    drawn = []
    for hash_seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env, check=True
        )
        drawn.append(json.loads(out.stdout))
    here = optuna.create_study(sampler=make_sampler(SearchConfig(), "probe", 5)).ask()
    assert drawn == [here.suggest_float("rate", 0, 1)] * 2


def test_families_draw_independently() -> None:
    studies = [optuna.create_study(), optuna.create_study()]
    one, other = (
        draw(study, SearchConfig(), 0, family=family).params["rate"]
        for study, family in zip(studies, ("probe", "other"), strict=True)
    )
    assert one != other


def test_quasi_random_points_fill_the_range_evenly() -> None:
    space = Space.model_validate({"parameters": {"rate": {"type": "float", "low": 0.0, "high": 1.0}}})
    study = optuna.create_study()
    search = config(SamplerName.QMC)
    rates = []
    for number in range(17):
        trial = draw(study, search, number, space)
        study.tell(trial, trial.params["rate"])
        rates.append(trial.params["rate"])
    # The first is drawn before the space is known; of 16 successive Sobol points one lies in each eighth.
    assert {int(8 * rate) for rate in rates[1:]} == set(range(8))


@EVERY
def test_no_warning_for_each_conditional_parameter(
    name: SamplerName, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("optuna"), "propagate", True)
    run(config(name), 6)
    assert [record.message for record in caplog.records if "ndependent" in record.message] == []
