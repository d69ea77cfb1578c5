"""A slip of the finger in any option of any command: one sentence with what was meant, exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.integration.command import ABALONE, Run
from tuning.cli import app


def _options() -> Iterator[tuple[str, str]]:
    """Every long option of every command."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        for option in command.params:
            yield from ((name, word) for word in option.opts if word.startswith("--"))


def _misspelt(option: str) -> Iterator[str]:
    """One letter left out, one too many, two exchanged, the end left out: none of them an option itself."""
    middle = len(option) // 2 + 1
    yield option[:middle] + option[middle + 1 :] if len(option) > 5 else option + option[-1]
    yield option[:middle] + option[middle - 1] + option[middle:]
    yield option[: middle - 1] + option[middle] + option[middle - 1] + option[middle + 1 :]
    yield option[:-1]


@pytest.mark.parametrize(("command", "option"), list(_options()))
def test_a_misspelt_option_offers_the_right_one(command: str, option: str, refused: Run) -> None:
    own = {each for name, each in _options() if name == command}
    for slip in set(_misspelt(option)) - own - {"--"}:
        message = refused(command, slip, "x")
        assert f"There is no option {slip} of 'tuning {command}'" in message
        assert option in message, message


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("--task", "regresion"), "regression"),
        (("--metric", "rsme"), "rmse"),
        (("--models", "lightgbmm"), "lightgbm"),
        (("--target", "ring"), "rings"),
        (("--set", "serch.trials=3"), "search"),
        (("--set", "search.samplr=tpe"), "sampler"),
        (("--set", "pruning.pruner=asaha"), "asha"),
        (("--set", "split.method=tme"), "time"),
        (("--trials", "many"), "--trials"),
        (("--time-budget", "soon"), "10m"),
        (("--gpus-per-trial", "automatic"), "auto"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_misspelt_value_offers_the_right_one(arguments: tuple[str, ...], meant: str, refused: Run) -> None:
    message = refused("run", "--data", ABALONE, "--target", "rings", *arguments)
    assert meant in message


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["rn"], "run"),
        (["resum", "x"], "resume"),
        (["leaderbord", "x"], "leaderboard"),
        (["predct"], "predict"),
    ],
)
def test_a_misspelt_command_offers_the_right_one(words: list[str], meant: str, refused: Run) -> None:
    assert f"Did you mean '{meant}'" in refused(*words)


@pytest.mark.parametrize(
    "words",
    [["predict"], ["run", "a.yaml", "b.yaml"], ["run", "--trials"], ["leaderboard", "x", "--format", "jsn"]],
)
def test_words_that_are_missing_or_too_many_are_one_sentence(words: list[str], refused: Run) -> None:
    refused(*words)


def test_a_misspelt_file_is_named(refused: Run, tmp_path: Path) -> None:
    assert str(tmp_path / "abalon.csv") in refused(
        "run", "--data", tmp_path / "abalon.csv", "--target", "rings"
    )
