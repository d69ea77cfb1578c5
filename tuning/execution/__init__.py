"""Running trials on Ray: the only package that imports it."""

from tuning.execution.cluster import cluster_nodes, ray_cluster
from tuning.execution.metrics import StudyMetrics
from tuning.execution.runner import run_session
from tuning.execution.shares import Shares, plan_shares
from tuning.execution.trainable import WorkerContext

__all__ = [
    "Shares",
    "StudyMetrics",
    "WorkerContext",
    "cluster_nodes",
    "plan_shares",
    "ray_cluster",
    "run_session",
]
