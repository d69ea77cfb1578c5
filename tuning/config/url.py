"""Database URLs: their passwords come from the environment if wished, and are not shown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from tuning.errors import ConfigError
from tuning.paths import from_home

_PASSWORD = re.compile(r"(://[^:/@]*:).*(?=@)|([?&]password=)[^&]*")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?://(?:/|$))([^?]*)(\?.*)?")


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


def with_absolute_file(url: str, place: str) -> str:
    """Return the URL, with the file of an SQLite database as it is to be found from every working folder.

    Args:
        url: of a database or a tracking server; one that names no file here is left as it is.
        place: entry that it comes from, for messages.

    Raises:
        ConfigError: the database would lie in memory, which forgets it, or a variable holds a relative path.

    >>> with_absolute_file("mysql://db/x", "storage.url")
    'mysql://db/x'
    """
    found = _SQLITE.fullmatch(url)
    if found is None:
        return url
    scheme, path, query = found.groups(default="")
    if path in ("", ":memory:"):
        raise ConfigError(
            f"{place}: {url} is a database in memory, which is gone with the process; "
            "name a file: sqlite:////absolute/path.db."
        )
    if path.startswith("file:"):
        return url
    if path.startswith("${"):
        _refuse_relative(expand_variables(path, place), path, place)
        return url
    return f"{scheme}{from_home(path).absolute()}{query}"


def _refuse_relative(value: str, variable: str, place: str) -> None:
    if not Path(value).is_absolute():
        raise ConfigError(
            f"{place}: {variable} holds the relative path {value!r}, which another folder would miss; "
            "export an absolute one."
        )


def database_file(url: str) -> Path | None:
    """Return the file of an SQLite database, None of any other.

    >>> database_file("sqlite:////data/a.db?timeout=5"), database_file("postgresql://db/x")
    (PosixPath('/data/a.db'), None)
    """
    found = _SQLITE.fullmatch(url)
    return None if found is None or found[2].startswith("file:") else Path(found[2])
