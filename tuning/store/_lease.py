"""One driver at a time per study, where no file system has locks: an object that its holder renews."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from tuning.errors import BusyError, ExecutionError, StorageError
from tuning.storage import Remote

logger = logging.getLogger(__name__)

NAME = "driver.lock"
BEAT_S = 10.0
STALE_S = 60.0
"""A holder that has not renewed its lease for so long has lost it."""

_SETTLE_S = 0.5


@dataclass(frozen=True)
class Holder:
    """Who drives a study.

    Attributes:
        host: its machine's name.
        machine: id of the machine's start and of the space of process ids in it, which tell machines and
            containers of one name apart.
        process: process id.
        process_started: clock ticks from the machine's start to the process's, which tells processes of
            one id apart.
        token: random, of this lease.
        since: seconds since the epoch, when it took the lease.
        renewed: seconds since the epoch, when it last renewed it.
    """

    host: str
    machine: str
    process: int
    process_started: str
    token: str
    since: float
    renewed: float

    @classmethod
    def here(cls) -> Self:
        """This process, now."""
        now = time.time()
        machine, started = _machine(), _process_started(os.getpid())
        return cls(socket.gethostname(), machine, os.getpid(), started, secrets.token_hex(8), now, now)

    @property
    def is_alive(self) -> bool:
        """Whether it still drives the study, as far as can be known from here."""
        if (self.host, self.machine) == (socket.gethostname(), _machine()):
            return _process_started(self.process) == self.process_started
        return time.time() - self.renewed < STALE_S

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).isoformat(sep=" ", timespec="seconds")
        return f"process {self.process} on {self.host} since {since}"


class Lease:
    """Held by the process that runs a study in an object store, and renewed in the background.

    It is taken over from a holder whose process is dead, where that was on this machine, or that has not
    renewed it for `STALE_S`, where it was on another.

    Raises:
        BusyError: on entering, when another process runs the study.
    """

    def __init__(self, remote: Remote, study: str) -> None:
        self._remote = remote
        self._study = study
        self._ended = threading.Event()
        self._lost_to: Holder | None = None

    def __enter__(self) -> Self:
        before = read_holder(self._remote)
        if before is not None and before.is_alive:
            raise self._is_taken(before)
        if before is not None:
            logger.warning("%s was run by %s, which is gone; taking over.", self._study, before)
        self._holder = Holder.here()
        self._write()
        time.sleep(_SETTLE_S)  # Of two that write at the same time, the later one is read by both.
        now = read_holder(self._remote)
        if now is None or now.token != self._holder.token:
            raise self._is_taken(now)
        self._thread = threading.Thread(target=self._renew_until_ended, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._lost_to is None:
            try:
                self._remote.delete([NAME])
            except StorageError as refusal:
                logger.warning("The lease of %s stays for %g s: %s", self._study, STALE_S, refusal)

    def __reduce__(self) -> tuple[type[Lease], tuple[Remote, str]]:
        """Not held, for Tune's snapshot of the run, which nothing is restored from."""
        return Lease, (self._remote, self._study)

    def check(self) -> None:
        """Go on only while the lease is held.

        Raises:
            ExecutionError: another process has taken it over.
        """
        if self._lost_to is not None:
            raise ExecutionError(
                f"The study {self._study} was taken over by {self._lost_to}, because this process could not "
                f"renew its lease for {STALE_S:g} s; what it recorded before is safe."
            )

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(BEAT_S) and self._lost_to is None:
            try:
                self._renew()
            except StorageError as error:
                logger.warning("The lease of %s could not be renewed: %s", self._study, error)

    def _renew(self) -> None:
        now = read_holder(self._remote)
        if now is not None and now.token != self._holder.token:
            self._lost_to = now
            return
        self._holder = replace(self._holder, renewed=time.time())
        self._write()

    def _write(self) -> None:
        self._remote.write(NAME, json.dumps(asdict(self._holder)).encode())

    def _is_taken(self, holder: Holder | None) -> BusyError:
        return BusyError(
            f"The study {self._study} is being run by {holder or 'another process'}: "
            f"wait for it, or stop it first; a lease that is not renewed is free after {STALE_S:g} s."
        )


def read_holder(remote: Remote) -> Holder | None:
    """Who holds the lease of a study, None when nobody does."""
    try:
        return Holder(**json.loads(remote.read(NAME)))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _process_started(process: int) -> str:
    """When a process of this machine was started; empty when there is none."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]
