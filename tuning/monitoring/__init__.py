"""Following a study from outside: TensorBoard and MLflow. Off by default; neither is ever the record.

Monitors are told by the driver, after the record has been written, and work in threads of their own: a
slow or broken one costs no time of the trials and no result.
"""

from tuning.monitoring._background import Background
from tuning.monitoring._base import TENSORBOARD_FOLDER, FollowedStudy, Monitor
from tuning.monitoring._grafana import GRAFANA_FILE, GRAFANA_UID
from tuning.monitoring._open import check_monitoring, open_monitors

__all__ = [
    "GRAFANA_FILE",
    "GRAFANA_UID",
    "TENSORBOARD_FOLDER",
    "Background",
    "FollowedStudy",
    "Monitor",
    "check_monitoring",
    "open_monitors",
]
