"""Starting Ray on machines that are small, full or shared, and what is put back after it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.tune import tune as tune_module
from ray.tune.execution import tune_controller

from tuning.errors import InputError
from tuning.execution import cluster, machine
from tuning.execution.controller import StudyController, study_controller
from tuning.surroundings import environment, log_levels


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("name", "length"), [("TMPDIR", 45), ("TMPDIR", 200), ("RAY_TMPDIR", 70)])
def test_a_long_folder_is_refused_with_what_to_type(
    name: str, length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"/tmp/{'x' * length}")
    with pytest.raises(InputError, match=rf"^{name}: .* bytes too long .*export RAY_TMPDIR=/tmp\.$"):
        machine.check_scratch()
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")  # As the message says.
    machine.check_scratch()
    assert not Path(f"/tmp/{'x' * length}").exists()


def test_a_folder_that_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("/proc/nothing-here", "/dev/null", "/proc"):
        monkeypatch.setenv("TMPDIR", folder)
        with pytest.raises(InputError, match=r"^TMPDIR: Ray cannot keep its files in"):
            machine.check_scratch()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = Path("/tmp") / f"disk-{os.getpid()}"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        if not mounted:
            pytest.skip("only root can make a small disk")
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def test_a_full_disk_is_refused_before_ray_starts(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(small_disk))
    with pytest.raises(InputError, match=r"TMPDIR: .*/ray has [01] MiB free, Ray needs 64 to start"):
        machine.check_scratch()


@pytest.mark.parametrize("limit", ["affinity", "LOKY_MAX_CPU_COUNT"])
def test_only_the_cpus_that_this_process_may_use_are_counted(limit: str) -> None:
    first = min(os.sched_getaffinity(0))
    code = "from tuning.execution.machine import usable_cpus; print(usable_cpus())"
    if limit == "affinity":
        code = f"import os; os.sched_setaffinity(0, {{{first}}}); {code}"
    environ = {**os.environ, **({limit: "1"} if limit != "affinity" else {})}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "1"


class Init:
    """Stands for `ray.init`, and raises what it would."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.options: dict[str, Any] = {}

    def __call__(self, **options: Any) -> None:
        self.options = options
        os.environ["PYTHONBREAKPOINT"] = "ray.util.rpdb._driver_set_trace"
        logging.getLogger("ray").setLevel(logging.ERROR)
        raise self.error


_FAILURES = [
    Exception("\nThe last 20 lines of /tmp/ray/session_1/logs/dashboard.log (it contains the error message"),
    OSError(28, "No space left on device"),
    TimeoutError("The current node timed out during startup."),
    RuntimeError("Failed to start GCS.\nLast 4 lines of the error:\nx"),
    AssertionError(),
]


@pytest.mark.parametrize("error", _FAILURES, ids=lambda error: type(error).__name__)
def test_what_ray_raises_at_its_start_is_one_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = Init(error)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(cluster, "usable_cpus", lambda: 7)
    before, level = dict(os.environ), logging.getLogger("ray").level
    with (
        pytest.raises(
            InputError, match=r"^address: Ray does not start on this machine \(\S.*\S\); "
        ) as refused,
        cluster.ray_cluster("local"),
    ):
        raise AssertionError("it started")
    assert "\n" not in str(refused.value)
    assert init.options["num_cpus"] == 7
    assert dict(os.environ) == before
    assert logging.getLogger("ray").level == level


def test_a_cluster_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    init = Init(ConnectionError("Could not find any running Ray instance.\nmore"))
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(InputError, match="no Ray cluster at 'auto'"), cluster.ray_cluster("auto"):
        raise AssertionError("it started")
    assert init.options["num_cpus"] is None  # The cluster's are what its nodes tell.


@pytest.mark.parametrize("value", [None, "the user's"])
def test_the_surroundings_are_put_back_also_after_an_error(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("TUNE_RESULT_BUFFER", value)
    before = dict(os.environ)
    level = logging.getLogger("ray.tune").level

    def run() -> None:
        changed = environment({"TUNE_RESULT_BUFFER": "ours"}, ["SET_INSIDE"])
        with changed, log_levels({"ray.tune": logging.CRITICAL}):
            os.environ["SET_INSIDE"] = os.environ["TUNE_RESULT_BUFFER"]
            raise ValueError(os.environ["SET_INSIDE"])

    with pytest.raises(ValueError, match="ours"):
        run()
    assert dict(os.environ) == before
    assert logging.getLogger("ray.tune").level == level


def test_another_threads_tuner_keeps_tunes_own_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, list[str]] = {"ours": [], "tunes": []}
    monkeypatch.setattr(StudyController, "__init__", lambda self, *_, **__: made["ours"].append("study"))
    monkeypatch.setattr(tune_module, "TuneController", lambda **_: made["tunes"].append("plain"))
    monkeypatch.setattr(tune_controller, "RayActorManager", lambda **_: made["tunes"].append("manager"))
    before = tune_module.TuneController, tune_controller.RayActorManager

    def of_the_user() -> None:
        tune_module.TuneController(trainable="x")
        tune_controller.RayActorManager(resource_manager=None)

    with study_controller():
        thread = threading.Thread(target=of_the_user)
        thread.start()
        thread.join()
        tune_module.TuneController(trainable="x")
    assert made == {"ours": ["study"], "tunes": ["plain", "manager"]}
    assert (tune_module.TuneController, tune_controller.RayActorManager) == before
