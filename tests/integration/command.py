"""The command line as a user runs it, in this process, or in one of its own that can be killed."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.conftest import ROOT
from tuning import Study
from tuning.cli import main
from tuning.study import read_header, read_leaderboard

Run = Callable[..., str]
"""Runs a command in this process, and returns what it says."""

PROBE = ROOT / "tests" / "families" / "probe.py"
ABALONE = ROOT / "examples" / "data" / "abalone.csv"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def tuning(*arguments: str | Path) -> Ended:
    """Run `tuning` to its end, in this process, which has loaded the libraries already."""
    out, errors = io.StringIO(), io.StringIO()
    log = logging.StreamHandler(errors)
    log.setLevel(logging.WARNING)
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "argv", ["tuning", *map(str, arguments)]))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(errors))
        logging.getLogger().addHandler(log)
        stack.callback(logging.getLogger().removeHandler, log)
        ended = stack.enter_context(pytest.raises(SystemExit))
        main()
    return Ended(int(ended.value.code or 0), out.getvalue(), errors.getvalue())


def tuning_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `tuning` to its end in a process of its own, which reads its environment anew."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=200, check=False)


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
