"""The CNN-LSTM: the published size, padding that changes nothing, class weights, and what it can learn."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError

from tuning import search_spaces
from tuning.models import Loss, Schema, Sequences, SequenceSchema, Table, Task
from tuning.models._sequence_layers import BidirectionalLSTM, ConvolutionBlock, Padding, PairPooling
from tuning.models.cnn_lstm import CnnLstm, CnnLstmParams
from tuning.models.errors import ModelError

sys.path.insert(0, str(Path(__file__).parent))
from cases import Inputs, Problem, default_config, make_problem, make_sequence_problem

SPACE = yaml.safe_load((Path(search_spaces.__file__).parent / "cnn_lstm.yaml").read_text())
SMALL = {"projection_width": 16, "channels": 16, "hidden_size": 16, "batch_size": 32}
SEQUENCE_PROBLEMS = [(Task.MULTICLASS, Inputs.STEPS), (Task.BINARY, Inputs.CHARACTERS)]


def params(**changes: Any) -> CnnLstmParams:
    return CnnLstmParams(**{**default_config(SPACE), **changes})


def trained(problem: Problem, epochs: int = 2, **changes: Any) -> CnnLstm:
    model = CnnLstm(params(**SMALL, **changes), problem.schema)
    model.bind(problem.train, problem.valid)
    for _ in range(epochs):
        model.advance()
    return model


def parameters(schema: Schema, **changes: Any) -> int:
    network = CnnLstm(params(**changes), schema).network
    return sum(weight.numel() for weight in network.parameters())


def test_the_default_network_has_the_published_size() -> None:
    schema = Schema(Task.MULTICLASS, Loss.LOG, dense_width=47, n_classes=3)
    assert parameters(schema) == 294_851


def test_without_attention_its_parameters_are_gone() -> None:
    schema = Schema(Task.MULTICLASS, Loss.LOG, dense_width=47, n_classes=3)
    attention = 256 * 64 + 64 + 64
    assert parameters(schema) - parameters(schema, attention=False) == attention


def test_a_sequence_goes_straight_to_the_convolutions() -> None:
    features = Schema(Task.MULTICLASS, Loss.LOG, dense_width=47, n_classes=3)
    steps = replace(features, sequence=SequenceSchema(channels=12, vocabulary=0, max_length=29))
    projection, more_inputs = 47 * 256 + 256 + 2 * 256, 128 * 3 * 11
    assert parameters(features) - parameters(steps) == projection - more_inputs


@pytest.mark.parametrize(("task", "inputs"), SEQUENCE_PROBLEMS)
@pytest.mark.parametrize("attention", [True, False])
def test_padding_changes_no_prediction(task: Task, inputs: Inputs, attention: bool) -> None:
    problem = make_sequence_problem(task, inputs)
    model = trained(problem, attention=attention, attention_width=32)
    together = model.predict(problem.valid)
    alone = [model.predict(problem.valid.take([row]))[0] for row in range(20)]
    np.testing.assert_allclose(alone, together[:20], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("task", "inputs"), SEQUENCE_PROBLEMS)
def test_padding_changes_no_training_step(task: Task, inputs: Inputs) -> None:
    """Logits and statistics in training mode, with 5 more steps of padding for every row."""
    problem = make_sequence_problem(task, inputs)
    model = CnnLstm(params(**SMALL, convolution_dropout=0.0, head_dropout=0.0), problem.schema)
    steps, lengths = model.inputs(problem.train)
    tight = _features_after_convolution(model, steps, lengths, extra=0)
    statistics = model.network.wide.after[1].running_mean.clone()
    loose = _features_after_convolution(model, steps, lengths, extra=5)
    torch.testing.assert_close(loose[:, : tight.shape[1]], tight)
    assert not loose[:, tight.shape[1] :].any()
    # Twice the same statistics, with momentum .1: 0.1 m, then 0.9 * 0.1 m + 0.1 m.
    torch.testing.assert_close(model.network.wide.after[1].running_mean, 1.9 * statistics)


def _features_after_convolution(
    model: CnnLstm, steps: torch.Tensor, lengths: torch.Tensor, extra: int
) -> torch.Tensor:
    x, padding = model.network.source(steps, lengths)
    assert padding is not None
    x = torch.nn.functional.pad(x, (0, 0, 0, extra))
    padding = Padding.of(padding.lengths, x.shape[1])
    return model.network.pooling(model.network.wide(x, padding), padding)


def test_masked_statistics_are_those_of_the_real_steps() -> None:
    block = ConvolutionBlock(2, 4, kernel_size=1, dropout=0.0)
    x, lengths = torch.randn(3, 5, 2), torch.tensor([5, 2, 1])
    padding = Padding.of(lengths, 5)
    real = torch.cat([block.convolution(x[i : i + 1, :n].mT).mT[0] for i, n in enumerate(lengths)]).relu()
    block(x, padding)
    torch.testing.assert_close(block.after[1].running_mean, 0.1 * real.mean(0))


def test_pooling_keeps_a_last_step_without_neighbour() -> None:
    x = -torch.arange(1.0, 7.0).view(2, 3, 1)
    pooled = PairPooling()(x, Padding.of(torch.tensor([3, 1]), 3))
    assert pooled.flatten().tolist() == [-1.0, -3.0, -4.0, 0.0]


def test_each_sequence_is_read_backwards_from_its_own_end() -> None:
    lstm = BidirectionalLSTM(2, 3)
    x = torch.randn(2, 6, 2)
    padded = lstm(x, Padding.of(torch.tensor([6, 4]), 6))
    torch.testing.assert_close(padded[1, :4], lstm(x[1:, :4], None)[0])


def test_balanced_weights_come_from_the_training_rows() -> None:
    problem = make_problem(Task.BINARY)
    target = np.zeros(240, dtype=np.int64)
    target[:60] = 1
    rows = Problem(problem.schema, replace(problem.train, target=target), problem.valid)
    model = trained(rows, epochs=0, class_weights="balanced")
    np.testing.assert_allclose(model.network.class_weights, [240 / (2 * 180), 240 / (2 * 60)])


def test_balanced_weights_go_by_the_weights_of_rows() -> None:
    problem = make_problem(Task.BINARY)
    target = (np.arange(240) % 2).astype(np.int64)
    rows = replace(problem.train, target=target, weight=np.where(target == 1, 3.0, 1.0))
    model = trained(Problem(problem.schema, rows, problem.valid), epochs=0, class_weights="balanced")
    np.testing.assert_allclose(model.network.class_weights, [2.0, 2 / 3], rtol=1e-6)


def test_square_root_weights_are_the_roots_of_balanced_ones() -> None:
    problem = make_problem(Task.MULTICLASS)
    balanced, root = (
        trained(problem, epochs=0, class_weights=choice).network.class_weights.numpy()
        for choice in ("balanced", "square_root")
    )
    assert balanced.max() > 1.05
    np.testing.assert_allclose(root**2, balanced, rtol=1e-6)


def test_without_class_weights_every_row_counts_the_same() -> None:
    model = trained(make_problem(Task.MULTICLASS), epochs=0, class_weights="none")
    assert model.network.class_weights.tolist() == [1.0, 1.0, 1.0]


def test_a_class_that_training_lacks_has_weight_one() -> None:
    problem = make_problem(Task.MULTICLASS)
    target = (np.arange(240) % 2).astype(np.int64)
    model = trained(Problem(problem.schema, replace(problem.train, target=target), problem.valid), epochs=0)
    assert model.network.class_weights.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("task", "inputs"), SEQUENCE_PROBLEMS)
def test_it_learns_what_sequences_tell(task: Task, inputs: Inputs) -> None:
    problem = make_sequence_problem(task, inputs, n_train=480)
    model = trained(problem, epochs=12, learning_rate=1e-2, convolution_dropout=0.0)
    right = model.predict_valid().argmax(axis=1) == problem.valid.target
    assert right.mean() > 0.8


def test_sequences_beyond_the_known_length_are_cut() -> None:
    problem = make_sequence_problem(Task.BINARY, Inputs.CHARACTERS)
    model = trained(problem)
    known = rows_of([[1, 2, 3] * 3], problem.valid)
    longer = rows_of([[1, 2, 3] * 7], problem.valid)
    np.testing.assert_array_equal(model.predict(known), model.predict(longer))


def rows_of(codes: list[list[int]], table: Table) -> Table:
    offsets = np.cumsum([0, *map(len, codes)]).astype(np.int64)
    sequence = Sequences(np.concatenate(codes).astype(np.int32), offsets)
    return replace(table.take(slice(0, len(codes))), sequence=sequence)


def test_batches_hold_sequences_of_like_length() -> None:
    problem = make_sequence_problem(Task.MULTICLASS, Inputs.STEPS, n_train=640, longest=40)
    rows = trained(problem, epochs=0)._train_rows
    assert rows is not None
    spreads = [float(batch.inputs[1].float().std()) for batch in rows.shuffled_batches(32)]
    assert np.mean(spreads) < 0.3 * float(rows.inputs[1].float().std())
    seen = torch.cat([batch.inputs[0].flatten(1).sum(1) for batch in rows.shuffled_batches(32)])
    assert sorted(seen.tolist()) == sorted(rows.inputs[0].flatten(1).sum(1).tolist())


def test_rows_without_their_sequence_are_refused() -> None:
    problem = make_sequence_problem(Task.MULTICLASS, Inputs.STEPS)
    with pytest.raises(ModelError, match="these rows have none"):
        trained(problem).predict(replace(problem.valid, sequence=None))


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(ModelError, match="at least one column"):
        CnnLstm(params(), Schema(Task.BINARY, Loss.LOG, n_classes=2))


def test_attention_needs_its_width() -> None:
    with pytest.raises(ValidationError, match="attention needs attention_width"):
        params(attention_width=None)
