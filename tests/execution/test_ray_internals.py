"""The driver's folders stay off the path of the workers."""

from __future__ import annotations

import inspect

import pytest
from ray._private import worker

from tuning.execution._ray_internals import DriverJob


def test_the_installed_ray_still_adds_the_folders_where_they_are_dropped() -> None:
    assert "job_config._py_driver_sys_path.extend(code_paths)" in inspect.getsource(worker.connect)


@pytest.mark.parametrize("folders", [["/home/me/project"], ["/a", "/b"], []])
def test_no_folder_of_the_driver_is_sent_to_the_workers(folders: list[str]) -> None:
    job = DriverJob({"job_name": "sales"})
    job._py_driver_sys_path.extend(folders)
    sent = job._get_proto_job_config()
    assert list(sent.py_driver_sys_path) == []
    assert dict(sent.metadata) == {"job_name": "sales"}
