"""What `tuning submit` and its companions refuse before they talk to a cluster, in one sentence."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.command import ABALONE
from tuning.versions import pinned_requirements

NOWHERE = "http://127.0.0.1:1"
STUDY = ("submit", "--data", ABALONE, "--target", "rings", "--address", NOWHERE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*STUDY, "--storage", "studies"), "storage.folder: 'studies' is relative"),
        ((*STUDY, "--storage", "s3://KEY:SECRET@b/x?scheme=http"), "give --storage 's3://b/x?scheme=http'"),
        ((*STUDY, "--set", "search.trails=3"), "trails"),
        ((*STUDY, "--models", "lightgmb"), "there is no model 'lightgmb'"),
        ((*STUDY, "--cluster-data", "/mnt/x.csv"), "give one of them"),
        ((*STUDY, "--env", "NO_SUCH_VARIABLE"), "--env NO_SUCH_VARIABLE: it has no value here"),
        (("submit", "--cluster-data", "x.csv", "--target", "y"), "absolute path on the cluster, not 'x.csv'"),
        (("submit", "--address", NOWHERE), "Which path? Give --data FILE"),
        (("submit", "--resume", "a", "--metric", "mae"), "metric cannot be changed, but --trials"),
        (("submit", "study.yaml", "--resume", "a"), "leave out STUDY.yaml"),
        (STUDY, f"no Ray dashboard answers at {NOWHERE}"),
        (("jobs", "--address", NOWHERE), f"no Ray dashboard answers at {NOWHERE}"),
        (("logs", "a", "--address", "ray://head:10001"), "'ray://head:10001' is not the URL"),
        (("stop", "a", "--address", "no host"), "'no host' is not the URL"),
        ((*STUDY, "--workers-per-trial", "0"), "--workers-per-trial: "),
        (("await", "--gpus", "2", "--within", "soon"), "--within: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: tuple[str | Path, ...], said: str, refused: Callable[..., str]
) -> None:
    assert said in refused(*arguments)


def test_a_dashboard_that_does_not_answer_is_not_waited_for(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.execution.jobs._REQUEST_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert f"no Ray dashboard answers at {url}" in refused("jobs", "--address", url)


def test_libraries_are_installed_in_the_versions_found_here() -> None:
    pinned = pinned_requirements()
    assert any(text.startswith("optuna==5") for text in pinned)
    assert not any(text.startswith(("ray==", "ray[", "mlflow", "pytest")) for text in pinned)
