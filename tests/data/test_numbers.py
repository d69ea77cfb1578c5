"""Numbers as people write them: the form is learnt over a column, and later text is read by it alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tuning.data._numbers import NumberFormat, infer_numbers

NO = float("nan")


def read(values: list[object]) -> list[float]:
    column = pd.Series(values)
    return list(infer_numbers(column).format.read(column))


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        pytest.param(["12", "-0.5", "1e3", "2E-3", ".5", "5."], [12, -0.5, 1000, 0.002, 0.5, 5], id="plain"),
        pytest.param(["1,234", "12", "2.5"], [1234, 12, 2.5], id="commas between thousands"),
        pytest.param(["1.234,5", "2.500", "3"], [1234.5, 2500, 3], id="points between thousands"),
        pytest.param(["1.234.567", "2.000"], [1234567, 2000], id="points alone"),
        pytest.param(["1 234,5", "12\u202f000", "3\u00a0000 000"], [1234.5, 12000, 3000000], id="spaces"),
        pytest.param(["1'234.5", "2\u2019000"], [1234.5, 2000], id="apostrophes"),
        pytest.param(["12,34,567", "1,23,456.5"], [1234567, 123456.5], id="Indian"),
        pytest.param(["\u22125", "\u20132.5", "5-", "+3"], [-5, -2.5, -5, 3], id="signs"),
        pytest.param(["(1,234)", "(12.5)", "7"], [-1234, -12.5, 7], id="parentheses"),
        pytest.param(["$ 5", "$1,200.50", "-$3", "$(2)"], [5, 1200.5, -3, -2], id="dollars before"),
        pytest.param(["12 \u20ac", "1.200,50\u20ac"], [12, 1200.5], id="euros behind"),
        pytest.param(["EUR 12", "EUR 1 000"], [12, 1000], id="codes of currencies"),
        pytest.param(["5 kg", "12kg", "1.5 KG"], [5, 12, 1.5], id="unit"),
        pytest.param(["1 month", "36 months"], [1, 36], id="plural"),
        pytest.param(["5 \u00b0C", "-3\u2103"], [5, -3], id="degrees in two characters and in one"),
        pytest.param(["5 %", "7.5%"], [5, 7.5], id="percent"),
        pytest.param(["\uff15\uff10", "1"], [50, 1], id="wide digits"),
    ],
)
def test_numbers_are_read_as_people_write_them(values: list[object], numbers: list[float]) -> None:
    assert read(values) == numbers


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["0,841", "0,123", "1,500"], [0.841, 0.123, 1.5]),
        (["1,234", "2,5"], [1.234, 2.5]),
        (["1,234", "1,234,567"], [1234, 1234567]),
        (["2.500", "1,25"], [2500, 1.25]),
    ],
)
def test_commas_are_told_by_all_values(values: list[object], numbers: list[float]) -> None:
    guess = infer_numbers(pd.Series(values))
    assert guess.format.read(pd.Series(values)).tolist() == numbers
    assert "no value tells" not in guess.note


@pytest.mark.parametrize("values", [["1,234", "2,500"], ["1.234", "2.500"], ["$1,234", "$850"]])
def test_a_sign_that_no_value_explains_is_told_with_the_setting(values: list[object]) -> None:
    guess = infer_numbers(pd.Series(values))
    assert "no value tells" in guess.note
    assert "data.decimal_comma=true" in guess.note

    other = infer_numbers(pd.Series(values), decimal_comma=True)
    assert other.format.read(pd.Series(values))[0] != guess.format.read(pd.Series(values))[0]
    assert "no value tells" not in other.note


@pytest.mark.parametrize(
    ("trained_on", "later", "numbers"),
    [
        (["1,5", "2,25"], ["2.500", "2.5", "1,5"], [2500, NO, 1.5]),
        (["1.5", "2.25"], ["1,234", "1,5", "5 kg"], [1234, NO, NO]),
        (["5 kg", "7 kg"], ["5 g", "6 kg", "8"], [NO, 6, 8]),
        (["5 %", "7 %"], ["0.05", "6%"], [NO, 6]),
        (["10K", "12K"], ["5M", "700", "11K"], [NO, NO, 11]),
        (["$5", "$6"], ["\u20ac5", "$7"], [NO, 7]),
    ],
)
def test_later_text_is_read_by_the_learnt_form_alone(
    trained_on: list[object], later: list[object], numbers: list[float]
) -> None:
    form = NumberFormat.from_json(infer_numbers(pd.Series(trained_on)).format.to_json())
    np.testing.assert_equal(form.read(pd.Series(later)), numbers)


def test_numbers_that_are_no_text_are_taken_as_they_are() -> None:
    form = NumberFormat(decimal_comma=True, unit="%", is_bare=False)
    assert form.read(pd.Series([2.5, 1e3])).tolist() == [2.5, 1000]
    assert form.read(pd.Series([2.5, 3, "4,5 %"], dtype=object)).tolist() == [2.5, 3, 4.5]
    np.testing.assert_equal(form.read(pd.Series(["4,5 %", None], dtype="category")), [4.5, NO])


@pytest.mark.parametrize(
    "values",
    [["5 kg", "300 g"], ["90 min", "1 Season"], ["10K", "5M"], ["$5", "\u20ac5"]],
)
def test_several_units_are_no_numbers_and_are_named(values: list[object]) -> None:
    guess = infer_numbers(pd.Series(values))
    assert guess.share < 0.95
    assert "several units" in guess.doubt
    assert len(guess.units) == 2


@pytest.mark.parametrize("values", [["10K", "700", "800"], ["1.2M", "5"], ["3 bn", "12"]])
def test_a_magnitude_beside_plain_numbers_is_not_passed_over(values: list[object]) -> None:
    assert infer_numbers(pd.Series(values)).share < 0.95


@pytest.mark.parametrize(
    "value",
    [
        "A7",
        "B12",
        "Room 5",
        "4x4",
        "5'11\"",
        "<5",
        "10+",
        "1_000",
        "12-13",
        "030 123 456",
        "00123x",
        "5000.com",
        "1,23,45",
        "(5",
    ],
)
def test_codes_ranges_and_sizes_are_no_numbers(value: str) -> None:
    assert np.isnan(NumberFormat().read(pd.Series([value])))[0]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["5 %", "7 %", "0.05"], "in percent (5 % is 5), as are the 1 of 3 without it"),
        (["5 kg", "6 kg", "7"], "in 'kg', as are the 1 of 3 without it"),
        (["0,841", "0,5"], "with decimal commas ('0,841' is 0.841)"),
    ],
)
def test_what_was_decided_is_told(values: list[object], note: str) -> None:
    assert infer_numbers(pd.Series(values)).note == note


@pytest.mark.parametrize("word", ["unknown", "#DIV/0!", "-", "n.a."])
def test_words_for_none_count_neither_way(word: str) -> None:
    guess = infer_numbers(pd.Series(["1", "2,5", word, None]))
    assert (guess.share, guess.example) == (1.0, "")


def test_a_value_that_is_none_is_the_example() -> None:
    guess = infer_numbers(pd.Series(["1", "2", "about 3", "4"]))
    assert guess.share == 0.75
    assert guess.doubt == "'about 3' is not a number"


def test_a_format_of_before_is_read() -> None:
    assert NumberFormat.from_json({"decimal_comma": True}) == NumberFormat(decimal_comma=True)
    assert NumberFormat().read(pd.Series(["$5", "1,234.5", "7 %"])).tolist() == [5, 1234.5, 7]
