"""Records from JSON: a small file at once, a large one record by record into compact columns."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, islice
from typing import IO, Any

import ijson
import numpy as np
import pandas as pd

from tuning.data._values import is_missing

STREAMED_CHARACTERS = 32_000_000
"""Of a longer file, neither the text nor all records are ever held as Python objects."""

_RECORDS_PER_CHUNK = 5_000

OpenText = Callable[[], IO[str]]


class _UnlikeChunksError(Exception):
    """The records of a file only fit together when all are seen at once."""


def read_json(open_text: OpenText) -> pd.DataFrame:
    """Read a list of records, one record, an object of columns or of one list of records, or JSON lines.

    Raises:
        ValueError: it is something else.
    """
    text = _short_text(open_text)
    if text is not None:
        return flattened(_parse(text))
    try:
        return _stream(open_text)
    except (ijson.JSONError, _UnlikeChunksError):  # NaN, JSON lines and columns are not for ijson
        return flattened(_parse(_whole_text(open_text)))


def read_lines(open_text: OpenText) -> pd.DataFrame:
    """JSON lines: one record per line that is not empty.

    Raises:
        ValueError: a line is no JSON, or no record.
    """
    text = _short_text(open_text)
    if text is None:
        try:
            with open_text() as file:
                return _in_chunks(json.loads(line) for line in file if line.strip())
        except _UnlikeChunksError:
            text = _whole_text(open_text)
    return flattened(_parse_lines(io.StringIO(text)))


def _short_text(open_text: OpenText) -> str | None:
    """The whole file, None where it is long."""
    with open_text() as file:
        text = file.read(STREAMED_CHARACTERS)
        return None if file.read(1) else text


def _whole_text(open_text: OpenText) -> str:
    with open_text() as file:
        return file.read()


def _parse(text: str) -> pd.DataFrame:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return _parse_lines(text.splitlines())
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        if len(lists) == 1 and lists[0] and all(isinstance(item, dict) for item in lists[0]):
            value = lists[0]
    if isinstance(value, list):
        return _from_records(value)
    if isinstance(value, dict) and all(isinstance(item, list | dict) for item in value.values()):
        return pd.DataFrame(value)
    if isinstance(value, dict):
        return _from_records([value])
    raise ValueError("it is neither a list of records nor an object of columns")


def _parse_lines(lines: Iterable[str]) -> pd.DataFrame:
    return _from_records([json.loads(line) for line in lines if line.strip()])


def _from_records(records: list[Any]) -> pd.DataFrame:
    if not all(isinstance(record, dict) for record in records):
        raise ValueError("its rows are not records with names and values")
    return pd.DataFrame(records)


def flattened(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of records replaced, in place, by one column per field with a dotted name."""
    parts: list[pd.DataFrame] = []
    for name in frame.columns:
        column = frame[[name]]
        if _is_nested(column.iloc[:, 0]):
            records = [value if isinstance(value, dict) else {} for value in column.iloc[:, 0]]
            inner = pd.DataFrame(records, index=frame.index).add_prefix(f"{name}.")
            parts.append(flattened(inner))
        else:
            parts.append(column)
    return pd.concat(parts, axis=1) if parts else frame


def _is_nested(column: pd.Series[Any]) -> bool:
    if column.dtype != object:
        return False
    present = [value for value in column if not is_missing(value)]
    return bool(present) and all(isinstance(value, dict) for value in present)


# -- record by record ------------------------------------------------------------------------------


class _Utf8:
    """A text file as the bytes that ijson reads."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """The next `size` characters, encoded."""
        return self._file.read(size).encode()


def _stream(open_text: OpenText) -> pd.DataFrame:
    """The list of records of a file.

    Raises:
        ijson.JSONError: it is damaged, or holds what ijson does not read.
        _UnlikeChunksError: it holds no such list, or records that only fit together as a whole.
    """
    with open_text() as file:
        place = _place_of_records(file)
    with open_text() as file:
        return _in_chunks(ijson.items(_Utf8(file), place, use_float=True))


def _place_of_records(file: IO[str]) -> str:
    """Where ijson finds the records: in the list that the file is, or in the only list of the object."""
    lists, key, depth = [], "", 0
    for event, value in ijson.basic_parse(_Utf8(file), use_float=True):
        if depth == 0 and event == "start_array":
            return "item"
        if depth == 1 and event == "map_key":
            key = value
        elif depth == 1 and event == "start_array":
            lists.append(key)
        depth += event.startswith("start_") - event.startswith("end_")
    if len(lists) != 1:
        raise _UnlikeChunksError
    return f"{lists[0]}.item"


def _in_chunks(records: Iterator[Any]) -> pd.DataFrame:
    """One frame of all records; only some thousands are held as Python objects at a time."""
    chunks = []
    while chunk := list(islice(records, _RECORDS_PER_CHUNK)):
        chunks.append(_compact(flattened(_from_records(chunk))))
    if not chunks:
        raise _UnlikeChunksError
    return _joined(chunks)


def _compact(frame: pd.DataFrame) -> pd.DataFrame:
    """Lists of numbers as arrays, which take a quarter of the memory."""
    listed = [name for name in frame.columns if frame[name].dtype == object]
    return frame.assign(**{str(name): frame[name].map(_compact_value) for name in listed})


def _compact_value(value: Any) -> Any:
    """A list of numbers, or of lists of one length of them, as an array; all else as it is."""
    if not isinstance(value, list):
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal length
        return value
    return array if array.dtype.kind in "iufb" else value


def _joined(chunks: list[pd.DataFrame]) -> pd.DataFrame:
    """The chunks below each other, as if read at once.

    Raises:
        _UnlikeChunksError: what is a record in one chunk is a value in another.
    """
    names = list(dict.fromkeys(name for chunk in chunks for name in chunk.columns))
    filled = [chunk[[name for name in chunk if chunk[name].notna().any()]] for chunk in chunks]
    known = {name for chunk in filled for name in chunk.columns}
    parents = {parent for name in names for parent in _paths(name)[:-1]}
    if parents & known:
        raise _UnlikeChunksError
    joined = pd.concat(filled, ignore_index=True, sort=False)
    return joined.reindex(columns=[name for name in _siblings_together(names) if name not in parents])


def _paths(name: str) -> list[str]:
    """The fields that lead to a column.

    >>> _paths("a.b.c")
    ['a', 'a.b', 'a.b.c']
    """
    return list(accumulate(name.split("."), "{}.{}".format))


def _siblings_together(names: list[str]) -> list[str]:
    """Fields of one record side by side, where its first one is.

    >>> _siblings_together(["a.x", "b", "a.y"])
    ['a.x', 'a.y', 'b']
    """
    places = {
        path: i for i, path in enumerate(dict.fromkeys(path for name in names for path in _paths(name)))
    }
    return sorted(names, key=lambda name: [places[path] for path in _paths(name)])
