"""Checksums of a checkpoint's files: native booster formats do not notice all damage by themselves."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

from tuning.models.errors import CheckpointError

_CHECKSUM_FILE = "checksums.json"


def write_checksums(folder: Path, names: Iterable[str]) -> None:
    """Record the CRC-32 of the named files of `folder`."""
    sums = {name: zlib.crc32((folder / name).read_bytes()) for name in names}
    (folder / _CHECKSUM_FILE).write_text(json.dumps(sums))


def verify_checksums(folder: Path) -> None:
    """Compare every recorded file with its CRC-32.

    Raises:
        CheckpointError: a file is missing or differs from what was written.
    """
    try:
        sums: dict[str, int] = json.loads((folder / _CHECKSUM_FILE).read_text())
        damaged = [name for name, crc in sums.items() if zlib.crc32((folder / name).read_bytes()) != crc]
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{folder} is not a complete checkpoint: {error}.") from error
    if damaged:
        raise CheckpointError(f"{folder} is damaged: {', '.join(damaged)} changed since it was written.")
