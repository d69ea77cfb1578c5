"""The training loop, through a small network that uses all of it: dropout, batch normalisation, Adam."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tuning.models import Loss, Schema, Table, TargetTransform, Task
from tuning.models._layers import Dropout
from tuning.models._torch import TorchModel
from tuning.models._torch_params import AdamParams
from tuning.models._torch_rows import Rows, as_tensor
from tuning.models.errors import CheckpointError, DivergedError, ModelError

COLUMNS = 4
DEFAULTS = {
    "epochs": 10,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "gradient_clip": 1.0,
    "plateau_patience": 1,
    "mixed_precision": True,
}


class TinyNetwork(TorchModel[AdamParams]):
    Params = AdamParams

    def build(self, schema: Schema, params: AdamParams) -> nn.Module:
        return nn.Sequential(
            nn.Linear(schema.dense_width, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            Dropout(0.2),
            nn.Dropout(0.1),
            nn.Linear(8, max(1, schema.n_classes)),
        )

    def inputs(self, table: Table) -> tuple[Tensor, ...]:
        return (as_tensor(np.asarray(table.dense)),)


def make_table(rows: int = 97, seed: int = 0, classes: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    score = 10.0 + 3.0 * x[:, 0] - 2.0 * x[:, 1] + 0.1 * rng.normal(size=rows)
    target = (score > 10).astype(np.int64) + (score > 13) if classes else score
    x.flags.writeable = False
    nothing = np.zeros((rows, 0), dtype=np.float32)
    return Table(x, nothing.astype(np.int32), nothing, x, target)


def make_model(
    *, seed: int = 0, classes: int = 0, loss: Loss = Loss.SQUARED, **params: object
) -> TinyNetwork:
    schema = Schema(
        task=Task.MULTICLASS if classes else Task.REGRESSION,
        loss=Loss.LOG if classes else loss,
        dense_width=COLUMNS,
        n_classes=classes,
        target=TargetTransform(mean=10.0, std=3.6),
    )
    return TinyNetwork(AdamParams(**(DEFAULTS | params)), schema, seed=seed)


def bound_model(classes: int = 0, seed: int = 0, **params: object) -> TinyNetwork:
    model = make_model(seed=seed, classes=classes, **params)
    model.bind(make_table(classes=classes), make_table(41, seed=1, classes=classes))
    return model


def train(model: TinyNetwork, epochs: int) -> None:
    for _ in range(epochs):
        model.advance()
        model.observe(1.0)  # never better: the plateau schedule has work to do


def weights(model: TinyNetwork) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_learns() -> None:
    model = bound_model(epochs=40, plateau_patience=None)
    train(model, 40)
    valid = make_table(41, seed=1)
    error = np.abs(model.predict_valid() - valid.target).mean()
    assert error < 0.5 * np.abs(valid.target - valid.target.mean()).mean()


def test_classes_get_probabilities() -> None:
    model = bound_model(classes=3, plateau_patience=None)
    train(model, 10)
    probabilities = model.predict_valid()
    assert probabilities.shape == (41, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-12)
    assert (probabilities.argmax(axis=1) == make_table(41, seed=1, classes=3).target).mean() > 0.6


@pytest.mark.parametrize("classes", [0, 3])
def test_resuming_is_exact(tmp_path: Path, classes: int) -> None:
    unbroken, first = bound_model(classes), bound_model(classes)
    train(first, 2)
    first.mark_best()
    train(first, 1)
    first.save(tmp_path)
    resumed = bound_model(classes, seed=99)
    resumed.load(tmp_path)
    train(resumed, 3)
    train(unbroken, 2)
    unbroken.mark_best()
    train(unbroken, 4)
    assert resumed.units_done == 6
    assert resumed.best_units == 2
    assert_same(weights(unbroken), weights(resumed))
    for model in (unbroken, resumed):
        model.restore_best()
    assert_same(weights(unbroken), weights(resumed))


def test_learning_rate_and_plateau_count_survive_a_checkpoint(tmp_path: Path) -> None:
    model = bound_model()
    train(model, 4)
    model.save(tmp_path)
    resumed = bound_model()
    resumed.load(tmp_path)
    assert resumed.optimizer.param_groups[0]["lr"] == model.optimizer.param_groups[0]["lr"] < 1e-2
    for each in (model, resumed):
        each.observe(1.0)
    assert resumed.optimizer.param_groups[0]["lr"] == model.optimizer.param_groups[0]["lr"]


def test_loading_is_enough_to_predict(tmp_path: Path) -> None:
    model = bound_model()
    train(model, 2)
    model.save(tmp_path)
    fresh = make_model(seed=5)
    fresh.load(tmp_path)
    np.testing.assert_array_equal(fresh.predict(make_table(41, seed=1)), model.predict_valid())


def test_checkpoint_holds_no_pickle(tmp_path: Path) -> None:
    model = bound_model()
    train(model, 1)
    model.save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in files) == [
        "model.json",
        "training/tensors.safetensors",
        "training/training.json",
        "weights.safetensors",
    ]


def test_a_checkpoint_of_an_earlier_version_goes_on_exactly(tmp_path: Path) -> None:
    """One file held the weights, the best ones and the training run."""
    model = bound_model()
    train(model, 2)
    model.mark_best()
    train(model, 1)
    model.save(tmp_path)
    training = tmp_path / "training"
    parts = dict(load_file(training / "tensors.safetensors"))
    parts |= {f"best.{name}": tensor for name, tensor in load_file(tmp_path / "weights.safetensors").items()}
    save_file(parts, tmp_path / "tensors.safetensors")
    (training / "training.json").rename(tmp_path / "training.json")
    shutil.rmtree(training)
    (tmp_path / "weights.safetensors").unlink()
    state = json.loads((tmp_path / "model.json").read_text())
    del state["training"]
    (tmp_path / "model.json").write_text(json.dumps(state))
    resumed = bound_model(seed=99)
    resumed.load(tmp_path, to_go_on=True)
    for each in (model, resumed):
        train(each, 2)
    assert_same(weights(model), weights(resumed))
    for each in (model, resumed):
        each.restore_best()
    assert_same(weights(model), weights(resumed))


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("best_after", [0, 2, 3])
def test_an_ended_network_leaves_its_weights_alone(classes: int, best_after: int, tmp_path: Path) -> None:
    model = bound_model(classes)
    for unit in range(1, 4):
        train(model, 1)
        if unit == best_after:
            model.mark_best()
    model.save(tmp_path / "whole")
    model.restore_best()
    model.save(tmp_path / "ended", to_go_on=False)
    files = [path.name for path in (tmp_path / "ended").iterdir()]
    assert sorted(files) == ["model.json", "weights.safetensors"]
    sizes = {name: _bytes(tmp_path / name) for name in ("whole", "ended")}
    assert sizes["ended"] < sizes["whole"] / 2.5, "Adam keeps two numbers a weight"
    fresh = make_model(classes=classes)
    fresh.load(tmp_path / "ended")
    assert_same(weights(model), weights(fresh))


def test_training_cannot_go_on_from_weights_alone(tmp_path: Path) -> None:
    model = bound_model()
    train(model, 1)
    model.save(tmp_path)
    shutil.rmtree(tmp_path / "training")
    make_model().load(tmp_path)
    with pytest.raises(CheckpointError, match="cannot go on"):
        make_model().load(tmp_path, to_go_on=True)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


@pytest.mark.parametrize("file", ["weights.safetensors", "training/tensors.safetensors"])
@pytest.mark.parametrize("damage", ["truncate", "remove", "other shape", "bad scalars"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: str, file: str) -> None:
    model = bound_model()
    train(model, 1)
    model.save(tmp_path)
    fresh = make_model(classes=3) if damage == "other shape" else make_model()
    tensors = tmp_path / file
    if damage == "truncate":
        tensors.write_bytes(tensors.read_bytes()[:100])
    elif damage == "remove":
        tensors.unlink()
    elif damage == "bad scalars":
        (tmp_path / "training" / "training.json").write_text(json.dumps({"watch": {}}))
    with pytest.raises(CheckpointError, match=tmp_path.name):
        fresh.load(tmp_path)


def test_best_weights_are_out_of_reach_of_later_epochs() -> None:
    model = bound_model()
    train(model, 2)
    model.mark_best()
    kept = weights(model)
    train(model, 3)
    assert not torch.equal(kept["0.weight"], model.network.state_dict()["0.weight"])
    model.restore_best()
    assert_same(kept, weights(model))
    train(model, 1)
    model.restore_best()
    assert_same(kept, weights(model))


def test_restoring_without_a_marked_best_changes_nothing() -> None:
    model = bound_model()
    train(model, 1)
    before = weights(model)
    model.restore_best()
    assert_same(before, weights(model))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["dense", "target"])
def test_rows_that_are_not_finite_are_refused(part: str, value: float) -> None:
    good = make_table()
    dense, target = good.dense.copy(), np.array(good.target)
    (dense if part == "dense" else target).flat[3] = value
    bad = Table(good.numeric, good.categorical, good.embedding, dense, target)
    with pytest.raises(DivergedError, match="training rows"):
        make_model().bind(bad, good)
    with pytest.raises(DivergedError, match="validation rows"):
        make_model().bind(good, bad)


def test_nan_in_training_ends_as_divergence_and_keeps_the_best(tmp_path: Path) -> None:
    model = bound_model()
    train(model, 2)
    model.mark_best()
    kept, expected = weights(model), model.predict_valid()
    with torch.no_grad():
        model.network[0].weight[0, 0] = torch.nan
    with pytest.raises(DivergedError, match="epoch 3"):
        model.advance()
    assert model.units_done == 2
    with pytest.raises(DivergedError, match="outputs"):
        model.predict_valid()
    model.save(tmp_path)
    saved = make_model()
    saved.load(tmp_path)
    for each in (model, saved):
        each.restore_best()
        assert_same(kept, weights(each))
        np.testing.assert_array_equal(each.predict(make_table(41, seed=1)), expected)


class LastStepBreaks(TinyNetwork):
    """Every loss of the epoch is finite; only the step after the last one is not."""

    def row_losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        outputs.register_hook(lambda gradient: gradient * torch.nan)
        return super().row_losses(outputs, target)


def test_weights_broken_by_the_last_step_are_noticed() -> None:
    model = LastStepBreaks(AdamParams(**(DEFAULTS | {"batch_size": "full"})), make_model().schema)
    model.bind(make_table(), make_table())
    with pytest.raises(DivergedError, match="weights"):
        model.advance()


class Exploding(TinyNetwork):
    """Losses that grow by `growth` in each epoch, with finite weights."""

    growth = 1e7

    def row_losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        return super().row_losses(outputs, target) * 0 + 2.0 * self.growth**self.units_done


@pytest.mark.parametrize(("growth", "epoch"), [(1e7, 2), (3.0, 6)])
def test_a_loss_that_explodes_or_only_grows_is_divergence(growth: float, epoch: int) -> None:
    model = Exploding(make_model().params, make_model().schema)
    model.growth = growth
    model.bind(make_table(), make_table())
    with pytest.raises(DivergedError, match=f"epoch {epoch}:"):
        train(model, 10)


def test_advance_and_predict_leave_the_global_stream_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    model = bound_model()
    train(model, 2)
    model.predict_valid()
    assert torch.equal(torch.get_rng_state(), before)


def test_models_trained_in_turns_equal_models_trained_alone() -> None:
    alone = [bound_model(seed=seed) for seed in (1, 2)]
    for model in alone:
        train(model, 3)
    together = [bound_model(seed=seed) for seed in (1, 2)]
    for _ in range(3):
        for model in together:
            train(model, 1)
            torch.rand(3)
    for a, b in zip(alone, together, strict=True):
        assert_same(weights(a), weights(b))
    assert not torch.equal(weights(alone[0])["0.weight"], weights(alone[1])["0.weight"])


def test_a_plateau_lowers_the_learning_rate() -> None:
    model = bound_model(plateau_factor=0.5, plateau_patience=1)
    for loss, expected in [(1.0, 1e-2), (0.5, 1e-2), (0.6, 1e-2), (0.6, 5e-3)]:
        model.observe(loss)
        assert model.optimizer.param_groups[0]["lr"] == expected


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_predictions_do_not_depend_on_the_batch_size(size: int) -> None:
    model = bound_model()
    train(model, 2)
    expected = model.predict_valid()
    model.prediction_batch_size = size
    np.testing.assert_allclose(model.predict_valid(), expected, rtol=1e-6)


@pytest.mark.parametrize(("rows", "sizes"), [(97, [16] * 5 + [17]), (96, [16] * 6), (98, [16] * 6 + [2])])
def test_a_last_batch_of_one_row_is_merged(rows: int, sizes: list[int]) -> None:
    placed = Rows.place((torch.arange(rows),), torch.arange(rows), None, torch.device("cpu"))
    batches = list(placed.shuffled_batches(16))
    assert [len(batch.target) for batch in batches] == sizes
    seen = torch.cat([batch.target for batch in batches])
    assert torch.equal(seen.sort().values, torch.arange(rows))
    assert all(torch.equal(batch.inputs[0], batch.target) for batch in batches)


def test_row_weights_count_like_repeated_rows() -> None:
    table = make_table(40)
    weight = np.where(np.arange(40) < 10, 3.0, 1.0)
    weighted = Table(table.numeric, table.categorical, table.embedding, table.dense, table.target, weight)
    repeated = table.take(np.repeat(np.arange(40), weight.astype(int)))
    models = []
    for rows in (weighted, repeated):
        model = WithoutNoise(make_model(batch_size="full").params, make_model().schema)
        model.bind(rows, table)
        train(model, 3)
        models.append(model)
    np.testing.assert_allclose(models[0].predict(table), models[1].predict(table), rtol=1e-4)
    unweighted = WithoutNoise(make_model(batch_size="full").params, make_model().schema)
    unweighted.bind(table, table)
    train(unweighted, 3)
    assert np.abs(unweighted.predict(table) - models[0].predict(table)).max() > 1e-3


class WithoutNoise(TinyNetwork):
    """No dropout and no batch statistics: equal losses mean equal steps."""

    def build(self, schema: Schema, params: AdamParams) -> nn.Module:
        return nn.Linear(schema.dense_width, 1)


def test_the_absolute_loss_goes_to_the_median() -> None:
    outputs, target = torch.tensor([[3.0], [0.0]]), torch.tensor([1.0, 1.0])
    assert make_model(loss=Loss.ABSOLUTE).row_losses(outputs, target).tolist() == [2.0, 1.0]
    assert make_model(loss=Loss.SQUARED).row_losses(outputs, target).tolist() == [4.0, 1.0]


def test_read_only_rows_give_no_warning_and_stay_as_they_are() -> None:
    table = make_table()
    before = table.dense.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = make_model()
        model.bind(table, table)
        train(model, 1)
        model.predict(table)
    np.testing.assert_array_equal(table.dense, before)


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    model = TinyNetwork(make_model().params, make_model().schema, threads=2)
    model.bind(make_table(), make_table())
    model.advance()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_gradients_are_clipped() -> None:
    model = bound_model(gradient_clip=1e-3, batch_size="full")
    model.advance()
    norms = [weight.grad.norm() for weight in model.network.parameters()]
    assert torch.stack(norms).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_training_needs_rows() -> None:
    with pytest.raises(ModelError, match="bind"):
        make_model().advance()
    with pytest.raises(ModelError, match="bind"):
        make_model().predict_valid()


def test_dropout_keeps_the_mean_and_drops_the_share() -> None:
    torch.manual_seed(0)
    layer = Dropout(0.25)
    out = layer(torch.ones(1000, 101))
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert out.mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(layer.eval()(out), out)
