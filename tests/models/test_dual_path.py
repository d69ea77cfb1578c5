"""The dual-path network: its shapes, its paths and its training."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from tuning.models import Loss, Schema, Table, TargetTransform, Task
from tuning.models.dual_path import DualPath, DualPathParams
from tuning.models.errors import ModelError

PUBLISHED = {"numeric": 34, "embedding": 768}


def default_params(**changes: Any) -> DualPathParams:
    space = yaml.safe_load(files("tuning.search_spaces").joinpath("dual_path.yaml").read_text())
    defaults = {name: entry["default"] for name, entry in space["parameters"].items()}
    return DualPathParams(**(defaults | space["fixed"] | changes))


def make_schema(
    numeric: int = 0, embedding: int = 0, cardinalities: tuple[int, ...] = (), classes: int = 0
) -> Schema:
    return Schema(
        task=Task.MULTICLASS if classes else Task.REGRESSION,
        loss=Loss.LOG if classes else Loss.ABSOLUTE,
        numeric=tuple(f"x{i}" for i in range(numeric)),
        categorical=tuple(f"c{i}" for i in range(len(cardinalities))),
        cardinalities=cardinalities,
        one_hot=(False,) * len(cardinalities),
        embedding_width=embedding,
        dense_width=numeric,
        n_classes=classes,
        target=TargetTransform(log1p=not classes, mean=1.0, std=0.5, clip_min=0.01),
    )


def make_table(schema: Schema, rows: int = 200, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, schema.dense_width)).astype(np.float32)
    e = rng.normal(size=(rows, schema.embedding_width)).astype(np.float32)
    columns = [rng.integers(-1, levels, size=rows) for levels in schema.cardinalities]
    codes = np.array(columns, dtype=np.int32).reshape(len(columns), rows).T
    signal = sum(part[:, 0] for part in (x, e, (codes > 1).astype(np.float32)) if part.shape[1])
    target = (signal > 0).astype(np.int64) if schema.n_classes else np.exp(0.5 * signal)
    return Table(x, codes, e, x, target)


def linear_shapes(module: nn.Module) -> list[tuple[int, int]]:
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return [(layer.in_features, layer.out_features) for layer in layers]


def test_default_network_has_the_published_shapes() -> None:
    network = DualPath(default_params(), make_schema(**PUBLISHED)).network
    assert linear_shapes(network.numeric) == [(34, 256), (256, 128)]
    assert linear_shapes(network.embedding) == [(768, 512), (512, 256)]
    attention, projection, *rest = linear_shapes(network.trunk)[1:]
    assert attention == (96, 384)
    assert projection == (384, 512)
    assert rest == [(512, 512)] * 4 + [(512, 256)] + [(256, 256)] * 2
    assert linear_shapes(network.head) == [(256, 128), (128, 64), (64, 32), (32, 1)]


def test_the_embedding_is_not_batch_normalised() -> None:
    network = DualPath(default_params(), make_schema(**PUBLISHED)).network
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in network.embedding.modules())
    assert network.numeric.norm.num_features == 34


def test_linear_layers_start_xavier_uniform_with_zero_bias() -> None:
    network = DualPath(default_params(), make_schema(**PUBLISHED)).network
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert 0.8 * bound < layer.weight.abs().max() <= bound
            assert not layer.bias.any()


def test_default_training_is_the_published_one() -> None:
    params = default_params()
    assert (params.learning_rate, params.weight_decay, params.batch_size) == (5e-4, 1e-3, 256)
    assert (params.epochs, params.patience, params.gradient_clip) == (300, 25, 1.0)
    assert (params.plateau_factor, params.plateau_patience) == (0.5, 12)
    model = DualPath(params, make_schema(numeric=2))
    assert (model.total_units, model.patience_units) == (300, 25)


def test_width_scales_every_hidden_layer() -> None:
    network = DualPath(default_params(width=0.25, residual_blocks=1), make_schema(**PUBLISHED)).network
    assert linear_shapes(network.numeric) == [(34, 64), (64, 32)]
    assert linear_shapes(network.head) == [(64, 32), (32, 16), (16, 8), (8, 1)]


@pytest.mark.parametrize(
    "columns",
    [
        {"numeric": 5},
        {"embedding": 12},
        {"cardinalities": (3, 40)},
        {"numeric": 5, "embedding": 12, "cardinalities": (40,)},
        {"numeric": 5, "embedding": 12, "classes": 3},
    ],
    ids=["numeric", "embedding", "categorical", "all", "classes"],
)
def test_learns_from_any_mix_of_columns(columns: dict[str, Any]) -> None:
    schema = make_schema(**columns)
    train, valid = make_table(schema), make_table(schema, 60, seed=1)
    model = DualPath(default_params(width=0.25, batch_size=64, learning_rate=3e-3), schema)
    model.bind(train, valid)
    for _ in range(12):
        model.advance()
    outputs = model.predict_valid()
    if schema.n_classes:
        assert (outputs.argmax(axis=1) == valid.target).mean() > 0.7
    else:
        constant = np.abs(valid.target - np.median(train.target)).mean()
        assert np.abs(outputs - valid.target).mean() < 0.8 * constant
        assert outputs.min() >= 0.01


def test_only_columns_outside_dense_get_learned_vectors() -> None:
    schema = make_schema(numeric=3, cardinalities=(4, 1000))
    with_one_hot = Schema(**{**vars(schema), "one_hot": (True, False), "dense_width": 7})
    model = DualPath(default_params(), with_one_hot)
    assert [layer.num_embeddings for layer in model.network.numeric.categories.columns] == [1001]
    codes = np.array([[3, 999], [-1, -1]], dtype=np.int32)
    dense = np.zeros((2, 7), dtype=np.float32)
    *_, tensor = model.inputs(Table(dense[:, :3], codes, dense[:, :0], dense))
    assert tensor.tolist() == [[999], [-1]]
    assert np.isfinite(model.predict(Table(dense[:, :3], codes, dense[:, :0], dense))).all()


def test_unknown_categories_have_a_vector_of_their_own() -> None:
    categories = DualPath(default_params(), make_schema(cardinalities=(5,))).network.numeric.categories
    vectors = categories(torch.arange(-1, 5).unsqueeze(1))
    assert len(vectors.unique(dim=0)) == 6


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(ModelError, match="at least one"):
        DualPath(default_params(), make_schema())


def trained_dtype(model: DualPath) -> torch.dtype:
    """The type that the embedding path's first product comes out in while training."""
    seen = []
    hook = model.network.embedding[0].register_forward_hook(lambda layer, x, out: seen.append(out.dtype))
    model.advance()
    hook.remove()
    return seen[0]


