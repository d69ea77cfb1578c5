"""What `--storage` may be: a folder, or the URI of a place in an object store."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuning.paths import from_home
from tuning.storage._remote import Remote

Place = str | Path
"""A folder, or a URI such as `s3://bucket/studies`."""

DEFAULT_STORAGE = "studies"
"""Folder of the study folders, below the one in which a command is typed."""

CACHE_VARIABLE = "TUNING_CACHE"

_VARIABLE = re.compile(r"\$\{\w+\}")
_USER = re.compile(r"(://)[^/?#]*@")
_SECRET = re.compile(r"(?i)([?&])[^=&]*(?:key|secret|token|password|signature|\bsig)[^=&]*=([^&]*)")


def is_uri(place: Place) -> bool:
    """Whether the place is in an object store.

    >>> is_uri("s3://bucket/studies"), is_uri("studies"), is_uri("file:///mnt/studies")
    (True, False, False)
    """
    return "://" in str(place) and urlsplit(str(place)).scheme != "file"


def open_place(place: Place) -> Path | Remote:
    """The folder or the place in an object store; a `file://` URI is a folder, and `~` the home folder.

    Raises:
        InputError: no object store has such a URI, or an environment variable in it is not set.
    """
    if is_uri(place):
        return Remote(str(place).rstrip("/"))
    text = str(place)
    return Path(unquote(urlsplit(text).path)) if text.startswith("file://") else from_home(text)


def storage_option(place: Place) -> str:
    """Return the option that names the place, as it is to be typed in a shell; empty where it is the default.

    A URI is given without its credentials.

    >>> storage_option("studies"), storage_option("my studies")
    ('', " --storage 'my studies'")
    """
    if is_uri(place):
        return f" --storage {shlex.quote(without_secrets(place))}"
    folder = open_place(place)
    is_default = isinstance(folder, Path) and folder.resolve() == Path(DEFAULT_STORAGE).resolve()
    return "" if is_default else f" --storage {shlex.quote(str(place))}"


def without_secrets(place: Place) -> str:
    """The place without credentials; names of environment variables stay.

    >>> without_secrets("s3://KEY:SECRET@bucket/x?scheme=http&session_token=abc")
    's3://bucket/x?scheme=http'
    >>> without_secrets("s3://${KEY}:${SECRET}@bucket/x")
    's3://${KEY}:${SECRET}@bucket/x'
    """
    text = str(place)
    if not is_uri(text):
        return text
    text = _USER.sub(lambda match: match[0] if _names_variables_only(match[0]) else match[1], text)
    text = _SECRET.sub(lambda match: match[0] if _names_variables_only(match[2]) else match[1], text)
    return re.sub(r"&{2,}", "&", text).replace("?&", "?").rstrip("?&")


def holds_secrets(place: Place) -> bool:
    """Whether the place has credentials in it, and not only names of environment variables.

    >>> holds_secrets("s3://KEY:SECRET@bucket/x"), holds_secrets("s3://${KEY}:${SECRET}@bucket/x?scheme=http")
    (True, False)
    """
    text = str(place)
    user, values = _USER.search(text), [found[2] for found in _SECRET.finditer(text)]
    secrets = [*([user[0]] if user else []), *values] if is_uri(text) else []
    return not all(map(_names_variables_only, secrets))


def _names_variables_only(text: str) -> bool:
    return _VARIABLE.search(text) is not None and _VARIABLE.sub("", text).strip(":/@") == ""


def cache_folder(place: Place) -> Path:
    """Where this machine works on the studies of an object store; `TUNING_CACHE` names another disk.

    Nothing in it is needed to go on: what matters is in the store.
    """
    base = os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "tuning"
    name = hashlib.sha256(without_secrets(place).rstrip("/").encode()).hexdigest()[:16]
    return Path(base).absolute() / name
