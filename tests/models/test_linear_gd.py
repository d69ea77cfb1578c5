"""Linear regression by gradient descent: the steps, the sweep of the original, divergence."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError

from tuning.models import Loss, Schema, Table, TargetTransform, Task
from tuning.models.errors import DivergedError
from tuning.models.linear_gd import Descent, LinearGD, LinearGDParams

OWN = {
    "sgd": {"learning_rate": 0.05},
    "momentum": {"learning_rate": 0.01, "momentum": 0.9},
    "rmsprop": {"learning_rate": 0.01, "smoothing": 0.99},
    "adam": {"adam_learning_rate": 0.02, "beta1": 0.9, "beta2": 0.999},
}


def make_params(optimizer: str = "sgd", **changes: Any) -> LinearGDParams:
    shared = {"epochs": 60, "patience": 20, "batch_size": "full", "degree": 1}
    return LinearGDParams(**(shared | {"optimizer": optimizer} | OWN[optimizer] | changes))


def space() -> dict[str, Any]:
    return yaml.safe_load(files("tuning.search_spaces").joinpath("linear_gd.yaml").read_text())


def make_table(rows: int = 300, columns: int = 3, *, correlated: bool = False, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    if correlated:
        x = 0.3 * x + rng.normal(size=(rows, 1))
    target = 5.0 + 2.0 * x[:, 0] - x[:, -1] + 0.1 * rng.normal(size=rows)
    dense = x.astype(np.float32)
    return Table(dense, np.zeros((rows, 0), np.int32), dense[:, :0], dense, target)


def make_model(table: Table, params: LinearGDParams, *, loss: Loss = Loss.SQUARED) -> LinearGD:
    target = np.asarray(table.target)
    classes = int(target.max()) + 1 if target.dtype.kind == "i" else 0
    schema = Schema(
        task=Task.MULTICLASS if classes else Task.REGRESSION,
        loss=Loss.LOG if classes else loss,
        numeric=tuple(f"x{i}" for i in range(table.numeric.shape[1])),
        dense_width=table.dense.shape[1],
        embedding_width=table.embedding.shape[1],
        n_classes=classes,
        target=TargetTransform(mean=float(target.mean()), std=float(target.std())),
    )
    model = LinearGD(params, schema)
    model.bind(table, table)
    return model


def advance(model: LinearGD, epochs: int) -> None:
    for _ in range(epochs):
        model.advance()


def standardised(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("loss", [Loss.SQUARED, Loss.ABSOLUTE])
def test_each_step_is_the_hand_derived_one(loss: Loss) -> None:
    table, rate = make_table(), 0.05
    model = make_model(table, make_params(learning_rate=rate), loss=loss)
    X = np.column_stack([np.ones(len(table)), standardised(table.dense)])
    y = standardised(np.asarray(table.target))
    w = np.zeros(4)
    for _ in range(10):
        model.advance()
        w = w - rate * (2 / len(y)) * X.T @ (X @ w - y)
        linear = model.network.linear
        learned = np.concatenate([linear.bias.detach().numpy(), linear.weight.detach().numpy()[0]])
        np.testing.assert_allclose(learned, w, atol=1e-6)


@pytest.mark.parametrize("optimizer", list(Descent))
def test_every_optimizer_reaches_least_squares(optimizer: str) -> None:
    table = make_table()
    model = make_model(table, make_params(optimizer, batch_size=100))
    advance(model, 60)
    X = np.column_stack([np.ones(len(table)), table.dense])
    exact = X @ np.linalg.lstsq(X, np.asarray(table.target), rcond=None)[0]
    assert np.abs(model.predict_valid() - exact).max() < 0.4
    assert np.sqrt(np.mean((model.predict_valid() - table.target) ** 2)) < 0.15


@pytest.mark.parametrize("batch_size", [1, 10, 100, "full"])
@pytest.mark.parametrize("learning_rate", [0.001, 0.01, 0.1])
def test_the_original_sweep_runs(batch_size: int | str, learning_rate: float) -> None:
    table = make_table(50, columns=1)
    model = make_model(table, make_params(batch_size=batch_size, learning_rate=learning_rate))
    before = np.mean((model.predict_valid() - table.target) ** 2)
    model.advance()
    assert np.mean((model.predict_valid() - table.target) ** 2) < before


@pytest.mark.parametrize("batch_size", [1, 10, 100, "full"])
def test_a_rate_of_0_9_on_correlated_columns_diverges_while_patience_runs(batch_size: int | str) -> None:
    model = make_model(
        make_table(columns=5, correlated=True), make_params(learning_rate=0.9, batch_size=batch_size)
    )
    assert model.patience_units == 20
    with pytest.raises(DivergedError, match="diverged in epoch"):
        advance(model, 20)


def test_slow_divergence_is_caught_while_patience_runs() -> None:
    model = make_model(make_table(columns=2, correlated=True), make_params(learning_rate=0.6))
    with pytest.raises(DivergedError, match="diverged in epoch"):
        advance(model, 20)


def test_same_seed_same_path() -> None:
    table = make_table()
    paths = []
    for _ in range(2):
        model = make_model(table, make_params("adam", batch_size=10))
        path = []
        for _ in range(3):
            model.advance()
            path.append(model.predict_valid())
        paths.append(path)
    np.testing.assert_array_equal(paths[0], paths[1])


@pytest.mark.parametrize("optimizer", list(Descent))
def test_resuming_is_exact(tmp_path: Path, optimizer: str) -> None:
    table = make_table()
    unbroken, first = (make_model(table, make_params(optimizer, batch_size=10)) for _ in range(2))
    advance(unbroken, 4)
    advance(first, 2)
    first.save(tmp_path)
    resumed = make_model(table, make_params(optimizer, batch_size=10))
    resumed.load(tmp_path)
    advance(resumed, 2)
    np.testing.assert_array_equal(resumed.predict_valid(), unbroken.predict_valid())


def test_powers_fit_a_curve_and_leave_one_hot_columns_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 1)).astype(np.float32)
    dense = np.column_stack([x, x > 0]).astype(np.float32)
    table = Table(x, np.zeros((400, 0), np.int32), x[:, :0], dense, x[:, 0].astype(np.float64) ** 3)
    errors = {}
    for degree in (1, 3):
        model = make_model(table, make_params("adam", batch_size=10, degree=degree))
        assert model.network.linear.in_features == 2 + (degree - 1)
        advance(model, 30)
        errors[degree] = np.abs(model.predict_valid() - table.target).mean()
    assert errors[3] < 0.1 * errors[1]


def test_statistics_come_from_the_training_rows_and_travel_with_the_checkpoint(tmp_path: Path) -> None:
    train = make_table()
    shifted = Table(
        *(getattr(train, name) for name in ("numeric", "categorical", "embedding")), train.dense + 9
    )
    model = make_model(train, make_params())
    model.advance()
    np.testing.assert_allclose(model.network.input_mean, train.dense.mean(axis=0), atol=1e-6)
    model.save(tmp_path)
    fresh = LinearGD(make_params(), model.schema)
    fresh.load(tmp_path)
    np.testing.assert_array_equal(fresh.predict(shifted), model.predict(shifted))


def test_a_constant_column_does_no_harm() -> None:
    table = make_table()
    dense = table.dense.copy()
    dense[:, 1] = 4.0
    constant = Table(dense, table.categorical, table.embedding, dense, table.target)
    model = make_model(constant, make_params())
    model.advance()
    assert np.isfinite(model.predict_valid()).all()


def test_classes_by_softmax_regression() -> None:
    table = make_table()
    labels = np.digitize(np.asarray(table.target), [4.0, 6.0]).astype(np.int64)
    classes = Table(table.numeric, table.categorical, table.embedding, table.dense, labels)
    model = make_model(classes, make_params("adam", batch_size=10))
    advance(model, 20)
    assert (model.predict_valid().argmax(axis=1) == labels).mean() > 0.85


def test_steps_per_epoch_ends_an_epoch_early() -> None:
    table = make_table()
    steps = {}
    for limit in (None, 7):
        model = make_model(table, make_params("adam", batch_size=1, steps_per_epoch=limit))
        model.advance()
        steps[limit] = int(model.optimizer.state[model.network.linear.weight]["step"])
    assert steps == {None: 300, 7: 7}


def test_shipped_space_holds_the_original_sweep() -> None:
    parameters = space()["parameters"]
    assert parameters["batch_size"]["choices"] == [1, 10, 100, "full"]
    assert (parameters["learning_rate"]["low"], parameters["learning_rate"]["high"]) == (0.001, 0.9)
    assert (parameters["adam_learning_rate"]["low"], parameters["adam_learning_rate"]["high"]) == (1e-4, 1e-1)
    assert set(parameters["optimizer"]["choices"]) == set(Descent)


def test_an_optimizer_needs_its_own_parameters() -> None:
    with pytest.raises(ValidationError, match="optimizer momentum needs momentum"):
        make_params("momentum", momentum=None)
    with pytest.raises(ValidationError, match="batch_size"):
        make_params(batch_size=0)


def test_weights_start_at_zero_and_gradients_are_not_clipped() -> None:
    model = make_model(make_table(), make_params())
    assert not any(weight.detach().any() for weight in model.network.parameters())
    assert model.params.gradient_clip is None
    assert torch.equal(model.network(torch.ones(2, 3)), torch.zeros(2, 1))
