"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

from tuning.errors import ConfigError


def from_home(path: str | Path) -> Path:
    """Return the path with the home folder for `~`, which a shell puts in only at the start of a word.

    Raises:
        ConfigError: it names the home folder of a user whom this machine does not know.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{path}: this machine knows no home folder of {Path(path).parts[0]}; write the whole path, or "
            f"./{path} for a folder of that name."
        ) from error
