"""The manifests for Kubernetes: what KubeRay's autoscaler reads of them, and that they fit together."""

from __future__ import annotations

import copy
import re
from importlib.metadata import version
from typing import Any

import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

from tests.conftest import ROOT

MANIFESTS = ROOT / "docs" / "kuberay"
CLUSTER_KEYS = {
    "rayVersion",
    "enableInTreeAutoscaling",
    "autoscalerOptions",
    "headGroupSpec",
    "workerGroupSpecs",
}
GROUP_KEYS = {
    "groupName",
    "replicas",
    "minReplicas",
    "maxReplicas",
    "rayStartParams",
    "template",
    "serviceType",
}


def _objects(file: str) -> dict[str, dict[str, Any]]:
    """Kind -> manifest."""
    loaded = yaml.safe_load_all((MANIFESTS / file).read_text("utf-8"))
    return {manifest["kind"]: manifest for manifest in loaded}


def _cluster(file: str) -> dict[str, Any]:
    """The RayCluster of a file, that of a RayJob as the operator makes it."""
    objects = _objects(file)
    if "RayCluster" in objects:
        return objects["RayCluster"]
    job = objects["RayJob"]
    return {"metadata": job["metadata"], "spec": job["spec"]["rayClusterSpec"]}


def _groups(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    return [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]


@pytest.mark.parametrize(("file", "most"), [("cluster.yaml", 4), ("job.yaml", 2)])
def test_the_autoscaler_reads_groups_of_two_gpus_from_zero(file: str, most: int) -> None:
    read = _derive_autoscaling_config_from_ray_cr(_cluster(file))
    types = read["available_node_types"]
    assert types["headgroup"]["resources"]["CPU"] == 0
    workers = types["two-gpus"]
    assert (workers["min_workers"], workers["max_workers"]) == (0, most)
    assert (workers["resources"]["CPU"], workers["resources"]["GPU"]) == (16, 2)


def test_the_autoscaler_refuses_a_group_without_a_size() -> None:
    broken = copy.deepcopy(_cluster("cluster.yaml"))
    del broken["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resources"]
    with pytest.raises(ValueError, match="CPU"):
        _derive_autoscaling_config_from_ray_cr(broken)


def _check_object(manifest: dict[str, Any]) -> None:
    """Check against the schema of Kubernetes, by which a key that it does not know is an error."""
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def _pod(group: dict[str, Any]) -> dict[str, Any]:
    """The pod that the operator makes of a group."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": group["template"]["spec"]}


@pytest.mark.parametrize("file", ["cluster.yaml", "job.yaml"])
def test_kubernetes_takes_the_pods_and_the_volume(file: str) -> None:
    for group in _groups(_cluster(file)):
        _check_object(_pod(group))
    if file == "cluster.yaml":
        _check_object(_objects(file)["PersistentVolumeClaim"])


def test_kubernetes_refuses_a_pod_with_a_misspelt_key() -> None:
    group = copy.deepcopy(_groups(_cluster("cluster.yaml"))[1])
    group["template"]["spec"]["toleration"] = group["template"]["spec"].pop("tolerations")
    with pytest.raises(kubernetes_validate.ValidationError, match="toleration"):
        _check_object(_pod(group))


@pytest.mark.parametrize("file", ["cluster.yaml", "job.yaml"])
def test_its_parts_fit_together(file: str) -> None:
    cluster = _cluster(file)
    assert set(cluster["spec"]) <= CLUSTER_KEYS
    assert cluster["spec"]["rayVersion"] == version("ray")
    assert f"ray=={version('ray')}" in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    for group in _groups(cluster):
        assert set(group) <= GROUP_KEYS
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            # Ray counts by the limits; a pod with less than it counts on would be throttled or killed.
            assert container["resources"]["requests"] == container["resources"]["limits"]


def test_all_pods_share_one_image_one_user_and_one_volume() -> None:
    claim = _objects("cluster.yaml")["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    pods = [
        group["template"]["spec"]
        for file in ("cluster.yaml", "job.yaml")
        for group in _groups(_cluster(file))
    ]
    assert len({container["image"] for pod in pods for container in pod["containers"]}) == 1
    claims = {volume["persistentVolumeClaim"]["claimName"] for pod in pods for volume in pod["volumes"][:1]}
    assert claims == {claim["metadata"]["name"]}
    uid = re.search(r"--uid (\d+)", (MANIFESTS / "Dockerfile").read_text("utf-8"))
    assert uid is not None
    assert {pod["securityContext"]["runAsUser"] for pod in pods} == {int(uid[1])}


def test_the_image_has_the_python_and_the_packages_of_the_project() -> None:
    text = (MANIFESTS / "Dockerfile").read_text("utf-8")
    (python,) = re.findall(r"FROM python:(\S+)-slim", text)
    assert f'python_version = "{python}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    for package in ("models", "search_spaces", "tuning"):
        assert f"COPY {package} {package}" in text
    assert "pip install --no-cache-dir -c constraints.txt ." in text
