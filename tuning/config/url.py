"""Database URLs: their passwords come from the environment if wished, and are not shown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from tuning.errors import ConfigError

_PASSWORD = re.compile(r"(://[^:/@]*:).*(?=@)|([?&]password=)[^&]*")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def mask_password(url: str) -> str:
    """The URL with stars for its password.

    >>> mask_password("postgresql://ann:p@ss@db:5432/tuning"), mask_password("sqlite:///a.db")
    ('postgresql://ann:***@db:5432/tuning', 'sqlite:///a.db')
    """
    return _PASSWORD.sub(lambda match: f"{match[1] or match[2]}***", url)


def has_password(url: str) -> bool:
    """Whether the URL spells out a password; the name of an environment variable is none.

    >>> has_password("postgresql://ann:secret@db/tuning"), has_password("postgresql://ann:${PW}@db/tuning")
    (True, False)
    """
    return _PASSWORD.search(_VARIABLE.sub("", url).replace(":@", "@")) is not None


def expand_variables(
    url: str, place: str = "storage.url", *, encode: Callable[[str], str] = lambda value: value
) -> str:
    """The URL with the value of each environment variable that it names as `${NAME}`.

    Args:
        url: with or without such names.
        place: entry that it comes from, for messages.
        encode: makes a value fit for the URL.

    Raises:
        ConfigError: the variable is not set.
    """
    return _VARIABLE.sub(lambda match: encode(_value(match[1], place)), url)


def _value(name: str, place: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(f"{place}: the environment variable {name} is not set; export it.")
    return value
