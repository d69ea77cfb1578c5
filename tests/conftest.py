"""Paths and fixtures that all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.object_store import ObjectStore, run_object_store

ROOT = Path(__file__).parents[1]


# Folders and files whose tests take longest.
_FIRST = ("integration", "test_conformance.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no process ends alone on them."""
    items.sort(key=lambda item: [part not in item.path.parts for part in _FIRST])


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run's processes work on studies in object stores; set before any of them starts."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["TUNING_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """A server that speaks S3, with an empty bucket."""
    with run_object_store() as store:
        yield store


@pytest.fixture
def abalone() -> Path:
    return ROOT / "examples" / "data" / "abalone.csv"


@pytest.fixture
def weather() -> Path:
    return ROOT / "examples" / "data" / "seattle_weather.csv"
