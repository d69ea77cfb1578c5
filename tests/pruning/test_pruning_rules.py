"""Pruning rules against hand-worked curves, and their rebuilding from a record."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

import pytest

from tuning.config import PrunerName, PruningConfig
from tuning.metrics import Direction
from tuning.pruning import AshaPruner, MedianPruner, NoPruner, Pruner, make_pruner

BOTH = pytest.mark.parametrize("direction", list(Direction))


def signed(direction: Direction, loss: float) -> float:
    """A score in the metric's own direction whose loss is `loss`."""
    return loss if direction is Direction.MINIMIZE else -loss


def report_all(pruner: Pruner, iteration: int, losses: Mapping[int, float]) -> dict[int, bool]:
    """Report losses in the order given; True where the trial is stopped."""
    return {
        number: pruner.report(number, iteration, signed(pruner.direction, loss))
        for number, loss in losses.items()
    }


@BOTH
def test_asha_stops_what_is_not_among_the_best_third_of_those_before(direction: Direction) -> None:
    pruner = AshaPruner(27, direction)
    # Cutoffs are the 1/3 quantile of the others: none; 1; 1.333; 1.667; 1 (of 1, 2, 3, 0.5 -> 1.0).
    stopped = report_all(pruner, 1, {0: 1.0, 1: 2.0, 2: 3.0, 3: 0.5, 4: 1.0, 5: 1.0001})
    assert stopped == {0: False, 1: True, 2: True, 3: False, 4: False, 5: True}


@BOTH
def test_asha_compares_only_at_its_rungs(direction: Direction) -> None:
    pruner = AshaPruner(27, direction)
    assert pruner.checkpoint_iterations == {1, 3, 9, 27}
    report_all(pruner, 1, {0: 1.0, 1: 1.0})
    assert report_all(pruner, 2, {0: 0.5, 1: 9.0}) == {0: False, 1: False}
    assert report_all(pruner, 3, {0: 0.5, 1: 9.0}) == {0: False, 1: True}


@BOTH
def test_asha_judges_the_best_score_so_far(direction: Direction) -> None:
    pruner = AshaPruner(9, direction)
    report_all(pruner, 1, {0: 1.0, 1: 0.9})
    report_all(pruner, 2, {0: 0.8, 1: 0.2})
    # Trial 1 was at 0.2 once: its present 5.0 does not count against it.
    assert report_all(pruner, 3, {0: 0.7, 1: 5.0}) == {0: False, 1: False}
    assert pruner.rung(3) == {0: 0.7, 1: 0.2}


@BOTH
def test_asha_never_stops_at_the_last_iteration(direction: Direction) -> None:
    pruner = AshaPruner(3, direction)
    assert report_all(pruner, 3, {0: 1.0, 1: 2.0, 2: math.nan}) == {0: False, 1: False, 2: False}


@BOTH
def test_asha_with_a_grace_leaves_early_iterations_alone(direction: Direction) -> None:
    pruner = AshaPruner(20, direction, grace_iterations=2, reduction_factor=4)
    assert pruner.checkpoint_iterations == {2, 8, 20}
    assert report_all(pruner, 1, {0: 1.0, 1: 2.0}) == {0: False, 1: False}
    assert report_all(pruner, 2, {0: 1.0, 1: 2.0}) == {0: False, 1: True}


@BOTH
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_neither_enters_a_cutoff_nor_switches_pruning_off(
    direction: Direction, bad: float
) -> None:
    pruner = AshaPruner(27, direction)
    # It stops itself, having no finite score, even when it is first.
    assert pruner.report(0, 1, bad)
    assert report_all(pruner, 1, {1: 1.0, 2: 2.0, 3: 0.5}) == {1: False, 2: True, 3: False}
    assert pruner.rung(1) == {1: 1.0, 2: 2.0, 3: 0.5}


@BOTH
def test_one_bad_score_does_not_hide_a_good_one_before_it(direction: Direction) -> None:
    pruner = AshaPruner(27, direction)
    report_all(pruner, 1, {0: 1.0, 1: 0.1})
    report_all(pruner, 2, {1: math.nan})
    report_all(pruner, 3, {0: 0.9})
    assert not pruner.report(1, 3, math.inf)
    assert pruner.best_until(1, 3) == 0.1


