"""One driver at a time: the lock against real other processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tuning.errors import InputError
from tuning.store import DriverLock, is_driven

ROOT = Path(__file__).parents[2]
_HOLD = """
import sys, time
from pathlib import Path
from tuning.store import DriverLock
with DriverLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def other_driver(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_study_that_is_run_is_refused_with_the_process_and_free_after_its_kill(tmp_path: Path) -> None:
    with other_driver(tmp_path) as process:
        assert is_driven(tmp_path)
        with pytest.raises(InputError, match=f"{tmp_path.name} is being run by process {process.pid}"):
            DriverLock(tmp_path).__enter__()
        assert is_driven(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not is_driven(tmp_path)
        with DriverLock(tmp_path):
            assert (tmp_path / "driver.lock").read_text() == str(os.getpid())
            assert is_driven(tmp_path)


def test_the_lock_is_free_after_its_block_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), DriverLock(tmp_path):
        raise RuntimeError
    assert not is_driven(tmp_path)
    with DriverLock(tmp_path):
        pass


def test_a_folder_without_a_lock_is_not_driven(tmp_path: Path) -> None:
    assert not is_driven(tmp_path)


def test_a_look_at_the_lock_does_not_turn_a_driver_away(tmp_path: Path) -> None:
    path = tmp_path / "driver.lock"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)

    def let_go() -> None:
        time.sleep(0.1)
        os.close(descriptor)

    look = threading.Thread(target=let_go)
    look.start()
    with DriverLock(tmp_path):
        assert is_driven(tmp_path)
    look.join()
