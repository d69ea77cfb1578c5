"""Where a submitted study lives: on the cluster, in a place that outlives its job."""

from __future__ import annotations

from tuning.errors import ConfigError

DEFAULT_PLACE = "~/tuning-studies"
"""Folder of the studies on the head, where a study names none."""

_INPUTS_BESIDE_BUCKET = "~/tuning-inputs"


def check_place(folder: str) -> str:
    """The folder of the studies, as the cluster's head understands it.

    Args:
        folder: an absolute path, one below the home folder (`~/studies`), or a URI (`s3://bucket/studies`).

    Raises:
        ConfigError: the path is relative: it would be deleted with the job.

    >>> check_place("/mnt/studies"), check_place("s3://bucket/studies")
    ('/mnt/studies', 's3://bucket/studies')
    """
    if folder.startswith(("/", "~/")) or "://" in folder:
        return folder
    raise ConfigError(
        f"storage.folder: {folder!r} is relative, and the folder that a job runs in is deleted with it; give "
        f"a path on the cluster (/mnt/studies, {DEFAULT_PLACE}) or a URI (s3://bucket/studies) by --storage."
    )


def kept_inputs(folder: str) -> str:
    """The folder on the cluster in which sent data files are kept: beside the studies that read them.

    >>> kept_inputs("/mnt/studies"), kept_inputs("s3://bucket/studies")
    ('/mnt/studies/.inputs', '~/tuning-inputs')
    """
    return _INPUTS_BESIDE_BUCKET if "://" in folder else f"{folder.rstrip('/')}/.inputs"
