"""`cluster.yaml` is what `ray up` takes, and sets every node up with this project's own versions."""

from __future__ import annotations

import copy
import re
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.conftest import ROOT

COMMANDS = ("initialization_commands", "setup_commands", "head_setup_commands", "head_start_ray_commands",
            "worker_start_ray_commands")  # fmt: skip


@pytest.fixture
def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text("utf-8"))
    return loaded


def _check(config: dict[str, Any]) -> dict[str, Any]:
    """What `ray up` does to a file before it talks to the cloud."""
    prepared: dict[str, Any] = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    return prepared


def test_ray_up_takes_it(cluster: dict[str, Any]) -> None:
    prepared = _check(cluster)
    workers = prepared["available_node_types"]["two_t4"]
    assert (workers["min_workers"], workers["max_workers"]) == (0, 4)
    assert workers["resources"]["GPU"] == 2
    assert prepared["head_node_type"] == "head"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ((), "max_worker", 4),
        (("available_node_types", "two_t4"), "max_workers", "four"),
        (("provider",), "region", 7),
        ((), "setup_commands", "pip install ."),
    ],
)
def test_a_broken_copy_is_refused(
    section: tuple[str, ...], key: str, value: object, cluster: dict[str, Any]
) -> None:
    part = cluster
    for name in section:
        part = part[name]
    part[key] = value
    with pytest.raises((jsonschema.ValidationError, TypeError)):
        _check(cluster)


def test_workers_are_preemptible_and_the_head_is_not(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert {"preemptible": True} in types["two_t4"]["node_config"]["scheduling"]
    assert "scheduling" not in types["head"]["node_config"]
    assert types["two_t4"]["node_config"]["guestAccelerators"] == [
        {"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 2}
    ]


def test_every_node_installs_the_pinned_versions_and_their_python(cluster: dict[str, Any]) -> None:
    setup = "\n".join(cluster["setup_commands"])
    assert "-c ~/tuning/constraints.txt -e ~/tuning" in setup
    (python,) = re.findall(r"--python (\S+)", setup)
    assert f'python_version = "{python}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert cluster["file_mounts"] == {"~/tuning": "."}


@pytest.mark.parametrize("section", COMMANDS)
def test_the_commands_are_shell(section: str, cluster: dict[str, Any]) -> None:
    for command in cluster[section]:
        checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
