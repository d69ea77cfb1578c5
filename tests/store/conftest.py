"""A real PostgreSQL server for the tests of the record."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_START_S = 30.0


@dataclass(frozen=True)
class _Account:
    """Who runs the server: PostgreSQL refuses to run as root."""

    name: str | None

    def command(self, command: Sequence[str]) -> list[str]:
        return [*command] if self.name is None else ["runuser", "-u", self.name, "--", *command]

    def own(self, folder: Path) -> None:
        if self.name is not None:
            shutil.chown(folder, self.name)


def _account() -> _Account:
    if os.geteuid() != 0:
        return _Account(None)
    known = {entry.pw_name for entry in pwd.getpwall()}
    return _Account("postgres" if "postgres" in known else "nobody")


def _binaries() -> Path:
    """Folder of `initdb` and `postgres`; Debian keeps them out of the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*folders, *([Path(on_path).parent] if on_path else [])]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.fail("The tests of the record need PostgreSQL's initdb and postgres: apt-get install postgresql")


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """URL of an empty database in a server of its own, reached through a socket file."""
    binaries, account = _binaries(), _account()
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        account.own(home)
        data = home / "data"
        setup = [str(binaries / "initdb"), "-D", str(data), "-U", "tuning", "-A", "trust"]
        setup += ["--no-sync", "--locale=C", "--encoding=UTF8"]
        subprocess.run(account.command(setup), check=True, capture_output=True, cwd=home)
        serve = [str(binaries / "postgres"), "-D", str(data), "-k", str(home), "-h", "", "-F"]
        with (folder / "server.log").open("w") as log:
            server = subprocess.Popen(account.command(serve), stdout=log, stderr=log, cwd=home)
        try:
            _wait(binaries, home, server, folder / "server.log")
            yield f"postgresql+psycopg2://tuning@/postgres?host={home}"
        finally:
            stop = [str(binaries / "pg_ctl"), "stop", "-D", str(data), "-m", "immediate"]
            subprocess.run(account.command(stop), check=True, capture_output=True, cwd=home)
            server.wait()


def _wait(binaries: Path, socket: Path, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    ask = [str(binaries / "psql"), "-h", str(socket), "-U", "tuning", "-c", "select 1", "postgres"]
    while subprocess.run(ask, capture_output=True, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline_s:
            pytest.fail(f"PostgreSQL does not start: {log.read_text()}")
        time.sleep(0.05)