@pytest.mark.parametrize(
    ("in_hardware", "changes", "expected"),
    [
        (True, {}, torch.bfloat16),
        (True, {"width": 0.25}, torch.float32),
        (True, {"mixed_precision": False}, torch.float32),
        (False, {}, torch.float32),
    ],
    ids=["large steps", "small steps", "switched off", "no instructions"],
)
def test_bfloat16_is_for_large_steps_on_cpus_that_have_it(
    monkeypatch: pytest.MonkeyPatch, in_hardware: bool, changes: dict[str, Any], expected: torch.dtype
) -> None:
    monkeypatch.setattr("tuning.models._torch._multiplies_in_bfloat16", lambda: in_hardware)
    schema = make_schema(numeric=5, embedding=12)
    model = DualPath(default_params(**changes), schema)
    model.bind(make_table(schema), make_table(schema, 60, seed=1))
    assert trained_dtype(model) is expected


def test_bfloat16_learns_keeps_single_precision_weights_and_resumes_exactly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tuning.models._torch._multiplies_in_bfloat16", lambda: True)
    schema = make_schema(numeric=5, embedding=12)
    train, valid = make_table(schema, 600), make_table(schema, 200, seed=1)
    unbroken, resumed = (DualPath(default_params(batch_size=128), schema) for _ in range(2))
    for model in (unbroken, resumed):
        model.bind(train, valid)
    for _ in range(4):
        unbroken.advance()
    unbroken.save(tmp_path)
    resumed.load(tmp_path)
    for model in (unbroken, resumed):
        for _ in range(4):
            assert trained_dtype(model) is torch.bfloat16
    assert {weight.dtype for weight in unbroken.network.parameters()} == {torch.float32}
    outputs = unbroken.predict_valid()
    np.testing.assert_array_equal(resumed.predict_valid(), outputs)
    constant = np.abs(valid.target - np.median(train.target)).mean()
    assert np.abs(outputs - valid.target).mean() < 0.8 * constant
