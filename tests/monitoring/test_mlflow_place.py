"""Where MLflow's database lies, and what is put back after MLflow was used."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tuning.config import validate_config
from tuning.errors import ConfigError
from tuning.monitoring.mlflow import surroundings
from tuning.study._setup import absolute_paths


def absolute(uri: str) -> str | None:
    raw = {"name": "demo", "data": {"path": "x.csv", "target": "y"}, "monitoring": {"mlflow": uri}}
    return absolute_paths(validate_config(raw, "test")).monitoring.mlflow


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("sqlite:///mlflow.db", "sqlite:///{here}/mlflow.db"),
        ("sqlite:///sub/mlflow.db?timeout=9", "sqlite:///{here}/sub/mlflow.db?timeout=9"),
        ("sqlite:///~/mlflow.db", "sqlite:///{here}/home/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("https://mlflow.example.org", "https://mlflow.example.org"),
    ],
)
def test_its_database_is_found_from_every_folder(
    uri: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute(uri) == kept.format(here=tmp_path)


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^monitoring.mlflow: sqlite:///:memory: is a database in memory"):
        absolute("sqlite:///:memory:")


@pytest.mark.parametrize("retries", [None, "9"])
def test_variables_and_loggers_are_put_back(retries: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    monkeypatch.delenv(name, raising=False)
    if retries is not None:
        monkeypatch.setenv(name, retries)
    before, level = dict(os.environ), logging.getLogger("alembic").level
    with surroundings():
        assert os.environ[name] == (retries or "2")  # What the user has set stays.
        assert logging.getLogger("alembic").level == logging.WARNING
    assert dict(os.environ) == before
    assert logging.getLogger("alembic").level == level
