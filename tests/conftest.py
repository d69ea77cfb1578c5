"""Paths and fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def abalone() -> Path:
    return ROOT / "examples" / "data" / "abalone.csv"


@pytest.fixture
def weather() -> Path:
    return ROOT / "examples" / "data" / "seattle_weather.csv"
