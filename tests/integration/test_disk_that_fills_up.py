"""A disk that fills up while trials train: the run ends, and a resume goes on once there is room."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.command import ABALONE, command

BULKY = ROOT / "tests" / "families" / "bulky_probe.py"


def can_mount() -> bool:
    """Whether a disk can be mounted in a namespace of one's own."""
    tried = ["unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no mount namespace can be made here")
def test_a_full_disk_fails_no_trial_and_a_resume_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    run = command(
        "run", "--data", ABALONE, "--target", "rings", "--models", BULKY, "--trials", "8", "--name", "full",
        "--storage", disk, "--max-concurrent", "2", "--quiet", "--set", "pruning.pruner=none",
    )  # fmt: skip
    steps = [
        f"mount -t tmpfs -o size=2m none {shlex.quote(str(disk))}",
        f"! {shlex.join(run)} >&2",
        f"{shlex.join(command('leaderboard', 'full', '--storage', disk, '--format', 'json'))} > before.json",
        f"mount -o remount,size=50m {shlex.quote(str(disk))}",
        f"{shlex.join(command('resume', 'full', '--storage', disk, '--quiet'))} >&2",
        f"{shlex.join(command('audit', 'full', '--storage', disk))} >&2",
        f"{shlex.join(command('leaderboard', 'full', '--storage', disk, '--format', 'json'))} > after.json",
    ]
    isolated = ["unshare", "--map-root-user", "--mount", "sh", "-c", " && ".join(steps)]
    ended = subprocess.run(isolated, capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1
    assert f"Nothing more can be written to {disk}/full" in told[0]
    assert "free some room, then type tuning resume full" in told[0]
    assert "Traceback" not in ended.stderr
    before, after = (
        {row["trial"]: row["status"] for row in json.loads((tmp_path / name).read_text())["rows"]}
        for name in ("before.json", "after.json")
    )
    assert set(before.values()) <= {"completed", "interrupted"}
    assert "interrupted" in before.values()
    assert list(after.values()) == ["completed"] * 8
