"""Whole studies on two GPUs that Ray is told of: neither gets more trials than the other that has room."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

HARDEST = ["--cpus", "4", "--shares", "0.25", "--at-once", "4", "--mixed", "yes"]


@pytest.mark.timeout(400)
def test_trials_are_placed_evenly_and_none_is_passed_beside_a_free_place() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "placement.py", *HARDEST],
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ran.stdout.splitlines()[2:]]
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [row[0] for row in rows] == ["0.25"]
    assert [row[5] for row in rows] == ["0"]
