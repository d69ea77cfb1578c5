"""The watchdog leaves trials alone that end by themselves, and ends those that hang."""

from __future__ import annotations

import faulthandler
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tuning.execution.watchdog import HANG_LIMITS, read_hang, watchdog


@pytest.mark.parametrize(
    ("spent_s", "least_s"), [(0.0, 30.0), (4.0, 26.0), (9.9, 20.1), (10.0, 20.0), (50.0, 20.0)]
)
def test_a_unit_may_outlast_the_limit(
    spent_s: float, least_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def note(wait_s: float, **options: Any) -> None:
        waits.append(wait_s)

    monkeypatch.setattr(faulthandler, "dump_traceback_later", note)
    with watchdog(tmp_path, 10.0, spent_s):
        pass
    assert waits[0] >= least_s
    assert waits[0] <= HANG_LIMITS * 10.0 + 5.0
    assert read_hang(tmp_path) == ""


def test_without_a_limit_nothing_is_watched(tmp_path: Path) -> None:
    with watchdog(tmp_path, None):
        assert list(tmp_path.iterdir()) == []


def test_a_block_that_hangs_is_ended_with_its_stacks(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from tuning.execution.watchdog import watchdog\n"
        "def hang():\n    time.sleep(60)\n"
        "with watchdog(Path(sys.argv[1]), 0.1):\n    hang()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=50, check=False)
    assert ended.returncode != 0
    assert "hang" in read_hang(tmp_path)
