"""What is no name of a study, or no place of studies, is refused by the rule that it breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trial.rows import small_frame
from tuning import Study
from tuning.errors import ConfigError


@pytest.mark.parametrize("storage", [None, 5, ["studies"]])
def test_a_place_that_is_no_path_makes_no_folder(
    storage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^Study\.storage: .*not .*leave it out for 'studies'\.$"):
        Study("demo", data=small_frame(), target="y", storage=storage)
    with pytest.raises(ConfigError, match=r"^Study\.storage: "):
        Study.open("demo", storage)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [5, None, Path("demo")])
def test_a_name_that_is_no_text_is_refused(name: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^Study\.name: .* not "):
        Study.open(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "rule"),
    [("x" * 300, "at most 100 .* of 300 characters"), ("-x", "the first a letter"), ("é", "a to z")],
)
def test_a_refused_name_is_told_the_rule_that_it_breaks(name: str, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule) as error:
        Study(name, data=small_frame(), target="y")
    assert len(str(error.value)) < 250
