"""Where studies live: in a folder that every machine sees, or in an object store."""

from tuning.storage._disk import blame_full_disk, disk_full, full_disk_told, has_no_room, is_disk_full
from tuning.storage._mirror import Mirror, ObjectMirror
from tuning.storage._place import (
    DEFAULT_STORAGE,
    Place,
    cache_folder,
    holds_secrets,
    is_uri,
    open_place,
    storage_option,
    without_secrets,
)
from tuning.storage._remote import Remote

__all__ = [
    "DEFAULT_STORAGE",
    "Mirror",
    "ObjectMirror",
    "Place",
    "Remote",
    "blame_full_disk",
    "cache_folder",
    "disk_full",
    "full_disk_told",
    "has_no_room",
    "holds_secrets",
    "is_disk_full",
    "is_uri",
    "open_place",
    "storage_option",
    "without_secrets",
]
