"""What a message offers is typed, as a shell would take it, and then the message is gone."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.cli._configure import configure, names, roles_of
from tuning.cli._options import OPTION_NAMES
from tuning.data import prepare, read_frame
from tuning.errors import InputError

N = 120
RNG = np.random.default_rng(0)
WHEN = pd.date_range("2024-01-01", periods=N)
_WORD = r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"();:])+"
_OFFER = re.compile(rf"--[a-z][a-z-]* {_WORD}(?: --[a-z][a-z-]* {_WORD})*")
_KEYS = {option: key for key, option in OPTION_NAMES.items()}

Typed = list[str]


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(N) % 7 + 0.5, "y": np.arange(N) * 1.5, **columns})


def series(*keys: str, **columns: Any) -> pd.DataFrame:
    """Daily sales of four shops, or of what the given columns tell apart together."""
    frames = []
    for shop in range(4):
        labels = dict(zip(keys, (shop,) if len(keys) == 1 else divmod(shop, 2), strict=True))
        sales = RNG.normal(size=N) + shop
        frames.append(pd.DataFrame({"t": WHEN, **labels, "sales": sales, **columns}))
    return pd.concat(frames, ignore_index=True)


SERIES = ["--time", "t", "--horizon", "2"]


def said(folder: Path, frame: pd.DataFrame, target: str, typed: Typed) -> tuple[bool, list[str]]:
    """Whether a command with these options is taken, and its notes or its refusal."""
    path = folder / "t.csv"
    frame.to_csv(path, index=False)
    options: dict[str, Any] = {"data.path": str(path), "data.target": target}
    settings, dropped, known = [], "", ""
    for option, value in zip(typed[::2], typed[1::2], strict=True):
        if option == "--set":
            settings.append(value)
        elif option == "--drop":
            dropped = value
        elif option == "--known":
            known = value
        else:
            options[_KEYS[option]] = value
    try:
        config = configure(None, options, roles_of(names(dropped), names(known)), settings)
        data = prepare(read_frame(path), config.data, config.target, config.split, config.metric, seed=0)
    except InputError as error:
        return False, [str(error)]
    return True, list(data.notes)


def offers(message: str, words: dict[str, str]) -> list[Typed]:
    """The commands that a message offers, each as the shell hands it over."""
    found = [match.rstrip(".,") for match in _OFFER.findall(message)]
    return [[words.get(part, part) for part in _with_names(shlex.split(offer), words)] for offer in found]


def _with_names(parts: Typed, words: dict[str, str]) -> Typed:
    for name, word in words.items():
        parts = [re.sub(rf"(?<=[.=]){name}\b", word, part) for part in parts]
    return parts


SITUATIONS = {
    "a logarithm of negative numbers": (
        table(y=np.arange(N) - 5.0),
        "y",
        ["--set", "target.transform=log1p"],
        "needs targets above -1",
        {},
    ),
    "a stratified split of numbers": (
        table(when=WHEN),
        "y",
        ["--set", "split.method=stratified"],
        "needs a classification target",
        {"NAME": "when"},
    ),
    "a split by group without groups": (
        table(**{"the shop": np.arange(N) % 9}),
        "y",
        ["--set", "split.method=group"],
        "split.method=group needs",
        {"NAME": "the shop"},
    ),
    "a split by time without times": (
        table(**{"a.b": WHEN}),
        "y",
        ["--set", "split.method=time"],
        "needs the name of a column",
        {"NAME": "a.b"},
    ),
    "a random split of groups": (
        table(shop=np.arange(N) % 9),
        "y",
        ["--set", "split.method=random", "--set", "data.roles.shop=group"],
        "ignores groups",
        {},
    ),
    "missing targets": (
        table(y=[None, *range(1, N)]),
        "y",
        [],
        "is missing in 1 of",
        {},
    ),
    "few rows to validate": (table(), "y", [], "rows validate", {}),
    "a row number": (
        table(**{"row, no.": np.arange(N)[::-1]}),
        "y",
        [],
        "looks like a row number",
        {},
    ),
    "labels of a split": (
        table(**{"my split": ["train", "train", "valid", "test"] * (N // 4)}),
        "y",
        [],
        "labels of a split",
        {},
    ),
    "whole numbers of few levels": (
        table(grade=np.arange(N) % 4 + 1),
        "y",
        [],
        "whole ones with few levels",
        {"NAME": "grade"},
    ),
    "an identifier": (
        table(**{"id=1": [f"{k:05}x" for k in range(N)]}),
        "y",
        [],
        "dropped as an identifier",
        {"NAME": "id=1"},
    ),
    "two sequences": (
        table(a=["[1, 2]", "[1, 2, 3]"] * (N // 2), b=["[1, 2]", "[1, 2, 3, 4]"] * (N // 2)),
        "y",
        [],
        "has one sequence already",
        {},
    ),
    "nearly numbers": (
        table(weight=["5 kg", "300 g"] * (N // 2)),
        "y",
        [],
        "has several units|have several units",
        {},
    ),
    "days and months in doubt": (
        table(day=[f"{k % 12 + 1:02}/{k % 11 + 1:02}/{2000 + k}" for k in range(N)]),
        "y",
        [],
        "would fit too",
        {},
    ),
    "decimal signs in doubt": (
        table(price=[f"{k % 9 + 1},{k:03d}" for k in range(N)]),
        "y",
        [],
        "no value tells",
        {},
    ),
    "a role of series in a table": (
        table(t=WHEN),
        "y",
        ["--set", "data.roles.x=known"],
        "is a role of forecasting",
        {"date": "t"},
    ),
    "a split of series by labels": (
        series("shop"),
        "sales",
        [*SERIES, "--series", "shop", "--set", "split.method=column", "--set", "split.column=shop"],
        "is not for series",
        {},
    ),
    "series that a column with a space tells apart": (
        series("item id"),
        "sales",
        [*SERIES],
        "tells? such rows apart",
        {},
    ),
    "series that two columns tell apart": (
        series("shop", "item"),
        "sales",
        [*SERIES],
        "tells? such rows apart",
        {},
    ),
    "series that a column with a comma tells apart": (
        series("shop", "item, or 'set'"),
        "sales",
        [*SERIES],
        "tells? such rows apart",
        {},
    ),
    "a test that is shorter than the horizon": (
        series("shop"),
        "sales",
        [*SERIES, "--series", "shop", "--horizon", "3", "--set", "split.test=2"],
        "less than the horizon",
        {},
    ),
    "a lowest forecast above the targets": (
        series("shop"),
        "sales",
        [*SERIES, "--series", "shop", "--set", "target.clip_min=100"],
        "Forecasts would be at least",
        {},
    ),
    "a frequency that the times have not": (
        series("shop"),
        "sales",
        [*SERIES, "--series", "shop", "--set", "data.frequency=h"],
        "data.frequency: ",
        {},
    ),
    "what is known in advance": (
        series("shop", promo=np.arange(N) % 3),
        "sales",
        [*SERIES, "--series", "shop"],
        "known only up to",
        {"NAME": "promo"},
    ),
    "a horizon without times": (
        series("shop"),
        "sales",
        ["--horizon", "2", "--series", "shop"],
        "needs time|give time",
        {"date": "t"},
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_a_message_offers_works_when_it_is_typed(situation: str, tmp_path: Path) -> None:
    frame, target, typed, problem, words = SITUATIONS[situation]
    _, message = said(tmp_path, frame, target, typed)
    lines = [line for line in message if re.search(problem, line)]
    assert lines, message

    found = offers(" ".join(lines), words) + settings_in(lines)
    assert found, message
    for offer in found:
        is_taken, again = said(tmp_path, frame, target, [*typed, *offer])
        assert is_taken, (offer, again)
        assert not set(lines) & set(again), (offer, again)


def settings_in(lines: list[str]) -> list[Typed]:
    """Settings that a note names without the option."""
    found = re.findall(r"(?<!--)set (data\.[a-z_]+=[a-z]+)", " ".join(lines))
    return [["--set", setting] for setting in found]
