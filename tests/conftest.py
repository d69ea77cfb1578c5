"""Paths and fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


# Folders and files whose tests take longest.
_FIRST = ("integration", "test_conformance.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no process ends alone on them."""
    items.sort(key=lambda item: [part not in item.path.parts for part in _FIRST])


@pytest.fixture
def abalone() -> Path:
    return ROOT / "examples" / "data" / "abalone.csv"


@pytest.fixture
def weather() -> Path:
    return ROOT / "examples" / "data" / "seattle_weather.csv"
