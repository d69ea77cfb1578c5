"""A node that does not see the study is found before any trial starts."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import wait_for_address
from tests.integration.command import ABALONE, PROBE, leaderboard, tuning_process
from tests.storage.object_store import SECRET, ObjectStore

RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True)
class TwoNodes:
    """A cluster of two nodes.

    Attributes:
        address: HOST:PORT.
        hidden: a folder that the second node has not; it has an empty one instead.
    """

    address: str
    hidden: Path


@pytest.fixture(scope="module")
def own_token() -> Iterator[None]:
    """A token of this cluster alone: nodes and drivers know each other by it, whatever the machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield


@pytest.fixture(scope="module")
def two_nodes(own_token: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    """A head, and a node in a mount namespace of its own, in which an empty disk lies over a folder.

    The head has credentials for the store in its environment, the other node has not.
    """
    hidden = tmp_path_factory.mktemp("hidden")
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        log = Path(scratch) / "head.log"
        head = _start(
            log, RAY, "start", "--head", "--block", "--port=0", "--num-cpus=1", "--include-dashboard=false",
            "--disable-usage-stats", f"--temp-dir={scratch}", STORE_SECRET=SECRET,
        )  # fmt: skip
        nodes = [head]
        try:
            address = wait_for_address(log, head)
            join = shlex.join([RAY, "start", f"--address={address}", "--block", "--num-cpus=1"])
            script = f"mount -t tmpfs none {shlex.quote(str(hidden))} && exec {join}"
            isolated = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
            nodes.append(_start(Path(scratch) / "node.log", *isolated))
            _wait_for_nodes(address, 2)
            yield TwoNodes(address, hidden)
        finally:
            for node in reversed(nodes):
                os.killpg(node.pid, signal.SIGKILL)
                node.wait()


def _start(log: Path, *words: str, **variables: str) -> subprocess.Popen[bytes]:
    with log.open("w") as file:
        return subprocess.Popen(
            words, stdout=file, stderr=file, start_new_session=True, env={**os.environ, **variables}
        )


def _wait_for_nodes(address: str, count: int) -> None:
    code = (
        "import sys; from tuning.execution import cluster_nodes, ray_cluster\n"
        "with ray_cluster(sys.argv[1], 'probe'): print(len(cluster_nodes()))"
    )
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        told = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True)
        if told.stdout.strip().endswith(str(count)):
            return
    raise AssertionError(f"the nodes did not join within a minute: {told.stdout} {told.stderr}")


def run(name: str, storage: Path | str, nodes: TwoNodes) -> subprocess.CompletedProcess[str]:
    return tuning_process(
        "run", "--data", ABALONE, "--target", "rings", "--name", name, "--models", PROBE, "--trials", "4",
        "--storage", storage, "--address", nodes.address, "--quiet",
    )  # fmt: skip


def test_a_folder_that_a_node_does_not_see_is_refused(two_nodes: TwoNodes) -> None:
    refused = run("unseen", two_nodes.hidden, two_nodes)
    assert refused.returncode == 2, refused.stderr
    lines = [line for line in refused.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert f"does not see the study folder {two_nodes.hidden}/unseen" in lines[0]
    assert "--storage" in lines[0]
    assert "Traceback" not in refused.stderr
    assert leaderboard("unseen", two_nodes.hidden) == []
    assert not list((two_nodes.hidden / "unseen").glob("probe-*"))


@pytest.mark.slow
def test_a_folder_that_all_see_is_used(two_nodes: TwoNodes, tmp_path: Path) -> None:
    done = run("seen", tmp_path, two_nodes)
    assert done.returncode == 0, done.stderr
    assert len(leaderboard("seen", tmp_path)) == 4
    assert not list((tmp_path / "seen").glob("probe-*"))


@pytest.mark.slow
def test_a_node_without_credentials_is_named(
    two_nodes: TwoNodes, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = object_store.uri("probed").replace(SECRET, "${STORE_SECRET}")
    monkeypatch.setenv("STORE_SECRET", SECRET)
    refused = run("probed", storage, two_nodes)
    assert refused.returncode == 2, refused.stderr
    assert "cannot use s3://studies/probed/probed (storage.folder: the environment variable STORE_SECRET" in (
        refused.stderr
    )
    assert "before 'ray start', then type tuning resume probed" in refused.stderr
    assert leaderboard("probed", storage) == []
