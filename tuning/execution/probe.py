"""Whether every node of the cluster sees the study, found out before any trial starts."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuning.errors import InputError, TuningError
from tuning.session import StudyFolder

_ANSWER_S = 60.0
_SEEN_S = 5.0
"""Attributes of files on NFS may be that old on another machine."""


def check_nodes(folder: StudyFolder) -> None:
    """Have each node read what is written here into the study, and read here what it writes.

    A single node that works on a folder is not asked: it is this machine.

    Raises:
        InputError: a node does not see the study, or does not answer.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if len(nodes) < 2 and folder.remote is None:
        return
    probe = folder.root / f"probe-{secrets.token_hex(8)}"
    probe.mkdir(parents=True)
    question, token = probe / "question", secrets.token_hex(16)
    try:
        question.write_text(token)
        folder.mirror.push(question)
        asked = {node["NodeID"]: _ask(node["NodeID"], folder, probe.name, token) for node in nodes}
        for node in nodes:
            problem = _problem(asked[node["NodeID"]], folder, probe / node["NodeID"], token)
            if problem is not None:
                raise InputError(_sentence(node["NodeManagerAddress"], folder, problem))
    finally:
        folder.mirror.delete(probe)


def _ask(node: str, folder: StudyFolder, probe: str, token: str) -> ray.ObjectRef:
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    return _answer.options(scheduling_strategy=strategy).remote(folder, probe, token, node)


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def _answer(folder: StudyFolder, probe: str, token: str, node: str) -> str | None:
    """Read the question and write an answer; what went wrong, or None."""
    place = folder.root / probe
    if folder.remote is None and not folder.root.is_dir():
        return "it has no such folder"
    try:
        folder.mirror.pull(place / "question")
        if not _reads(place / "question", token):
            return "what is written there does not arrive"
        (place / node).write_text(token)
        folder.mirror.push(place / node)
    except (OSError, TuningError) as error:
        return getattr(error, "strerror", None) or str(error).rstrip(".")
    return None


def _problem(asked: ray.ObjectRef, folder: StudyFolder, answer: Path, token: str) -> str | None:
    """What is wrong with a node, None when its answer can be read here."""
    try:
        problem: Any = ray.get(asked, timeout=_ANSWER_S)
    except RayError as error:
        return " ".join(str(error).split("\n")[:2]).strip()
    if problem is not None:
        return str(problem)
    folder.mirror.pull(answer)
    return None if _reads(answer, token) else "what it writes there does not arrive here"


def _reads(path: Path, token: str) -> bool:
    """Whether the file has this content, soon."""
    deadline_s = time.monotonic() + _SEEN_S
    while time.monotonic() < deadline_s:
        if path.is_file() and path.read_text() == token:
            return True
        time.sleep(0.1)
    return False


def _sentence(node: str, folder: StudyFolder, problem: str) -> str:
    if folder.remote is not None:
        return (
            f"The node {node} cannot use {folder} ({problem}): give that node the store's credentials in its "
            f"environment before 'ray start', then type {folder.command('resume')}."
        )
    return (
        f"The node {node} does not see the study folder {folder} ({problem}): name with --storage a folder "
        "on a disk that every node mounts at the same path (NFS), or an object store (s3://BUCKET/DIR)."
    )
