"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tuning import Study
from tuning.study import read_header, read_leaderboard

Run = Callable[..., str]
"""Runs a command in this process, and returns what it says."""

PROBE = ROOT / "tests" / "families" / "probe.py"
ABALONE = ROOT / "examples" / "data" / "abalone.csv"


def tuning(*arguments: str | Path, timeout_s: float = 200.0) -> subprocess.CompletedProcess[str]:
    """Run `tuning` to its end."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=timeout_s, check=False)


def command(*arguments: str | Path) -> list[str]:
    """The words of a `tuning` command."""
    return [sys.executable, "-m", "tuning", *map(str, arguments)]


def leaderboard(name: str, storage: Path) -> list[dict[str, Any]]:
    """The rows of a study's leaderboard, read from its record."""
    header, folder = read_header(storage, name)
    with header.open_store(folder) as store:
        rows: list[dict[str, Any]] = json.loads(read_leaderboard(header, store).to_json())["rows"]
    return rows


def assert_audited(name: str, storage: Path) -> None:
    """The record and the folder of a study agree."""
    assert not Study.open(name, storage, quiet=True).audit()


def trial(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """One row of a leaderboard."""
    return next(row for row in rows if row["trial"] == name)
