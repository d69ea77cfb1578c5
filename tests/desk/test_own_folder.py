"""A folder of one's own, with the names that projects of this field have: every way in works from there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.desk.notebook import notebook
from tests.integration.command import PROBE, leaderboard

BIN = Path(sys.executable).parent
OWN = 'raise RuntimeError("a file of the person\'s own was imported")\n'
TABLE = "Preise für Äpfel.csv"
WAYS = {"tuning": [str(BIN / "tuning")], "python -m tuning": [sys.executable, "-m", "tuning"]}

SCRIPT = """
from tuning import Study

study = Study("{name}", data="{table}", target="Preis", models=["linear_gd"], trials=1, address="{address}")
study.run()
board = study.leaderboard()
print("best", board.iloc[0]["model"], board.iloc[0]["status"])
print("predicted", len(study.predict("{table}")))
"""


def _table(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    weight, sort = rng.normal(180, 20, rows), rng.choice(["Boskop", "Elstar", "Gala"], rows)
    return pd.DataFrame({"Gewicht in g": weight, "Sorte": sort, "Preis": 0.01 * weight + (sort == "Gala")})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose names are those of many: all of its modules end the process that imports one."""
    folder = tmp_path_factory.mktemp("Müllers Projekt ") / "Äpfel und Birnen"
    for package in ("models", "search_spaces", "data", "search", "trial"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text(OWN)
    for module in ("models", "data", "metrics", "utils", "config"):
        (folder / f"{module}.py").write_text(OWN)
    _table().to_csv(folder / TABLE, index=False)
    # A model of the person's own, which imports what lies beside it.
    model = PROBE.read_text().replace("import json", "import json\nfrom .layers import LEVEL", 1)
    (folder / "mein_modell.py").write_text(model + "\nassert LEVEL == 3\n")
    (folder / "mein_modell.yaml").write_text(PROBE.with_suffix(".yaml").read_text())
    (folder / "layers.py").write_text("LEVEL = 3\n")
    return folder


@pytest.fixture
def hiding(folder: Path) -> Iterator[Path]:
    """The same with names of libraries, which hide them from a script there, but not from a command."""
    for module in ("yaml", "pandas", "rich", "ray"):
        (folder / f"{module}.py").write_text(OWN)
    yield folder
    for module in ("yaml", "pandas", "rich", "ray"):
        (folder / f"{module}.py").unlink()


def _run(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("way", list(WAYS))
def test_commands(way: str, hiding: Path, ray_address: str) -> None:
    """Also where a file bears the name of a library that every worker, and Ray itself, imports."""
    name, address = way.replace(" ", "-"), "local" if way == "tuning" else ray_address
    tuning = WAYS[way]
    shown = _run(
        [*tuning, "run", "--data", TABLE, "--target", "Preis", "--models", "linear_gd,mein_modell.py",
         "--trials", "1", "--name", name, "--address", address, "--quiet"],
        hiding,
    )  # fmt: skip
    assert "linear_gd-0000" in shown
    assert [row["status"] for row in leaderboard(name, hiding / "studies")] == ["completed"] * 2
    if way == "tuning":
        own = ["--model", "mein_modell"]
        _run([*tuning, "predict", name, TABLE, "-o", "neue Preise.csv", *own], hiding)
        assert len(pd.read_csv(hiding / "neue Preise.csv")) == 120


@pytest.mark.parametrize("way", ["script", "python -c"])
def test_python(way: str, folder: Path, ray_address: str) -> None:
    code = SCRIPT.format(name=way.replace(" ", ""), table=TABLE, address=ray_address)
    script = folder / "tune it.py"
    script.write_text(code)
    words = [sys.executable, str(script)] if way == "script" else [sys.executable, "-c", code]
    shown = _run(words, folder)
    assert "best linear_gd completed" in shown
    assert "predicted 120" in shown


def test_a_notebook_whose_event_loop_runs(folder: Path, ray_address: str) -> None:
    with notebook(folder) as cells:
        cells.run("import asyncio; assert asyncio.get_running_loop().is_running()")
        shown = cells.run(SCRIPT.format(name="notebook", table=TABLE, address=ray_address))
        assert "best linear_gd completed" in shown["stdout"]
        assert "predicted 120" in shown["stdout"]
        # A notebook keeps what is written: lines are read in it, moves of a cursor are not.
        assert "\x1b" not in shown["stderr"]
        assert "Study notebook: regression of Preis" in shown["stderr"]
        assert "Ended after" in shown["stderr"]
        # Again in the same kernel, where libraries are loaded and a Ray has been shut down.
        again = cells.run("study.resume(trials=2).leaderboard()[['trial', 'valid']]")
        assert "linear_gd-0001" in again["result"]


@pytest.mark.parametrize("place", ["/proc", "/sys"])
def test_a_folder_that_cannot_be_written_to(
    place: str, folder: Path, tmp_path: Path, ray_address: str
) -> None:
    """A file system that takes no file of anybody, whoever asks."""
    words = [
        *WAYS["tuning"], "run", "--data", str(folder / TABLE), "--target", "Preis", "--models", "linear_gd",
        "--trials", "1", "--name", "elsewhere", "--address", ray_address, "--quiet",
    ]  # fmt: skip
    refused = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=100, check=False)
    assert refused.returncode == 2, refused.stderr
    (sentence,) = refused.stderr.strip().splitlines()
    assert sentence.startswith("Error: ")
    assert f"{place}/studies" in sentence
    assert "--storage" in sentence
    if place == "/proc":
        assert "linear_gd-0000" in _run([*words, "--storage", str(tmp_path)], Path(place))