@BOTH
def test_a_trial_that_ended_early_counts_at_every_later_rung(direction: Direction) -> None:
    pruner = AshaPruner(27, direction)
    report_all(pruner, 1, {0: 0.5})
    pruner.report(0, 27, signed(direction, 0.3))
    assert pruner.rung(9) == {0: 0.5}
    assert pruner.rung(27) == {0: 0.3}
    report_all(pruner, 1, {1: 0.4})
    assert not pruner.report(1, 3, signed(direction, 0.4))
    report_all(pruner, 1, {2: 0.35})
    assert pruner.report(2, 9, signed(direction, 0.6)) is False
    report_all(pruner, 1, {3: 0.45})
    assert pruner.report(3, 9, signed(direction, 0.7))


@BOTH
def test_the_rule_rebuilt_from_curves_in_any_order_is_the_live_one(direction: Direction) -> None:
    rng = random.Random(3)
    live = AshaPruner(27, direction)
    curves: dict[int, dict[int, float]] = {}
    for number in range(40):
        for iteration in range(1, 28):
            value = rng.choice([rng.random(), rng.random(), math.nan if iteration > 4 else rng.random()])
            curves.setdefault(number, {})[iteration] = value
            if live.report(number, iteration, value):
                break
    order = list(curves)
    rng.shuffle(order)
    rebuilt = AshaPruner(27, direction)
    rebuilt.replay({number: curves[number] for number in order})
    assert any(len(live.rung(level)) > 1 for level in (9, 27))
    for level in live.levels:
        assert rebuilt.rung(level) == live.rung(level)
    for loss in (0.001, 0.1, 0.3, 0.9):
        value = signed(direction, loss)
        assert rebuilt.report(99, 1, value) == live.report(99, 1, value)


def test_replayed_curves_are_copies() -> None:
    curve = {1: 1.0}
    pruner = AshaPruner(27, Direction.MINIMIZE)
    pruner.replay({0: curve})
    pruner.report(0, 2, 0.5)
    assert curve == {1: 1.0}


@BOTH
def test_median_stops_what_is_worse_than_the_median_of_enough_others(direction: Direction) -> None:
    pruner = MedianPruner(10, direction, startup_trials=3, warmup_iterations=2)
    others = {0: 1.0, 1: 2.0, 2: 3.0}
    for iteration in (1, 2, 3):
        report_all(pruner, iteration, others)
    assert pruner.report(3, 3, signed(direction, 2.0)) is False
    assert pruner.report(4, 3, signed(direction, 2.1)) is True
    assert pruner.report(5, 3, signed(direction, math.nan)) is True


@BOTH
def test_median_waits_for_its_start_up_trials_and_its_warm_up(direction: Direction) -> None:
    pruner = MedianPruner(10, direction, startup_trials=3, warmup_iterations=2)
    assert pruner.checkpoint_iterations == {1, *range(3, 11)}
    for iteration in (1, 2, 3):
        report_all(pruner, iteration, {0: 1.0, 1: 1.0})
    assert pruner.report(2, 3, signed(direction, 9.0)) is False  # two others only
    pruner.report(3, 3, signed(direction, 1.0))
    assert pruner.report(4, 2, signed(direction, 9.0)) is False  # warm-up
    assert pruner.report(4, 3, signed(direction, 9.0)) is True


@BOTH
def test_median_compares_with_those_that_reached_the_iteration(direction: Direction) -> None:
    pruner = MedianPruner(10, direction, startup_trials=2, warmup_iterations=0)
    report_all(pruner, 1, {0: 0.1, 1: 0.1, 2: 5.0})
    report_all(pruner, 4, {3: 1.0, 4: 3.0})
    assert pruner.report(2, 4, signed(direction, 1.9)) is False
    assert pruner.report(5, 4, signed(direction, 3.0)) is True


@BOTH
def test_none_never_stops(direction: Direction) -> None:
    pruner = NoPruner(27, direction)
    report_all(pruner, 1, {0: 0.0, 1: 0.0})
    assert report_all(pruner, 1, {2: 99.0, 3: math.nan}) == {2: False, 3: False}
    assert 27 in pruner.checkpoint_iterations


@pytest.mark.parametrize(
    ("name", "kind", "checkpoints"),
    [
        (PrunerName.ASHA, AshaPruner, {2, 4, 8, 9}),
        (PrunerName.MEDIAN, MedianPruner, {1, 3, 8, 9}),
        (PrunerName.NONE, NoPruner, {1, 3, 9}),
    ],
)
def test_the_configuration_chooses_the_rule(
    name: PrunerName, kind: type[Pruner], checkpoints: set[int]
) -> None:
    config = PruningConfig(
        pruner=name, max_iterations=9, grace_iterations=2, reduction_factor=2, warmup_iterations=7
    )
    pruner = make_pruner(config, Direction.MAXIMIZE)
    assert type(pruner) is kind
    assert pruner.direction is Direction.MAXIMIZE
    assert pruner.checkpoint_iterations == checkpoints
