"""What is sent to a cluster, and the command that runs there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.command import ABALONE, PROBE
from tuning.config import StudyConfig, validate_config
from tuning.errors import ConfigError, InputError
from tuning.submission import (
    Package,
    check_place,
    check_study,
    pack_resume,
    pack_study,
    resume_command,
    run_command,
)


def _config(**sections: Any) -> StudyConfig:
    raw = {"name": "tried", "data": {"path": str(ABALONE), "target": "rings"}, **sections}
    return validate_config(raw, "")


def _pack(config: StudyConfig, folder: Path, *, send_data: bool = True, send_code: bool = False) -> Package:
    return pack_study(config, folder / "study.zip", send_data=send_data, send_code=send_code)


def _names(package: Package) -> set[str]:
    with zipfile.ZipFile(package.file) as opened:
        return set(opened.namelist())


def _settings(package: Package) -> dict[str, Any]:
    with zipfile.ZipFile(package.file) as opened:
        settings: dict[str, Any] = yaml.safe_load(opened.read("study.yaml"))
        return settings


def test_data_and_own_models_go_along_under_paths_of_the_package(tmp_path: Path) -> None:
    package = _pack(_config(models=["lightgbm", str(PROBE)]), tmp_path)
    assert _names(package) == {"study.yaml", "data/abalone.csv", "families/probe.py", "families/probe.yaml"}
    assert _settings(package)["models"] == ["lightgbm", "families/probe.py"]


def test_only_what_was_set_is_sent_and_not_where_it_was_to_run(tmp_path: Path) -> None:
    config = _config(
        search={"trials": 3}, storage={"folder": "/mnt/x", "url": "sqlite:////mnt/a.db"}, address="auto"
    )
    settings = _settings(_pack(config, tmp_path))
    assert settings["search"] == {"trials": 3}
    assert settings["storage"] == {"url": "sqlite:////mnt/a.db"}
    assert set(settings) == {"name", "data", "search", "storage"}


def test_data_of_the_cluster_stay_there(tmp_path: Path) -> None:
    config = _config(data={"path": "/mnt/data/big.parquet", "target": "y"})
    package = _pack(config, tmp_path, send_data=False)
    assert _names(package) == {"study.yaml"}
    assert _settings(package)["data"]["path"] == "/mnt/data/big.parquet"
    assert run_command(package, "/mnt/studies") == (
        "exec python -m tuning run study.yaml --storage /mnt/studies --address auto"
    )


def test_the_code_that_is_sent_runs_by_itself(tmp_path: Path) -> None:
    package = _pack(_config(), tmp_path, send_code=True)
    assert not [name for name in _names(package) if "__pycache__" in name]
    with zipfile.ZipFile(package.file) as opened:
        opened.extractall(tmp_path / "there")
    code = "import tuning, tuning.models; print(tuning.__file__, tuning.models.family_names())"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path / "there"
    )
    assert str(tmp_path / "there" / "tuning") in ran.stdout
    assert "lightgbm" in ran.stdout


def test_equal_studies_make_equal_packages(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = (_pack(_config(), place, send_code=True) for place in (tmp_path, tmp_path / "other"))
    assert first.file.read_bytes() == second.file.read_bytes()


def test_the_command_keeps_the_data_by_their_content_and_then_runs(tmp_path: Path) -> None:
    """The command is run by a shell, with a program called python that writes down its arguments."""
    home, job = tmp_path / "home of ann", tmp_path / "job"
    home.mkdir()
    package = _pack(_config(), tmp_path)
    with zipfile.ZipFile(package.file) as opened:
        opened.extractall(job)
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done >> "$HOME/called"\n')
    python.chmod(0o755)
    environment = {"HOME": str(home), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for _ in range(2):
        command = run_command(package, "~/my studies", gpus=4)
        subprocess.run(["sh", "-c", command], check=True, cwd=job, env=environment)
    digest = hashlib.sha256(ABALONE.read_bytes()).hexdigest()[:16]
    kept = home / "my studies" / ".inputs" / digest / "abalone.csv"
    assert kept.read_bytes() == ABALONE.read_bytes()
    assert list(kept.parent.iterdir()) == [kept]
    called = (home / "called").read_text().splitlines()
    awaited = ["-m", "tuning", "await", "--gpus", "4", "--address", "auto"]
    ran = ["-m", "tuning", "run", "study.yaml", "--data", str(kept), "--storage", str(home / "my studies"),
           "--address", "auto"]  # fmt: skip
    assert called == 2 * (awaited + ran)


def test_a_resume_brings_lost_data_back_to_where_the_study_looks_for_them(tmp_path: Path) -> None:
    begun = run_command(_pack(_config(), tmp_path), "s3://bucket/studies")
    package = pack_resume([str(PROBE)], ABALONE, tmp_path / "more.zip", send_code=False)
    command = resume_command("tried", package, "s3://bucket/studies", ["--trials", "9"])
    assert command.split(" && ")[:-1] == begun.split(" && ")[:-1]
    assert command.endswith(
        "exec python -m tuning resume tried --trials 9 --models families/probe.py "
        "--storage s3://bucket/studies --address auto"
    )


def test_two_model_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text("")
    (tmp_path / "probe.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"two model files are called probe\.py"):
        _pack(_config(models=[str(PROBE), str(tmp_path / "probe.py")]), tmp_path)


def test_a_model_without_its_space_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text("")
    with pytest.raises(ConfigError, match=r"there is no file .*alone\.yaml"):
        _pack(_config(models=[str(tmp_path / "alone.py")]), tmp_path)


@pytest.mark.parametrize("folder", ["studies", "./studies", "~ann/studies", ""])
def test_a_place_that_goes_with_the_job_is_refused(folder: str) -> None:
    with pytest.raises(ConfigError, match="is relative"):
        check_place(folder)


def test_a_study_is_checked_against_its_data_before_it_is_sent() -> None:
    with pytest.raises(InputError, match="ring"):
        check_study(_config(data={"path": str(ABALONE), "target": "ring"}), has_data=True)
    with pytest.raises(InputError, match="there is no model 'lightgmb'"):
        check_study(_config(models=["lightgmb"]), has_data=True)


def test_without_the_data_the_models_are_checked_where_the_task_is_named() -> None:
    elsewhere = {"path": "/mnt/nowhere.csv", "target": "y"}
    check_study(_config(data=elsewhere), has_data=False)
    with pytest.raises(InputError, match="there is no model 'lightgmb'"):
        check_study(_config(data={**elsewhere, "task": "regression"}, models=["lightgmb"]), has_data=False)
