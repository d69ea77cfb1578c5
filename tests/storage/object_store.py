"""A server that speaks S3, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

BUCKET = "studies"
KEY, SECRET = "the-key", "the-secret"


@dataclass(frozen=True)
class ObjectStore:
    """A running store with an empty bucket.

    Attributes:
        port: where it listens on this machine.
        process: its process id.
    """

    port: int
    process: int

    def uri(self, folder: str, bucket: str = BUCKET) -> str:
        """Where a test keeps its studies, credentials included."""
        return (
            f"s3://{KEY}:{SECRET}@{bucket}/{folder}"
            f"?endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"
        )

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let the store answer nobody inside the block."""
        os.kill(self.process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process, signal.SIGCONT)


@contextmanager
def run_object_store() -> Iterator[ObjectStore]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _make_bucket(port, server)
        yield ObjectStore(port, server.pid)
    finally:
        server.kill()
        server.wait()


def _make_bucket(port: int, server: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
    for _ in range(600):
        assert server.poll() is None, "the object store ended at its start"
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the object store did not start within a minute")
