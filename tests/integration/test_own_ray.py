"""A Ray of the user's own, which a study in its process uses, leaves running, and leaves as it was."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)
from ray.tune import tune as tune_module
from ray.tune.execution import tune_controller

from tests.integration.command import ABALONE
from tuning import InputError, Study
from tuning.execution.cluster import ray_cluster


@pytest.fixture
def own_ray(ray_address: str) -> Iterator[str]:
    """The address of a Ray that this process has joined, as a notebook does."""
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)  # where earlier starts left a token
    ray.init(address=ray_address, log_to_driver=False, logging_level=logging.WARNING)
    yield ray_address
    ray.shutdown()


def study(folder: Path, **settings: object) -> Study:
    return Study(
        "own", data=ABALONE, target="rings", models=["linear_gd"], metric="rmse", trials=1, storage=folder,
        quiet=True, spaces={"linear_gd": {"epochs": 2}}, **settings,
    )  # fmt: skip


def surroundings() -> tuple[dict[str, str], dict[str, int], tuple[object, ...]]:
    levels = {name: logging.getLogger(name).level for name in ("", "ray", "ray.tune", "ray.train", "optuna")}
    patched = tune_module.TuneController, tune_controller.RayActorManager
    ours = ("RAY_", "TUNE_", "TUNING_", "PYTHON")  # Some libraries set others when they are imported.
    variables = {name: value for name, value in os.environ.items() if name.startswith(ours)}
    return variables, levels, patched


def test_it_is_used_and_left_running_as_it_was(tmp_path: Path, own_ray: str) -> None:
    before = surroundings()
    study(tmp_path).run()
    assert ray.is_initialized()
    assert ray.get_runtime_context().gcs_address == own_ray
    (variables, *rest), (variables_before, *rest_before) = surroundings(), before
    assert variables.items() ^ variables_before.items() == set()
    assert rest == rest_before


def test_an_address_that_names_another_cluster_is_not_ignored(tmp_path: Path, own_ray: str) -> None:
    host, port = own_ray.split(":")
    for address in (f"{host}:{int(port) + 1}", "localhost:1", "no-such-host.invalid:6379"):
        with pytest.raises(InputError, match=f"connected to the Ray at {own_ray} already, not to {address}"):
            study(tmp_path / address, address=address).run()
    assert ray.is_initialized()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_other_names_of_the_same_cluster_are_it(own_ray: str, host: str) -> None:
    with ray_cluster(f"{host}:{own_ray.split(':')[1]}") as place:
        assert place.ray_address == own_ray
