"""Where a submitted study lives: on the cluster, in a place that outlives its job."""

from __future__ import annotations

from tuning.config import StudyConfig
from tuning.config.url import database_file, has_password, mask_password
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


def check_urls(config: StudyConfig) -> None:
    """Refuse URLs of a study that are not to be sent, or mean nothing on the cluster.

    Raises:
        ConfigError: one spells out a password, which would lie on the cluster for all who use it to read; or
            names a file by a relative path, in the folder of the job, which is deleted with that.
    """
    urls = {"storage.url": config.storage.url, "monitoring.mlflow": config.monitoring.mlflow}
    for place, url in urls.items():
        if url is not None:
            _check_url(place, url)


def _check_url(place: str, url: str) -> None:
    if has_password(url):
        raise ConfigError(
            f"{place}: the password in {mask_password(url)} would be sent along, for all who use the cluster "
            "to read: write ${DB_PASSWORD} in its place, and send it by --env DB_PASSWORD or let the "
            "cluster's nodes have it in their environment."
        )
    file = database_file(url)
    if file is not None and not str(file).startswith(("/", "~/", "${")):
        raise ConfigError(
            f"{place}: {url} is relative, and the folder that a job runs in is deleted with it; give the "
            "absolute path of a file on the cluster, as in sqlite:////mnt/studies/record.db."
        )


def kept_inputs(folder: str) -> str:
    """The folder on the cluster in which sent data files are kept: beside the studies that read them.

    >>> kept_inputs("/mnt/studies"), kept_inputs("s3://bucket/studies")
    ('/mnt/studies/.inputs', '~/tuning-inputs')
    """
    return _INPUTS_BESIDE_BUCKET if "://" in folder else f"{folder.rstrip('/')}/.inputs"
