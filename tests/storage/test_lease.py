"""One driver at a time on an object store, and what happens to the lease of one that is gone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from tests.storage.object_store import ObjectStore
from tuning.errors import ExecutionError, InputError
from tuning.storage import Remote
from tuning.store import Lease, is_driven
from tuning.store._lease import NAME, Holder, read_holder

_HOLD = """
import sys, time
from tuning.storage import Remote
from tuning.store import Lease
with Lease(Remote(sys.argv[1]) / sys.argv[2], "study"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def remote(object_store: ObjectStore, request: pytest.FixtureRequest) -> Remote:
    return Remote(object_store.uri("lease")) / request.node.name


def elsewhere(remote: Remote, renewed_s_ago: float) -> Holder:
    holder = replace(Holder.here(), host="gpu-box", machine="other", renewed=time.time() - renewed_s_ago)
    remote.write(NAME, json.dumps(asdict(holder)).encode())
    return holder


def driven(remote: Remote) -> bool:
    return is_driven(None, remote)  # type: ignore[arg-type]


def test_a_study_has_one_driver(remote: Remote) -> None:
    with Lease(remote, "study"):
        assert driven(remote)
        with pytest.raises(InputError, match=r"study is being run by process \d+ on .* since 20"):
            Lease(remote, "study").__enter__()
    assert not driven(remote)
    with Lease(remote, "study") as again:
        again.check()


def test_a_killed_driver_of_this_machine_is_followed_at_once(remote: Remote) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", _HOLD, remote.uri, remote._below], stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == "held\n"
    assert driven(remote)
    driver.kill()
    driver.wait()
    assert not driven(remote)
    with Lease(remote, "study") as lease:
        lease.check()


def test_a_driver_elsewhere_keeps_its_lease_for_a_minute(
    remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere(remote, renewed_s_ago=50)
    with pytest.raises(InputError, match=r"on gpu-box since .* free after 60 s"):
        Lease(remote, "study").__enter__()
    elsewhere(remote, renewed_s_ago=61)
    with Lease(remote, "study"):
        assert "was run by process" in caplog.text


def test_a_lease_is_renewed(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.store._lease.BEAT_S", 0.1)
    with Lease(remote, "study"):
        renewed = set()
        deadline_s = time.monotonic() + 20
        while len(renewed) < 2:
            # The test's store may give half an object while it is replaced; S3 does not.
            if (holder := read_holder(remote)) is not None:
                renewed.add(holder.renewed)
            assert time.monotonic() < deadline_s


def test_a_driver_that_was_followed_stops(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.store._lease.BEAT_S", 0.1)
    lease = Lease(remote, "study")
    with lease:
        elsewhere(remote, renewed_s_ago=0)
        with pytest.raises(ExecutionError, match=r"taken over by process .* on gpu-box"):
            _go_on(lease)
    assert remote.exists(NAME)


def _go_on(lease: Lease) -> None:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        lease.check()
