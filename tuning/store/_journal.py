"""Optuna's journal as objects in a store: every write is a new object, with a running number as its name."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from tuning.errors import RecordError
from tuning.storage import Remote

FOLDER = "journal"
MAX_SMALL = 100
"""Objects of single writes, after which they are merged into one."""

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.log")
_TRIES = 5


@dataclass(frozen=True)
class _Part:
    """An object: entries `start` up to `end`, by the `writer`-th process that wrote to this record."""

    start: int
    end: int
    writer: int

    @property
    def name(self) -> str:
        return f"{self.start:012d}-{self.end:012d}-{self.writer:06d}.log"

    @property
    def order(self) -> tuple[int, int, int]:
        return (self.writer, self.start, -self.end)

    def __len__(self) -> int:
        return self.end - self.start


class ObjectJournal(BaseJournalBackend):
    """The record of a study in an object store.

    One driver writes it, as the lease grants. A driver that lost its lease without noticing may still
    write an object; its number is then one that the driver after it uses too, and readers take the later
    writer's. What the store holds is read once, at the opening: readers open the record anew.

    Args:
        remote: the study's place in the store.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote / FOLDER
        self._parts, self._entries = self._read()
        self._writer = max((part.writer for part in self._parts), default=0) + 1

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Entries from a number on."""
        for entry in self._entries[log_number_from:]:
            yield json.loads(entry)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write further entries; they are durable when this returns.

        Raises:
            StorageError: the store does not take them.
        """
        entries = [json.dumps(log, separators=(",", ":")).encode() for log in logs]
        start = len(self._entries)
        self._write(_Part(start, start + len(entries), self._writer), entries)
        self._entries += entries
        if sum(len(part) < MAX_SMALL for part in self._parts) >= MAX_SMALL:
            self._merge()

    def _write(self, part: _Part, entries: Sequence[bytes]) -> None:
        self._remote.write(part.name, b"".join(entry + b"\n" for entry in entries))
        self._parts.append(part)

    def _merge(self) -> None:
        """Merge the small objects, and larger ones before them while they are no larger than the result.

        Every entry is so rewritten a number of times that grows with the logarithm of the entries.
        """
        parts = sorted(self._parts, key=attrgetter("start"))
        end = len(self._entries)
        merged = [parts.pop()]
        while parts and len(parts[-1]) <= max(MAX_SMALL, end - merged[-1].start):
            merged.append(parts.pop())
        self._write(_Part(merged[-1].start, end, self._writer), self._entries[merged[-1].start :])
        self._remote.delete(part.name for part in merged)
        self._parts = [part for part in self._parts if part not in merged]

    def _read(self) -> tuple[list[_Part], list[bytes]]:
        """The objects and the entries in them; read anew where a driver merges objects meanwhile."""
        for _ in range(_TRIES - 1):
            try:
                return self._read_once()
            except (FileNotFoundError, RecordError):
                continue
        try:
            return self._read_once()
        except FileNotFoundError as error:
            raise RecordError(
                f"The record in {self._remote} changes too fast to be read; try again."
            ) from error

    def _read_once(self) -> tuple[list[_Part], list[bytes]]:
        parts = sorted(_parts(self._remote.names()), key=attrgetter("order"))
        needed = list(_needed(parts))
        contents = self._remote.read_all([part.name for part in needed])
        entries: list[bytes] = []
        for part, content in zip(needed, contents, strict=True):
            entries[part.start :] = content.splitlines()
            if len(entries) != part.end:
                raise RecordError(f"The record in {self._remote} is damaged: {part.name} is not whole.")
        return parts, entries


def _parts(names: Iterable[str]) -> Iterator[_Part]:
    for name in names:
        if found := _NAME.fullmatch(name):
            yield _Part(*(int(number) for number in found.groups()))


def _needed(parts: Iterable[_Part]) -> Iterator[_Part]:
    """The objects to read, in this order: each goes on from its start, whatever was there of earlier writers.

    Raises:
        RecordError: an object is missing.
    """
    end, gap = 0, 0
    for _, written in itertools.groupby(parts, key=attrgetter("writer")):
        is_first, gap = True, 0  # What an earlier writer lacks, a later one has merged.
        for part in written:
            if part.start > end:
                gap = max(gap, part.end)
            elif is_first or part.end > end:
                yield part
                end, is_first = part.end, False
    if gap > end:
        raise RecordError(f"The record is damaged: entries {end} to {gap} are not there.")
