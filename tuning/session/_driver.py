"""Where the driver of a running study is, told to other processes by a file in the study folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from tuning.session._folder import StudyFolder, to_json, write_atomically


@dataclass(frozen=True)
class DriverPlace:
    """Where a study's driver is.

    Attributes:
        host: address of its machine.
        ray_address: HOST:PORT of the Ray cluster.
        job_id: the driver's job there.
        dashboard_url: of Ray, None where no dashboard runs.
        session_folder: Ray's folder of this cluster's files on the driver's machine.
    """

    host: str
    ray_address: str
    job_id: str
    dashboard_url: str | None
    session_folder: str | None = None


@contextmanager
def told_place(folder: StudyFolder, place: DriverPlace) -> Iterator[None]:
    """Let other processes read where the driver is, for the time of the block."""
    write_atomically(folder.driver_file, to_json(asdict(place)))
    folder.mirror.push(folder.driver_file)
    try:
        yield
    finally:
        folder.mirror.delete(folder.driver_file)


def read_place(folder: StudyFolder) -> DriverPlace | None:
    """Where the study is being run; None when it is not, whatever a killed driver left behind."""
    if not folder.is_driven():
        return None
    folder.mirror.pull(folder.driver_file)
    try:
        return DriverPlace(**json.loads(folder.driver_file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
