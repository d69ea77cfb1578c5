"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

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
    shown = tuning("leaderboard", name, "--format", "json", "--storage", storage)
    assert shown.returncode == 0, shown.stderr
    rows: list[dict[str, Any]] = json.loads(shown.stdout)["rows"]
    return rows


def trial(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """One row of a leaderboard."""
    return next(row for row in rows if row["trial"] == name)
