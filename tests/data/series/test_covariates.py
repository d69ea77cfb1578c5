from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.data.series.reading import covariate, of_times, read, refusal, values
from tuning.data.series import CovariateRole

N = 12
DAYS = pd.date_range("2020-01-25", periods=N)
WAVE = np.round(np.sin(np.arange(N)), 3)


def of_two(**columns: object) -> pd.DataFrame:
    """Two series of N days each."""
    return pd.DataFrame({"t": [*DAYS, *DAYS], "s": ["a"] * N + ["b"] * N, "y": values(2 * N), **columns})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (WAVE, WAVE),
        ([f"{value}" for value in WAVE], WAVE),
        ([f"{value:.4f}".replace(".", ",") for value in WAVE], WAVE),
        ([*WAVE[:-1], None], [*WAVE[:-1], np.nan]),
        ([True, False] * 6, [1, 0] * 6),
        (["yes", "No"] * 6, [1, 0] * 6),
        ([True, None, False] * 4, [1, np.nan, 0] * 4),
    ],
)
def test_numbers_and_truth_values(column: object, expected: object) -> None:
    one = covariate(read(of_times(DAYS, x=column)).history, "x")
    assert one.role is CovariateRole.PAST
    assert np.array_equal(one.values, np.array([expected], dtype=float), equal_nan=True)


def test_a_category_is_one_covariate_per_level() -> None:
    reading = read(of_times(DAYS, w=["sun", "rain", None] * 4))
    assert reading.history.levels == {"w": ("rain", "sun")}
    assert [one.name for one in reading.history.covariates] == ["w=rain", "w=sun"]
    rain = covariate(reading.history, "w=rain").values
    assert np.array_equal(rain, [[0, 1, np.nan] * 4], equal_nan=True)


def test_roles_are_inferred_and_said() -> None:
    frame = of_two(
        x=[*WAVE, *WAVE], z=[*WAVE, *WAVE], size=[5] * N + [7] * N, kind=["big"] * N + ["small"] * N
    )
    reading = read(frame, series="s", roles={"z": "known"})
    roles = {one.name: one.role.value for one in reading.history.covariates}
    assert roles == {
        "x": "past",
        "z": "known",
        "size": "static",
        "kind=big": "static",
        "kind=small": "static",
    }
    assert covariate(reading.history, "size").values.tolist() == [5, 7]
    assert covariate(reading.history, "kind=big").values.tolist() == [1, 0]
    assert reading.notes == (
        "Column 'x': known only up to a forecast's origin (role past); where one is known for the time to "
        "come, give --known NAME or --set data.roles.NAME=known.",
        "Columns 'size', 'kind': one value per series (role static).",
    )


def test_a_role_that_is_given_counts() -> None:
    frame = of_two(size=[5] * N + [7] * N, x=[*WAVE, *WAVE], gone=[*WAVE, *WAVE], i=range(2 * N))
    roles = {"size": "known", "x": "static", "gone": "drop", "i": "past"}
    reading = read(frame, series="s", roles=roles)
    found = {one.name: one.role.value for one in reading.history.covariates}
    assert found == {"size": "known", "x": "static", "i": "past"}
    assert covariate(reading.history, "size").values.shape == (2, N)
    assert covariate(reading.history, "x").values.tolist() == [WAVE[0], WAVE[0]]
    assert reading.notes == (
        "Column 'x': has the role static but changes within series: the first value counts.",
    )


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (
            range(100, 100 + N),
            "as the numbers of rows (keep it by --set data.roles.NAME=known, past or static)",
        ),
        ([3.5] * N, "all rows to learn from hold one value"),
        (["same"] * N, "all rows to learn from hold one value"),
        ([None] * N, "no row to learn from has a value"),
        (DAYS[::-1], "as dates other than the time of the series"),
        (DAYS[::-1].strftime("%d.%m.%Y"), "as dates other than the time of the series"),
        ([[1, 2]] * N, "as lists"),
        ([{"a": 1}] * N, "as lists"),
    ],
)
def test_columns_that_are_dropped(column: object, why: str) -> None:
    reading = read(of_times(DAYS, x=list(column)))  # type: ignore[call-overload]
    assert reading.history.covariates == ()
    assert reading.notes == (f"Column 'x': dropped, {why}.",)


def test_a_category_of_many_levels_is_dropped() -> None:
    days = pd.date_range("2020-01-01", periods=34)
    few, many = [f"l{k % 16:02d}" for k in range(34)], [f"l{k % 17:02d}" for k in range(34)]
    reading = read(of_times(days, few=few, many=many))
    assert len(reading.history.covariates) == 16
    assert "Column 'many': dropped, as categories of more than 16 levels." in reading.notes


def test_a_count_within_each_series_is_dropped() -> None:
    reading = read(of_two(n=[*range(N), *range(N)]), series="s")
    assert reading.history.covariates == ()


def test_one_series_has_nothing_static() -> None:
    assert read(of_times(DAYS, x=[4] * N)).history.covariates == ()


def test_values_lie_at_their_time() -> None:
    order = np.random.default_rng(0).permutation(2 * N)
    frame = of_two(x=np.arange(2.0 * N) ** 2).iloc[order].reset_index(drop=True)
    history = read(frame, series="s").history
    assert np.array_equal(covariate(history, "x").values, frame["x"].to_numpy()[history.rows])


def test_what_is_decided_does_not_depend_on_later_rows() -> None:
    kinds = ["a", "b"] * 4 + ["c"] * 4
    late = [1.0] * 8 + [2.0] * 4
    frame = of_times(DAYS, w=kinds, late=late)
    reading = read(frame, fit_before=np.datetime64(DAYS[8]))
    assert reading.history.levels == {"w": ("a", "b")}
    assert [one.name for one in reading.history.covariates] == ["w=a", "w=b"]
    assert covariate(reading.history, "w=a").values[0, 8:].tolist() == [0.0] * 4
    assert read(frame).history.levels == {"w": ("a", "b", "c")}
    changed = frame.assign(w=[*kinds[:8], *"defg"], late=[*late[:8], 5.0, 6.0, 7.0, 8.0])
    assert read(changed, fit_before=np.datetime64(DAYS[8])).spec == reading.spec


def test_a_role_of_tables_is_refused() -> None:
    message = refusal(of_times(DAYS, x=WAVE), roles={"x": "numeric"})
    assert "use known, past, static or drop" in message
