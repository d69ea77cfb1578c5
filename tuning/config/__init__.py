"""The configuration of a study: one frozen, validated object."""

from tuning.config._load import apply_settings, read_study_file, set_entry, validate_config
from tuning.config._study import (
    Address,
    MonitoringConfig,
    PrunerName,
    PruningConfig,
    ResourceConfig,
    SamplerName,
    SearchConfig,
    StorageConfig,
    StudyConfig,
)

__all__ = [
    "Address",
    "MonitoringConfig",
    "PrunerName",
    "PruningConfig",
    "ResourceConfig",
    "SamplerName",
    "SearchConfig",
    "StorageConfig",
    "StudyConfig",
    "apply_settings",
    "read_study_file",
    "set_entry",
    "validate_config",
]
