"""Forecasting networks: what they see, where they start, and that no step sees a later one."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import yaml
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from tuning.models import Loss, Table, load_family
from tuning.models._forecast_inputs import Guess, PastFlag, forecast_inputs
from tuning.models._forecaster import TorchForecaster
from tuning.models.errors import ModelError
from tuning.models.tcn import CausalConvolution, TemporalBlock, TemporalConvolutions
from tuning.models.transformer import AttentionBody, TransformerParams

sys.path.insert(0, str(Path(__file__).parent))
from cases import Problem, default_config
from series_cases import HORIZON, LATE_START, SEASON, make_forecasting_problem, make_panel, rows_of_windows

NETWORKS = ("lstm", "tcn", "transformer")


@cache
def problem(loss: Loss = Loss.SQUARED) -> Problem:
    return make_forecasting_problem(loss=loss)


def make(name: str, given: Problem | None = None, **changes: Any) -> TorchForecaster[Any]:
    """A network of the default configuration, with rows."""
    space = yaml.safe_load(files("tuning.search_spaces").joinpath(f"{name}.yaml").read_text())
    family, given = load_family(name), given or problem()
    model = family(family.Params(**(default_config(space) | changes)), given.schema, seed=1)
    model.bind(given.train, given.valid)
    assert isinstance(model, TorchForecaster)
    return model


def window(table: Table, number: int) -> Table:
    return table.take(rows_of_windows(table, number, number + 1))


def mean_error(outputs: npt.NDArray[np.float64], table: Table) -> float:
    return float(np.mean(np.abs(outputs - table.known_target)))


# -- inputs ----------------------------------------------------------------------------------------


def cut(table: Table, window_size: int) -> Any:
    assert table.windows is not None
    return forecast_inputs(table.windows, SEASON, window_size, problem().schema.target)


def test_the_past_ends_at_the_origin() -> None:
    table, panel = window(problem().valid, 3), make_panel()
    assert table.windows is not None
    series, origin = int(table.windows.series[0]), int(table.windows.origin[0])
    past = cut(table, 7).past
    assert past.shape == (1, 7, len(PastFlag) + 3)
    steps = slice(origin - 6, origin + 1)
    z = table.windows.standardise(panel.values[[series], steps])
    np.testing.assert_allclose(past[0, :, PastFlag.VALUE], problem().schema.target.standardise(z)[0], 1e-5)
    np.testing.assert_array_equal(past[0, :, PastFlag.PRESENT], 1)
    np.testing.assert_array_equal(past[0, :, PastFlag.OBSERVED], panel.observed[series, steps])
    np.testing.assert_array_equal(past[0, :, 3:4], panel.past[series, steps])
    np.testing.assert_array_equal(past[0, :, 4:], panel.known[series, steps])


def test_steps_before_a_series_or_before_the_grid_are_all_zero() -> None:
    train = problem().train
    assert train.windows is not None
    past = cut(train, 9).past
    missing = np.maximum(8 - train.windows.origin + np.where(train.windows.series == 2, LATE_START, 0), 0)
    assert missing.max() == 8
    np.testing.assert_array_equal((past[..., PastFlag.PRESENT] == 0).sum(axis=1), missing)
    np.testing.assert_array_equal(past[past[..., PastFlag.PRESENT] == 0], 0.0)


def test_the_future_holds_guesses_and_what_is_known_in_advance() -> None:
    table, panel = window(problem().valid, 3), make_panel()
    windows = table.windows
    assert windows is not None
    series, origin = int(windows.series[0]), int(windows.origin[0])
    future = cut(table, 7).future
    values, ahead = panel.values[series], np.arange(1, HORIZON + 1)
    before = values[origin + ahead - SEASON]
    for guess, expected in (
        (Guess.LAST, np.full(HORIZON, values[origin])),
        (Guess.SEASONAL, before),
        (Guess.CHANGED, values[origin] + before - values[origin - SEASON]),
    ):
        z = windows.standardise(expected[None])
        np.testing.assert_allclose(future[..., guess], problem().schema.target.standardise(z), atol=1e-5)
    np.testing.assert_array_equal(future[0, :, len(Guess)], 1)
    np.testing.assert_array_equal(future[0, :, len(Guess) + 1 :], panel.known[series, origin + ahead])


def test_without_a_season_before_the_guesses_are_the_last_value() -> None:
    future = cut(window(problem().train, 0), 7).future  # origin 3: the season is longer than the past
    assert not future[0, 0, len(Guess)]
    np.testing.assert_array_equal(future[0, 0, : len(Guess)], future[0, 0, Guess.LAST])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_sees_window_size_steps(name: str) -> None:
    for window_size in (5, 12):
        model = make(name, window_size=window_size)
        past, _, _, _ = model.inputs(problem().valid)
        assert past.shape[1] == window_size
        assert np.isfinite(model.predict_valid()).all()


# -- training --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_an_untrained_network_forecasts_the_mean_of_its_guesses(name: str) -> None:
    model, table = make(name), problem().valid
    assert table.windows is not None
    future = cut(table, model.params.window_size).future.astype(np.float64)
    guesses = problem().schema.target.unstandardise(future[..., : len(Guess)].sum(axis=2) / 4)
    target = problem().schema.target  # the fourth guess is the location, 0 before standardising
    expected = guesses - target.mean / 4
    np.testing.assert_allclose(model.predict(table), expected[table.windows.mask], atol=1e-5)


@pytest.mark.parametrize("loss", [Loss.SQUARED, Loss.ABSOLUTE])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_beats_naive_forecasts(name: str, loss: Loss) -> None:
    model, valid = make(name, problem(loss), batch_size=16, learning_rate=2e-3), problem().valid
    for _ in range(15):
        model.advance()
    rivals = [load_family(rival) for rival in ("naive", "seasonal_naive")]
    errors = [mean_error(rival(rival.Params(), model.schema).predict(valid), valid) for rival in rivals]
    assert mean_error(model.predict(valid), valid) < 0.9 * min(errors)


def test_a_step_without_a_target_has_no_loss() -> None:
    model = make("lstm")
    target = model.targets(problem().train)
    assert target.shape == (len(problem().train.windows or ()), HORIZON, 2)
    outputs = torch.zeros(target.shape[:2])
    elsewhere = torch.where(target[..., 1] == 0, 1e6, outputs)
    torch.testing.assert_close(model.row_losses(elsewhere, target), model.row_losses(outputs, target))


def test_the_loss_is_the_schemas() -> None:
    target = torch.tensor([[[3.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])
    outputs = torch.tensor([[0.0, 9.0, 0.0, 0.0]])
    for loss, expected in ((Loss.ABSOLUTE, 4.0), (Loss.SQUARED, 10.0)):
        assert make("lstm", problem(loss)).row_losses(outputs, target).item() == expected / HORIZON


def test_a_window_weighs_what_its_rows_weigh_on_average() -> None:
    train = problem().train
    assert train.windows is not None
    weight = np.arange(len(train), dtype=np.float64)
    weights = make("lstm").weights(replace(train, weight=weight))
    assert weights is not None
    expected = [
        weight[rows].mean() if len(rows := rows_of_windows(train, i, i + 1)) else 0.0
        for i in range(len(train.windows))
    ]
    np.testing.assert_allclose(weights, expected)
    assert make("lstm").weights(train) is None


def test_an_epoch_ends_after_steps_per_epoch() -> None:
    steps: list[int] = []
    model = make("lstm", batch_size=16, steps_per_epoch=3)
    model.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    model.advance()
    assert len(steps) == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unknown_series_is_forecast_without_a_vector(name: str) -> None:
    model, table = make(name), window(problem().valid, 3)
    for _ in range(3):
        model.advance()
    assert table.windows is not None
    panel = table.windows.panel
    unknown = replace(panel, codes=np.full_like(panel.codes, -1))
    stranger = replace(table, windows=replace(table.windows, panel=unknown))
    assert np.isfinite(model.predict(stranger)).all()
    assert not np.array_equal(model.predict(stranger), model.predict(table))
    assert not model.network.embedding.vectors.weight[0].any()


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_that_are_no_forecasts_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="no forecasts"):
        make(name).predict(replace(problem().valid, windows=None))


# -- causality -------------------------------------------------------------------------------------


def changed_at(step: int, x: torch.Tensor) -> torch.Tensor:
    """(B, T, C) with another `step`."""
    other = x.clone()
    other[:, step] += 100.0
    return other


def changed_outputs(before: torch.Tensor, after: torch.Tensor) -> list[int]:
    """The steps at which (B, T, C) outputs differ."""
    return (before != after).any(dim=2).any(dim=0).nonzero().flatten().tolist()


def test_no_convolution_sees_a_later_step() -> None:
    block = TemporalBlock(3, 8, kernel_size=3, dropout=0.0).eval()
    x = torch.randn(4, 12, 3)
    with torch.inference_mode():
        before = block(x.mT).mT  # (B, T, C) by way of (B, C, T)
        for step in range(12):
            after = block(changed_at(step, x).mT).mT
            assert changed_outputs(before, after) == list(range(step, min(step + 5, 12)))


def dilated(block: TemporalBlock, x: torch.Tensor, dilation: int) -> torch.Tensor:
    """The block with dilation, (B, inputs, T) -> (B, channels, T), as published."""
    out = x
    for layer in block.body:
        if isinstance(layer, CausalConvolution):
            padded = functional.pad(out, (layer.left_padding * dilation, 0))
            weight, bias = layer.convolution.weight, layer.convolution.bias
            out = functional.conv1d(padded, weight, bias, dilation=dilation)
        else:
            out = layer(out)
    return functional.relu(out + block.shortcut(x))


@pytest.mark.parametrize("steps", [1, 2, 7, 14, 30])
def test_the_steps_that_are_left_out_do_not_count(steps: int) -> None:
    network = TemporalConvolutions(3, (8, 6, 8, 4), kernel_size=3, dropout=0.0).eval()
    x = torch.randn(4, steps, 3)
    with torch.inference_mode():
        out = x.mT
        for level, block in enumerate(network.blocks):
            assert isinstance(block, TemporalBlock)
            out = dilated(block, out, 2**level)
        torch.testing.assert_close(network(x), out[..., -1])


def test_a_channel_that_is_never_active_stays_finite() -> None:
    model = make("tcn", learning_rate=0.01, weight_decay=1e-3)
    blocks = [part for part in model.network.modules() if isinstance(part, TemporalBlock)]
    convolutions = [part for part in blocks[0].modules() if isinstance(part, nn.Conv1d)]
    with torch.no_grad():
        assert convolutions[0].bias is not None
        convolutions[0].bias[0] = -1e6  # what it reads never makes it active
    direction = convolutions[0].parametrizations.weight.original1
    before = direction[0].clone()
    for _ in range(3):
        model.advance()
    torch.testing.assert_close(direction[0], before, rtol=0, atol=0)


def attention_body(**changes: int) -> AttentionBody:
    sizes = {"d_model": 16, "nhead": 4, "encoder_layers": 2, "decoder_layers": 2, "dim_feedforward": 32}
    params = TransformerParams(
        **(sizes | changes), window_size=6, dropout=0.0, epochs=1, batch_size=4, learning_rate=0.1
    )
    return AttentionBody(past_inputs=4, future_inputs=3, horizon=5, params=params).eval()


def make_past() -> torch.Tensor:
    past = torch.randn(2, 6, 4)
    past[..., PastFlag.PRESENT] = 1.0
    return past


def test_the_decoder_sees_no_later_step() -> None:
    body, past, future = attention_body(), make_past(), torch.randn(2, 5, 3)
    with torch.inference_mode():
        before = body(past, future)
        for step in range(5):
            touched = changed_outputs(before, body(past, changed_at(step, future)))
            assert touched == list(range(step, 5))


def test_the_decoder_sees_the_whole_past_but_not_what_lies_before_the_series() -> None:
    body, past, future = attention_body(), make_past(), torch.randn(2, 5, 3)
    past[:, :2, PastFlag.PRESENT] = 0.0
    with torch.inference_mode():
        before = body(past, future)
        for step in range(6):
            other = changed_at(step, past)
            other[..., PastFlag.PRESENT] = past[..., PastFlag.PRESENT]
            touched = changed_outputs(before, body(other, future))
            assert touched == ([] if step < 2 else [0, 1, 2, 3, 4])


@pytest.mark.parametrize("changes", [{"d_model": 18}, {"d_model": 15, "nhead": 3}])
def test_attention_heads_must_divide_an_even_width(changes: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="multiple of"):
        attention_body(**changes)
