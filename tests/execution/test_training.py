"""How the end of a group of workers is told apart: an error, or a worker that died."""

from __future__ import annotations

import pytest
import ray.train
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

from tuning.execution.training import WorkerFailedError, WorkersLostError, _explain

DEAD = WorkerHealthCheckFailedError("A worker health check failed.", failure=RuntimeError("died"))
CUT_OFF = RuntimeError("[../gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]:4711")
OWN = ValueError("the probe was told to raise")


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ({1: OWN}, WorkerFailedError),
        ({0: OWN, 1: OWN}, WorkerFailedError),
        ({0: CUT_OFF, 1: OWN}, WorkerFailedError),
        ({1: DEAD}, WorkersLostError),
        ({0: CUT_OFF, 1: DEAD}, WorkersLostError),
        ({0: CUT_OFF}, WorkersLostError),
    ],
)
def test_an_error_is_told_from_a_death(failures: dict[int, Exception], kind: type[Exception]) -> None:
    told = _explain(ray.train.WorkerGroupError("what happened", failures))
    assert type(told) is kind
    assert ("what happened" in str(told)) == (kind is WorkerFailedError)
