"""Where a submitted study lives: on the cluster, in a place that outlives its job."""

from __future__ import annotations

from tuning.errors import ConfigError
from tuning.storage import holds_secrets, without_secrets

DEFAULT_PLACE = "~/tuning-studies"
"""Folder of the studies on the head, where a study names none."""

_INPUTS_BESIDE_BUCKET = "~/tuning-inputs"


def check_place(folder: str) -> str:
    """The folder of the studies, as the cluster's head understands it.

    Args:
        folder: an absolute path, one below the home folder (`~/studies`), or a URI (`s3://bucket/studies`).

    Raises:
        ConfigError: the path is relative: it would be deleted with the job. Or the URI has credentials in
            it: they would stand in the job's command, which the dashboard, the log and `tuning jobs` show.

    >>> check_place("/mnt/studies"), check_place("s3://bucket/studies")
    ('/mnt/studies', 's3://bucket/studies')
    """
    if holds_secrets(folder):
        raise ConfigError(
            "storage.folder: the URI has credentials in it, which all who see the cluster's jobs would read; "
            f"give --storage '{without_secrets(folder)}', with the credentials in the nodes' environment, "
            "or sent by --env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY."
        )
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
