"""Several processes that train one model come to what one process comes to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.models.cases import Inputs, default_config
from tests.models.in_groups import Job, Trained, Workers, train
from tuning.models import Distribution, Task, WorkerGroup, load_family
from tuning.models.errors import ModelError

ROOT = Path(__file__).parents[2]
SIZE = 2


@pytest.fixture(scope="module")
def torch_workers() -> Iterator[Workers]:
    workers = Workers(Distribution.TORCH, SIZE)
    yield workers
    workers.end()


def config_of(family: str, **changes: Any) -> dict[str, Any]:
    space = yaml.safe_load((ROOT / "search_spaces" / f"{family}.yaml").read_text())
    return {**default_config(space), **changes}


def without_noise(family: str, **changes: Any) -> dict[str, Any]:
    config = config_of(family, mixed_precision=False, **changes)
    return {name: 0.0 if "dropout" in name else value for name, value in config.items()}


def assert_alike(several: list[Trained], one: Trained) -> None:
    """The same in all processes to the bit, and to 1e-4 what one process has."""
    for trained in several:
        assert trained.error == one.error == ""
        for first, own in zip(several[0].outputs, trained.outputs, strict=True):
            np.testing.assert_array_equal(first, own)
    np.testing.assert_allclose(several[0].losses, one.losses, rtol=1e-4)
    for together, alone in zip(several[0].outputs, one.outputs, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "task"),
    [("linear_gd", Task.REGRESSION), ("dual_path", Task.REGRESSION), ("dual_path", Task.MULTICLASS)],
)
@pytest.mark.parametrize("rows", [240, 243])
def test_two_processes_are_one_with_twice_the_batch(
    torch_workers: Workers, family: str, task: Task, rows: int
) -> None:
    together = Job(family, without_noise(family, batch_size=16), task=task, rows=rows)
    alone = Job(family, without_noise(family, batch_size=32), task=task, rows=rows)
    assert_alike(torch_workers.train(together), train(alone))


def test_row_weights_count_for_the_whole_batch(torch_workers: Workers) -> None:
    config = without_noise("linear_gd", optimizer="sgd", learning_rate=0.1)
    together = Job("linear_gd", {**config, "batch_size": 16}, rows=243, weighted=True)
    alone = Job("linear_gd", {**config, "batch_size": 32}, rows=243, weighted=True)
    assert_alike(torch_workers.train(together), train(alone))


def test_the_gradient_is_clipped_after_it_was_averaged(torch_workers: Workers) -> None:
    config = without_noise("linear_gd", optimizer="sgd", learning_rate=0.5, gradient_clip=0.05)
    together = Job("linear_gd", {**config, "batch_size": 16})
    alone = Job("linear_gd", {**config, "batch_size": 32})
    assert_alike(torch_workers.train(together), train(alone))


def test_dropout_differs_between_the_processes_and_the_network_does_not(torch_workers: Workers) -> None:
    first, second = torch_workers.train(Job("dual_path", config_of("dual_path", batch_size=16)))
    assert first.error == second.error == ""
    for ours, theirs in zip(first.outputs, second.outputs, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("family", "task", "inputs"),
    [
        ("lstm", Task.FORECASTING, Inputs.FEATURES),
        ("tcn", Task.FORECASTING, Inputs.FEATURES),
        ("transformer", Task.FORECASTING, Inputs.FEATURES),
        ("cnn_lstm", Task.BINARY, Inputs.STEPS),
        ("cnn_lstm", Task.MULTICLASS, Inputs.CHARACTERS),
    ],
)
def test_every_network_trains_in_a_group(
    torch_workers: Workers, family: str, task: Task, inputs: Inputs
) -> None:
    config = config_of(family, batch_size=16, epochs=2)
    first, second = torch_workers.train(Job(family, config, units=2, task=task, inputs=inputs))
    assert first.error == second.error == ""
    for ours, theirs in zip(first.outputs, second.outputs, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_divergence_ends_all_processes_alike(torch_workers: Workers) -> None:
    config = without_noise("linear_gd", optimizer="sgd", learning_rate=1e6, batch_size=16)
    errors = {trained.error for trained in torch_workers.train(Job("linear_gd", config, units=9))}
    assert len(errors) == 1
    assert errors.pop().startswith("DivergedError: Training diverged in epoch")


@pytest.mark.parametrize("family", ["xgboost", "lightgbm"])
def test_boosters_come_to_about_the_same(family: str) -> None:
    distribution = load_family(family).distribution
    assert distribution is not None
    config = config_of(family, n_estimators=81, learning_rate=0.2)
    job = Job(family, config, units=81, rows=2000)
    workers = Workers(distribution, SIZE)
    try:
        several = workers.train(job)
    finally:
        workers.end()
    target = np.asarray(job.problem.valid.target)
    errors = [rmse(trained.outputs[-1], target) for trained in (*several, train(job))]
    assert errors[0] == errors[1]
    assert errors[0] == pytest.approx(errors[2], rel=0.1)
    assert errors[0] < 0.7 * float(np.std(target))


def rmse(outputs: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> float:
    return float(np.sqrt(np.mean((outputs - target) ** 2)))


@pytest.mark.parametrize("family", ["catboost", "random_forest"])
def test_who_cannot_be_distributed_says_so(family: str) -> None:
    with pytest.raises(ModelError, match="cannot be trained by 2 processes"):
        train(Job(family, config_of(family)), WorkerGroup(0, 2))
