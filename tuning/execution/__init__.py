"""Running trials on Ray: the only package that imports it."""

from tuning.execution.cluster import cluster_nodes, ray_cluster
from tuning.execution.context import WorkerContext
from tuning.execution.host_memory import Fit, plan_within_memory
from tuning.execution.metrics import StudyMetrics
from tuning.execution.probe import check_nodes
from tuning.execution.refit import RefitJob, plan_refit, refit_on_workers
from tuning.execution.runner import run_session
from tuning.execution.shares import Node, Shares
from tuning.execution.training import GroupSize

__all__ = [
    "Fit",
    "GroupSize",
    "Node",
    "RefitJob",
    "Shares",
    "StudyMetrics",
    "WorkerContext",
    "check_nodes",
    "cluster_nodes",
    "plan_refit",
    "plan_within_memory",
    "ray_cluster",
    "refit_on_workers",
    "run_session",
]
